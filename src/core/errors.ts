// The errors of the store: a stable code for programs, a sentence for people, and whether the effect may have happened.

import type { Cursor, SegmentName, SpaceName, StoreId, TransactionId } from "./ids.ts";
import { limits } from "./limits.ts";

/** Stable: clients match on these. The HTTP status of each is in `wire/`. */
export type ErrorCode =
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "method_not_allowed"
  | "sequence_mismatch"
  | "transaction_id_mismatch"
  | "lease_held"
  | "stream_closed"
  | "stream_conflict"
  | "trimmed"
  | "deleted"
  | "format_not_enabled"
  | "record_too_large"
  | "uri_too_long"
  | "not_implemented"
  | "request_timeout"
  | "request_too_large"
  | "unsupported_media_type"
  | "not_acceptable"
  | "throttled"
  | "overloaded"
  | "storage_unavailable"
  | "not_confirmed"
  | "misconfigured"
  | "corrupt_data"
  | "internal";

/**
 * The outcome of a write that was answered with an error. `none`: it did not happen and never will. `unknown`: it may
 * have happened or may still happen. `committed`: it is durable, but not yet visible everywhere; a repeat with the same
 * transaction id completes it. `partial`: its first records are committed; nothing else of it is, or will be.
 */
export type Effect = "none" | "unknown" | "committed" | "partial";

export interface StoreErrorOptions {
  /** Default `none`. */
  readonly effect?: Effect;
  readonly cause?: unknown;
  /** When to try again, milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Further facts for the caller: plain JSON values, never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class StoreError extends Error {
  override readonly name: string = "StoreError";
  readonly code: ErrorCode;
  readonly effect: Effect;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.effect = options.effect ?? "none";
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
  }
}

/** A value that a caller gave is not acceptable: `field` names it, `expected` says what would be. */
export function invalidArgument(field: string, expected: string, received?: unknown): StoreError {
  const shown = received === undefined ? "" : `; received ${shorten(received)}`;
  // A part of it may be a caller's key, of any length.
  const name = field.length > 150 ? `${field.slice(0, 147)}...` : field;
  return new StoreError("invalid_argument", `${name}: expected ${expected}${shown}.`, {
    details: { field: name, expected },
  });
}

/** `field` names the record. Without a size it is so much larger that it was not looked at to its end. */
export function recordTooLarge(field: string, size?: number): StoreError {
  const limit = limits.recordBytesMax;
  const has = size === undefined ? "far more" : `${size} bytes`;
  return new StoreError(
    "record_too_large",
    `${field}: payload and metadata have ${has}, at most ${limit} bytes are allowed.`,
    { details: { field, limit, ...(size === undefined ? {} : { size }) } },
  );
}

/** Stored bytes that cannot be what this project wrote. */
export function corruptData(what: string, cause?: unknown): StoreError {
  return new StoreError("corrupt_data", `Stored data cannot be read: ${what}.`, { cause });
}

/** Reads stored data with a parser that is made for callers: a refusal means damage here, never a caller's mistake. */
export function readStored<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof StoreError && error.code === "invalid_argument") throw corruptData(what, error);
    throw error;
  }
}

/** A row of a later format: nothing is wrong with it, and it is not for this version to read or rewrite. */
export class NewerFormat extends StoreError {
  constructor(what: string, stored: bigint, known: bigint) {
    super(
      "storage_unavailable",
      `The stored format ${stored.toString()} of ${what} is newer than this version knows (${known.toString()}). Deploy the newer version on every instance.`,
      { retryAfterMs: 30_000 },
    );
  }
}

/** It is about that one row, whether damaged or newer than this version: what is beside it can be read all the same. */
export function isUnreadable(error: unknown): error is StoreError {
  return error instanceof NewerFormat || (error instanceof StoreError && error.code === "corrupt_data");
}

export interface SequenceMismatch {
  readonly segment: SegmentName;
  /** The first sequence that would have been accepted. */
  readonly expected: number;
  readonly received: number;
  readonly lastSequence: number;
  /** The transaction that holds the received sequence, if one does. */
  readonly winner: TransactionId | undefined;
}

export function sequenceMismatch(mismatch: SequenceMismatch): StoreError {
  const { segment, expected, received, lastSequence, winner } = mismatch;
  const taken = winner === undefined ? "" : ` Sequence ${received} belongs to transaction ${winner}.`;
  return new StoreError(
    "sequence_mismatch",
    `Segment ${shorten(segment)} ends at sequence ${lastSequence}: expected the next record to have sequence ${expected}, received ${received}.${taken}`,
    { details: { segment, expected, received, lastSequence, ...(winner === undefined ? {} : { winner }) } },
  );
}

