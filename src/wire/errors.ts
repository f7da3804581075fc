// The one table of error codes and HTTP statuses, and the problem documents (RFC 9457) made from it.

import * as z from "zod";

import { StoreError } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import { committedTransactionSchema, statusSchema } from "./entries.ts";

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later. `when told`: if the error says when. */
  readonly retryable: boolean | "with_retry_after";
}

export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = {
  invalid_argument: { status: 400, title: "Invalid argument", retryable: false },
  unauthenticated: { status: 401, title: "Not authenticated", retryable: false },
  permission_denied: { status: 403, title: "Permission denied", retryable: false },
  not_found: { status: 404, title: "Not found", retryable: false },
  method_not_allowed: { status: 405, title: "Method not allowed", retryable: false },
  not_acceptable: { status: 406, title: "Not acceptable", retryable: false },
  request_timeout: { status: 408, title: "Request timeout", retryable: true },
  sequence_mismatch: { status: 409, title: "Sequence mismatch", retryable: false },
  transaction_id_mismatch: { status: 409, title: "Transaction id mismatch", retryable: false },
  stream_conflict: { status: 409, title: "Stream conflict", retryable: false },
  stream_closed: { status: 409, title: "Stream closed", retryable: false },
  lease_held: { status: 409, title: "Lease held", retryable: "with_retry_after" },
  format_not_enabled: { status: 409, title: "Format not enabled", retryable: false },
  trimmed: { status: 410, title: "Trimmed", retryable: false },
  deleted: { status: 410, title: "Deleted", retryable: false },
  record_too_large: { status: 413, title: "Record too large", retryable: false },
  uri_too_long: { status: 414, title: "URI too long", retryable: false },
  not_implemented: { status: 501, title: "Not implemented", retryable: false },
  request_too_large: { status: 413, title: "Request too large", retryable: false },
  unsupported_media_type: { status: 415, title: "Unsupported media type", retryable: false },
  throttled: { status: 429, title: "Throttled", retryable: true },
  overloaded: { status: 503, title: "Overloaded", retryable: true },
  storage_unavailable: { status: 503, title: "Storage unavailable", retryable: true },
  // Not of 5xx, nor any other that a retry policy is known to repeat.
  not_confirmed: { status: 424, title: "Not confirmed", retryable: false },
  misconfigured: { status: 503, title: "Misconfigured", retryable: true },
  corrupt_data: { status: 500, title: "Corrupt data", retryable: false },
  internal: { status: 500, title: "Internal error", retryable: false },
};

export const errorCodes = Object.keys(errorKinds) as readonly ErrorCode[];

/** When nothing better is known, seconds. */
const retryAfterSecondsDefault = 1;

export const problemSchema = z
  .looseObject({
    type: z
      .string()
      .meta({ description: "Names the kind of problem.", examples: ["urn:streamkit:problem:sequence_mismatch"] }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: "What happened, for people.", "x-ms-primary-error-message": true }),
    code: z
      .enum(errorCodes as [ErrorCode, ...ErrorCode[]])
      .meta({ title: "ErrorCode", description: "Stable: what programs match." }),
    retryable: z.boolean().meta({ description: "Whether the same request may succeed later." }),
    // Clients that were made by a generator read one that is absent as the first.
    effect: z.enum(["unknown", "none", "committed", "partial"]).optional().meta({
      description:
        "What became of a write. unknown: it may have happened or may still happen, repeat it with the same Idempotency-Key. none: it did not happen and never will. committed: it is durable and will be visible; repeat it with the same key to wait for that. partial: the first `committedRecords` records are committed, nothing else of it is or will be.",
    }),
    requestId: z.string().optional().meta({ description: "The id of the request in the logs." }),
    field: z.string().optional().meta({ description: "What of the request is wrong." }),
    // No type on purpose: some generators read only the first of two types, and fail at a problem with the other.
    expected: z.unknown().optional().meta({
      description: "What would have been right: in words; of `sequence_mismatch` the sequence, an integer.",
    }),
    received: z.int().optional().meta({ description: "The sequence, or the lease's token, that was sent." }),
    lastSequence: z.int().optional().meta({ description: "Where the segment ends." }),
    winner: z.string().optional().meta({ description: "The transaction that holds the sequence that was sent." }),
    // No type, for the same reason.
    earliest: z.unknown().optional().meta({
      description: "What to go on from: of a segment the sequence, an integer; of a space the offset.",
    }),
    trimmed: z
      .array(z.object({ space: z.string(), earliest: z.string() }))
      .optional()
      .meta({
        description: "Of several spaces those of which something was trimmed, each with the offset to go on from.",
      }),
    restorableUntil: z.string().optional().meta({ description: "What was deleted can be restored until then." }),
    store: z.string().optional().meta({ description: "The store that was deleted." }),
    segment: z.string().optional().meta({ description: "The one of several that did not fit." }),
    space: z.string().optional().meta({ description: "The one of several that failed, or that was deleted." }),
    transactionId: z.string().optional().meta({ description: "The key that was used with other records." }),
    transactions: z.array(committedTransactionSchema).optional().meta({
      description: "What was committed before that which failed.",
    }),
    committedRecords: z.int().optional().meta({
      description: "So many records, from the first of the request on, are committed.",
    }),
    segmentStatus: statusSchema.optional(),
    reason: z.string().optional().meta({ description: "The code of what was behind it." }),
    limit: z.int().optional(),
    size: z.int().optional(),
    unit: z.string().optional().meta({ description: "What `limit` and `size` count." }),
    ms: z.int().optional().meta({ description: "How long it was waited." }),
    holder: z.string().optional().meta({ description: "Who holds the lease." }),
    remainingMs: z.int().optional().meta({ description: "How long it may still be held." }),
    key: z.string().optional().meta({ description: "The lease." }),
    token: z.int().optional().meta({ description: "The token of the lease that has written to the space." }),
    permission: z.string().optional().meta({ description: "The one that is missing." }),
    allowed: z.array(z.string()).optional().meta({ description: "The methods that the path takes." }),
    offered: z.array(z.string()).optional().meta({ description: "The forms of an answer that there are." }),
    accepted: z.array(z.string()).optional().meta({ description: "The forms of a body that are taken." }),
    acceptedEncodings: z.array(z.string()).optional().meta({ description: "The codings of a body that are taken." }),
  })
  .meta({
    id: "Problem",
    description: "RFC 9457. Which members there are besides the first depends on the code.",
  });

