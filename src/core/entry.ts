// The things that callers write and read: records, entries, transactions and the status of a segment.

import { recordTooLarge } from "./errors.ts";
import { limits } from "./limits.ts";
import type { NodeId, SegmentName, SpaceName, TransactionId } from "./ids.ts";

/** Application data beside the payload. Any well-formed strings; order carries no meaning. */
export type Metadata = ReadonlyMap<string, string>;

export const noMetadata: Metadata = new Map();

/** A record that a caller appends. Without a sequence it goes to the tail of its segment. */
export interface AppendRecord {
  /** 1, 2, 3 ...: must continue the segment exactly. All records of a request have one, or none has. */
  readonly sequence?: number;
  readonly payload: Uint8Array;
  readonly metadata: Metadata;
}

/** The transaction that an entry was committed by: one produce chunk of one segment. */
export interface Transaction {
  readonly id: TransactionId;
  /** The instance that committed it. */
  readonly node: NodeId;
  /** 1, 2, 3 ... per segment. */
  readonly number: number;
}

/** A committed record. */
export interface Entry {
  /** 1, 2, 3 ... per segment, no gaps. */
  readonly sequence: number;
  /** Milliseconds since 1970; strictly increasing from commit to commit of a space. */
  readonly timestamp: number;
  readonly trx: Transaction;
  readonly payload: Uint8Array;
  readonly metadata: Metadata;
  readonly space: SpaceName;
  readonly segment: SegmentName;
  /** Its payload and metadata were removed for good; both are empty. */
  readonly redacted?: boolean;
}

/**
 * Where a segment begins and ends; all numbers are 0 when it never had an entry. When all were trimmed it begins after
 * its end, at the time of its last entry.
 */
export interface SegmentStatus {
  readonly space: SpaceName;
  readonly segment: SegmentName;
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
}

export function emptyStatus(space: SpaceName, segment: SegmentName): SegmentStatus {
  return { space, segment, firstSequence: 0, firstTimestamp: 0, lastSequence: 0, lastTimestamp: 0 };
}

/**
 * The size that limits speak of, bytes: the payload, and for each pair of the metadata its UTF-8 and the 8 bytes of its
 * two lengths. A function of the content alone, so that chunk boundaries are the same in every retry.
 */
export function contentBytes(record: { readonly payload: Uint8Array; readonly metadata: Metadata }): number {
  let bytes = record.payload.byteLength;
  for (const [key, value] of record.metadata) bytes += pairBytes(key, value);
  return bytes;
}

export function pairBytes(key: string, value: string): number {
  return 8 + Buffer.byteLength(key) + Buffer.byteLength(value);
}

/** The size of a record that a store may take; `field` names it in the `record_too_large` of any other. */
export function checkedBytes(record: AppendRecord, field: string): number {
  const size = contentBytes(record);
  if (size > limits.recordBytesMax) throw recordTooLarge(field, size);
  return size;
}