/**
 * The next thing to read was trimmed. `earliest` is what there is: a sequence, or in a space the offset that it
 * follows.
 */
export function trimmed(what: string, earliest: number | Cursor): StoreError {
  return new StoreError(
    "trimmed",
    `The next entries of ${what} were trimmed. Go on from the place in earliest, or read with clamp=true to skip what was trimmed.`,
    { details: { earliest } },
  );
}

/** The kind of object that was deleted. */
export type DeletedSubject = { readonly store: StoreId } | { readonly space: SpaceName };

/** The object of the call was deleted; `restorableUntil`, milliseconds since 1970: until then it can be restored. */
export function deleted(subject: DeletedSubject, restorableUntil?: number): StoreError {
  const what = "store" in subject ? `Store ${subject.store}` : `Space ${shorten(subject.space)}`;
  const until = restorableUntil === undefined ? undefined : new Date(restorableUntil).toISOString();
  const then = until === undefined ? "It cannot be restored." : `It can be restored until ${until}.`;
  return new StoreError("deleted", `${what} was deleted. ${then}`, {
    details: { ...subject, ...(until === undefined ? {} : { restorableUntil: until }) },
  });
}

/** The call needs a format that the deployment does not write yet. */
export function formatNotEnabled(what: string): StoreError {
  return new StoreError(
    "format_not_enabled",
    `${what} needs format 2 of what is stored. Set STREAMKIT_FORMAT to 2 when all instances run this version.`,
  );
}

/** Nothing is ever appended to a stream that was closed, or has ended. */
export function streamClosed(): StoreError {
  return new StoreError(
    "stream_closed",
    "The segment is a stream that was closed, or has ended: nothing can be appended to it. Write to another segment, or make the stream anew once it has ended.",
  );
}

export function transactionIdMismatch(id: TransactionId): StoreError {
  return new StoreError(
    "transaction_id_mismatch",
    `Transaction ${id} is already in this segment with other content. Use a new id for new content; repeat an id only with the same records.`,
    { details: { transactionId: id } },
  );
}

/**
 * The same failure, and of which space it is: for those who asked for several. Anything but a store's error stays as it
 * is.
 */
export function inSpace(space: SpaceName, error: unknown): unknown {
  if (!(error instanceof StoreError) || "space" in error.details) return error;
  const { code, message, effect, retryAfterMs, details } = error;
  return new StoreError(code, message, {
    effect,
    cause: error,
    details: { ...details, space },
    retryAfterMs,
  });
}

/** A newer holder of the lease has written to the space, or was granted the lease: `token` is its token. */
export function leaseSuperseded(key: string, token: number, received: number): StoreError {
  return new StoreError(
    "lease_held",
    `Lease ${shorten(key)} has a newer holder: expected token ${token} or later, received ${received}. Acquire the lease again.`,
    { details: { key, token, received } },
  );
}

/**
 * Something of it happened, or may have, and a repeat would do it once more: in the place of an error that callers
 * repeat by themselves.
 */
export function notConfirmed(cause: StoreError): StoreError {
  const { code, effect } = cause;
  return new StoreError("not_confirmed", sentenceOf(cause), { effect, cause, details: { reason: code } });
}

function sentenceOf({ code, effect }: StoreError): string {
  switch (effect) {
    case "committed":
      return `The records are durable and readers will see them, but the service could not wait for that (${code}). Do not send them again.`;
    case "partial":
      return `Some of the records are committed, the others are not and will not be (${code}). Send only the others again. With an Idempotency-Key the whole request may be repeated.`;
    default:
      return `The service does not know whether this was done, and it may still be (${code}). Look before you send it again. With an Idempotency-Key the same request may be repeated.`;
  }
}

/** Another has the lease, and may have it for so long. */
export function leaseHeld(holder: string, remainingMs: number): StoreError {
  return new StoreError("lease_held", `The lease is held by ${shorten(holder)}.`, {
    retryAfterMs: remainingMs,
    details: { holder, remainingMs },
  });
}

/** A token that nobody was given: `last` is that of the last grant, 0 without one. */
export function leaseNotGranted(key: string, last: number, received: number): StoreError {
  const granted = last === 0 ? "was never granted" : `was granted up to token ${last}`;
  return new StoreError(
    "invalid_argument",
    `leaseToken: lease ${shorten(key)} ${granted}, received token ${received}. Give the token of the grant.`,
    { details: { field: "leaseToken", expected: "a token that the lease was granted with", token: last, received } },
  );
}

/** For the `default` of a switch over a union: a new member breaks the build here. */
export function unreachable(value: never): never {
  throw new StoreError("internal", `Unexpected value: ${shorten(value)}.`);
}

/** Never more than is shown is looked at: the value may be a caller's, and as large as a body. */
function shorten(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 120)) : String(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