export type Problem = z.infer<typeof problemSchema>;

/**
 * The most characters of a caller's text that an error tells back. Without its list of committed chunks a problem stays
 * below 4 KiB.
 */
const textCharactersMax = 400;

/** Anything but a StoreError is a mistake of ours: nobody knows what it left behind. */
export function asKnown(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("internal", "Something went wrong here.", { effect: "unknown", cause: error });
}

/** Something was wrong here or at the storage, not with what the caller sent. */
export function isFailure(code: ErrorCode): boolean {
  return errorKinds[code].status >= 500 || code === "not_confirmed";
}

/** The problem that a caller gets for an error. For a mistake of ours it has no more than the request id. */
export function problemOf(error: unknown, requestId: string | undefined): Problem {
  const known = asKnown(error);
  const kind = errorKinds[known.code];
  const hidden = kind.status === 500;
  const mayRetry = kind.retryable === "with_retry_after" ? known.retryAfterMs !== undefined : kind.retryable;
  const retryable = mayRetry || (known.effect === "committed" && known.code !== "not_confirmed");
  const own = {
    type: `urn:streamkit:problem:${known.code}`,
    title: kind.title,
    status: kind.status,
    detail: shown(hidden ? hiddenDetail(known.code, requestId) : known.message),
    code: known.code,
    retryable,
    ...(kind.status >= 429 || known.effect !== "none" ? { effect: known.effect } : {}),
    ...(requestId === undefined ? {} : { requestId }),
  };
  // First for the order of the members, last so that details cannot change them.
  const { details } = known;
  const members = hidden ? ("space" in details ? { space: details["space"] } : {}) : details;
  return { ...own, ...shownMembers(members), ...own };
}

function shownMembers(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [name, typeof value === "string" ? shown(value) : value]),
  );
}

/** Not too long, without control characters, and valid Unicode wherever it was cut. */
function shown(text: string): string {
  const short = text.length > textCharactersMax ? `${text.slice(0, textCharactersMax - 3)}...` : text;
  return short.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd").toWellFormed();
}

/** Whether it is known when a repeat may succeed: true for all codes that `retryAfterSeconds` has a time for. */
export function mayRetryAfter(code: ErrorCode): boolean {
  return errorKinds[code].retryable !== false;
}

/** The value of `Retry-After`, seconds; undefined where a repeat is useless. */
export function retryAfterSeconds(error: unknown): number | undefined {
  if (!(error instanceof StoreError)) return undefined;
  if (error.retryAfterMs !== undefined) return Math.max(1, Math.ceil(error.retryAfterMs / 1_000));
  return errorKinds[error.code].status === 429 || errorKinds[error.code].status === 503
    ? retryAfterSecondsDefault
    : undefined;
}

function hiddenDetail(code: ErrorCode, requestId: string | undefined): string {
  const what = code === "corrupt_data" ? "Stored data cannot be read" : "The request could not be completed";
  return requestId === undefined ? `${what}.` : `${what}. The log has more about request ${requestId}.`;
}
