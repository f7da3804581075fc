// How a command ends: the exit code for scripts, the sentences for people.

import { isStreamkitError } from "streamkit-client";
import type { StreamkitError } from "streamkit-client";

/** Each is documented in the README and in `--help`. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  conflict: 3,
  denied: 4,
  unavailable: 5,
  unknown: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A command that was written wrongly, or that nobody confirmed: nothing was done. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A command that did what it could and says no: a backup that differs, a check that found something. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!isStreamkitError(error)) return exitCodes.failed;
  if (error.effect === "unknown") return exitCodes.unknown;
  switch (error.code) {
    case "invalid_argument":
      return exitCodes.usage;
    case "sequence_mismatch":
    case "transaction_id_mismatch":
    case "lease_held":
      return exitCodes.conflict;
    case "unauthenticated":
    case "permission_denied":
      return exitCodes.denied;
    default:
      return error.retryable ? exitCodes.unavailable : exitCodes.failed;
  }
}

/** Sentences that say what happened, and what to do where there is something. */
export function sentencesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  if (!isStreamkitError(error)) return [error.message];
  const reference = error.requestId === undefined ? [] : [`Code ${error.code}, request ${error.requestId}.`];
  return [error.message, ...effectOf(error), ...adviceOf(error), ...reference];
}

function effectOf({ effect }: StreamkitError): readonly string[] {
  switch (effect) {
    case "unknown":
      return ["It may have happened all the same: read before you repeat it."];
    case "committed":
      return ["It is written all the same, and readers will see it."];
    case "partial":
      return ["A part of it is written."];
    case "none":
    case undefined:
      return [];
  }
}

function adviceOf({ code }: StreamkitError): readonly string[] {
  switch (code) {
    case "unauthenticated":
      return [
        "Give a key with --key or STREAMKIT_KEY, a token with STREAMKIT_TOKEN, or log in with Azure and set STREAMKIT_AUDIENCE.",
      ];
    case "permission_denied":
      return ["`streamkit auth status` says who you are, and what you may."];
    case "connection_failed":
      return ["Is the address right, and does the app run? --url or STREAMKIT_URL says where it is."];
    default:
      return [];
  }
}
