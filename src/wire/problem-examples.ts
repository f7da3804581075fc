// A problem of each kind, for the description: made as the real ones are made.

import {
  deleted,
  formatNotEnabled,
  invalidArgument,
  leaseHeld,
  notConfirmed,
  recordTooLarge,
  sequenceMismatch,
  StoreError,
  streamClosed,
  transactionIdMismatch,
  trimmed,
} from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { SegmentName, SpaceName, TransactionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { problemOf } from "./errors.ts";
import type { Problem } from "./errors.ts";

const id = "7f0c2f1e-3a52-4a57-9c55-0d4c8a9d1b11" as TransactionId;
const requestId = "0af8e3d9-182c-4109-a555-dbed202169c5";

const errors: Readonly<Partial<Record<ErrorCode, StoreError>>> = {
  invalid_argument: invalidArgument("limit", "an integer from 0 to 9007199254740991", "ten"),
  sequence_mismatch: sequenceMismatch({
    ...{ segment: "order-1" as SegmentName, expected: 3, received: 2, lastSequence: 2 },
    winner: id,
  }),
  transaction_id_mismatch: transactionIdMismatch(id),
  lease_held: leaseHeld("worker-7", 12_000),
  stream_closed: streamClosed(),
  trimmed: trimmed('segment "order-1"', 4),
  deleted: deleted({ space: "orders" as SpaceName }, Date.UTC(2026, 0, 8)),
  format_not_enabled: formatNotEnabled("A trim"),
  record_too_large: recordTooLarge("records[0]", limits.recordBytesMax + 1),
  request_too_large: new StoreError("request_too_large", "The body has more bytes than the limit.", {
    details: { size: limits.requestBytesMax + 1, limit: limits.requestBytesMax },
  }),
  not_confirmed: notConfirmed(new StoreError("storage_unavailable", "It did not answer.", { effect: "unknown" })),
  storage_unavailable: new StoreError("storage_unavailable", "The storage account did not answer.", {
    effect: "none",
  }),
  unsupported_media_type: new StoreError(
    "unsupported_media_type",
    'Content-Type: expected application/json in UTF-8; received "text/plain".',
    { details: { accepted: ["application/json"] } },
  ),
  method_not_allowed: new StoreError("method_not_allowed", "This path takes GET, HEAD, OPTIONS, not PATCH.", {
    details: { allowed: ["GET", "HEAD", "OPTIONS"] },
  }),
  not_acceptable: new StoreError("not_acceptable", "Accept: expected one of application/json.", {
    details: { offered: ["application/json"] },
  }),
};

/** An example of the problem that has this code. */
export function problemExample(code: ErrorCode): Problem {
  return problemOf(errors[code] ?? new StoreError(code, sentences[code] ?? "It cannot be done."), requestId);
}

const sentences: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthenticated: "Authorization: expected a bearer token.",
  permission_denied: "No permission to write in this store.",
  not_found: "There is no subscription billing.",
  throttled: "The storage account asks for fewer requests. Try again a little later.",
  overloaded: "Too much waits to be committed. Try again a little later.",
};
