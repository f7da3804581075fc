// Names and ids as types that prove they were checked. Only the parsers here make them.

import { invalidArgument } from "./errors.ts";
import { limits } from "./limits.ts";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A store: a UUID in lower case with dashes. */
export type StoreId = Brand<string, "StoreId">;
/** A space of a store: 1 to 96 bytes of UTF-8; see `parseSpaceName`. */
export type SpaceName = Brand<string, "SpaceName">;
/** A segment of a space: 1 to 144 bytes of UTF-8; see `parseSegmentName`. */
export type SegmentName = Brand<string, "SegmentName">;
/** How names of segments begin: 1 to 144 bytes of UTF-8. */
export type SegmentPrefix = Brand<string, "SegmentPrefix">;
/** A transaction: a UUID in lower case with dashes. */
export type TransactionId = Brand<string, "TransactionId">;
/** An instance of the application that commits: a UUID in lower case with dashes. */
export type NodeId = Brand<string, "NodeId">;
/** A consumer: named as a space is. */
export type ConsumerName = Brand<string, "ConsumerName">;
/** A worker of a consumer: 1 to 256 bytes of UTF-8 without control characters. */
export type WorkerName = Brand<string, "WorkerName">;
/** A lease: named as a space is. */
export type LeaseKey = Brand<string, "LeaseKey">;
/** The holder of a lease: a name that the caller chooses, another one for each process that contends. */
export type LeaseHolder = Brand<string, "LeaseHolder">;
/** A subscription of a store: 1 to 128 letters, digits and `._:-`. */
export type SubscriptionId = Brand<string, "SubscriptionId">;
/** A job: a UUID in lower case with dashes. */
export type JobId = Brand<string, "JobId">;
/** A place in the order of a space, in hex; empty before the first entry. Made and read by `codec/cursor`. */
export type Cursor = Brand<string, "Cursor">;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
// C0, DEL and C1.
const controlPattern = /[\u0000-\u001f\u007f-\u009f]/;

const subscriptionIdPattern = /^[A-Za-z0-9._:-]{1,128}$/;

export const nameRule = "valid Unicode without control characters and without %, and neither . nor ..";

export function parseStoreId(text: string): StoreId {
  return parseUuid("store", text) as StoreId;
}

export function parseTransactionId(text: string, field = "transaction id"): TransactionId {
  return parseUuid(field, text) as TransactionId;
}

export function parseNodeId(text: string): NodeId {
  return parseUuid("node", text) as NodeId;
}

export function parseJobId(text: string): JobId {
  return parseUuid("job", text) as JobId;
}

/**
 * Allows what comes back identical from a URL path: no `%` (hosts re-encode paths), no `.` and `..` (URLs drop them).
 */
export function parseSpaceName(text: string): SpaceName {
  return parseName("space", text, limits.spaceNameBytesMax) as SpaceName;
}

export function parseSegmentName(text: string): SegmentName {
  return parseName("segment", text, limits.segmentNameBytesMax) as SegmentName;
}

/** A text that some segment's name may begin with. */
export function parseSegmentPrefix(text: string): SegmentPrefix {
  const bytesMax = limits.segmentNameBytesMax;
  const valid = text.isWellFormed() && !controlPattern.test(text) && !text.includes("%") && text !== "";
  if (!valid || Buffer.byteLength(text) > bytesMax) {
    throw invalidArgument("prefix", `1 to ${bytesMax} bytes of UTF-8 without control characters and without %`, text);
  }
  return text as SegmentPrefix;
}

export function parseLeaseKey(text: string): LeaseKey {
  return parseName("lease", text, limits.leaseKeyBytesMax) as LeaseKey;
}

export function parseConsumerName(text: string): ConsumerName {
  return parseName("consumer", text, limits.consumerNameBytesMax) as ConsumerName;
}

export function parseWorkerName(text: string): WorkerName {
  const bytesMax = limits.workerNameBytesMax;
  const valid = text.isWellFormed() && !controlPattern.test(text) && text !== "";
  if (!valid || Buffer.byteLength(text) > bytesMax) {
    throw invalidArgument("worker", `1 to ${bytesMax} bytes of UTF-8 without control characters`, text);
  }
  return text as WorkerName;
}

export function parseLeaseHolder(text: string): LeaseHolder {
  const bytesMax = limits.leaseHolderBytesMax;
  const valid = text.isWellFormed() && !controlPattern.test(text) && text !== "";
  if (!valid || Buffer.byteLength(text) > bytesMax) {
    throw invalidArgument("holder", `1 to ${bytesMax} bytes of UTF-8 without control characters`, text);
  }
  return text as LeaseHolder;
}

export function parseSubscriptionId(text: string): SubscriptionId {
  if (!subscriptionIdPattern.test(text)) {
    throw invalidArgument("subscription", "1 to 128 letters, digits, and . _ : -", text);
  }
  return text as SubscriptionId;
}

/** An exact integer within bounds, or `invalid_argument`. */
export function parseInteger(field: string, value: unknown, min: number, max: number = limits.sequenceMax): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
    throw invalidArgument(field, `an integer from ${min} to ${max}`, value);
  }
  return value;
}

function parseUuid(field: string, text: string): string {
  if (!uuidPattern.test(text))
    throw invalidArgument(field, "a UUID, such as 0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d", text);
  return text.toLowerCase();
}

function parseName(field: string, text: string, bytesMax: number): string {
  const expected = `1 to ${bytesMax} bytes of UTF-8: ${nameRule}`;
  if (text.length === 0 || text.length > bytesMax || !text.isWellFormed()) throw invalidArgument(field, expected, text);
  if (Buffer.byteLength(text) > bytesMax) throw invalidArgument(field, expected, text);
  if (controlPattern.test(text) || text.includes("%") || text === "." || text === "..") {
    throw invalidArgument(field, expected, text);
  }
  return text;
}
