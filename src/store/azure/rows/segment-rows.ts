// The rows of a segment: its head, its blocks, and what transaction ids were used for.

import type { Entry, SegmentStatus } from "../../../core/entry.ts";
import { corruptData } from "../../../core/errors.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { cutData, dataPropertyNames } from "../../../codec/block.ts";
import { decodeEntry, encodeEntry } from "../../../codec/entry.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { bytesIn, decoder, numberIn, textIn } from "../../../table/row-values.ts";
import { checkFormat, formatFirst } from "./format.ts";

/** What a segment's head row says: the status, and the transaction that made it so. */
export interface SegmentHead {
  readonly firstTimestamp: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  /** Number and id of the last transaction; 0 and empty before the first. */
  readonly transactionNumber: number;
  readonly transactionId: string;
}

export const emptySegment: SegmentHead = {
  firstTimestamp: 0,
  lastSequence: 0,
  lastTimestamp: 0,
  transactionNumber: 0,
  transactionId: "",
};

export const headProperties: readonly string[] = ["v", "ft", "l", "lt", "tn", "ti"];
export const blockProperties: readonly string[] = ["v", "f", "lost", ...dataPropertyNames];

/** A last entry up to this size, bytes, rides in the head, so that peek is one point read. */
const lastEntryBytesMax = 32 * 1024;

export function encodeSegmentHead(head: SegmentHead, lastEntry: Entry | undefined): Properties {
  const entry = lastEntry === undefined ? undefined : encodeEntry(lastEntry);
  return {
    v: formatFirst,
    ft: BigInt(head.firstTimestamp),
    l: BigInt(head.lastSequence),
    lt: BigInt(head.lastTimestamp),
    tn: BigInt(head.transactionNumber),
    ti: head.transactionId,
    ...(entry !== undefined && entry.byteLength <= lastEntryBytesMax ? { e: entry } : {}),
  };
}

export const decodeSegmentHead = decoder((row): SegmentHead => {
  checkFormat(row, "the head of a segment");
  const lastSequence = numberIn(row, "l", 1, limits.headNumberMax);
  const lastTimestamp = numberIn(row, "lt", 1, limits.headNumberMax);
  return {
    firstTimestamp: numberIn(row, "ft", 1, lastTimestamp),
    lastSequence,
    lastTimestamp,
    // A transaction has an entry at least.
    transactionNumber: numberIn(row, "tn", 1, lastSequence),
    transactionId: textIn(row, "ti"),
  };
});

/** The last entry, when it is small enough to be in the head. */
export const lastEntryOf = decoder((row): Entry | undefined => {
  const entry = row.properties["e"];
  return entry instanceof Uint8Array ? decodeEntry(entry) : undefined;
});

export function statusOf(space: SpaceName, segment: SegmentName, head: SegmentHead): SegmentStatus {
  return {
    space,
    segment,
    firstSequence: head.lastSequence === 0 ? 0 : 1,
    firstTimestamp: head.firstTimestamp,
    lastSequence: head.lastSequence,
    lastTimestamp: head.lastTimestamp,
  };
}

export function encodeBlockRow(firstSequence: number, data: Uint8Array): Properties {
  return { v: formatFirst, f: BigInt(firstSequence), ...cutData(data) };
}

/** In place of entries that cannot be read: where their log record is. */
export function encodeTombstone(firstSequence: number, recordTimestamp: number): Properties {
  return { v: formatFirst, f: BigInt(firstSequence), lost: BigInt(recordTimestamp) };
}

/** The timestamp of the log record whose entries a tombstone stands for; undefined for an ordinary block. */
export function tombstoneOf(row: Row): number | undefined {
  return row.properties["lost"] === undefined ? undefined : numberIn(row, "lost", 1);
}

/** Where a transaction of a segment is, and what it was. */
export interface TransactionPlace {
  readonly id: TransactionId;
  readonly number: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timestamp: number;
  readonly digest: string;
  /** How many segments the id was committed to at once. */
  readonly segments: number;
}

export function encodeTransactionRow(place: TransactionPlace): Properties {
  return {
    v: formatFirst,
    tn: BigInt(place.number),
    f: BigInt(place.firstSequence),
    l: BigInt(place.lastSequence),
    ts: BigInt(place.timestamp),
    d: Buffer.from(place.digest, "hex"),
    sg: BigInt(place.segments),
  };
}

export const decodeTransactionRow = decoder((row, id: TransactionId): TransactionPlace => {
  checkFormat(row, "a transaction's row");
  const digest = bytesIn(row, "d");
  if (digest.byteLength !== 16) throw corruptData(`the digest of transaction ${id}`);
  const firstSequence = numberIn(row, "f", 1);
  return {
    id,
    number: numberIn(row, "tn", 1),
    firstSequence,
    lastSequence: numberIn(row, "l", firstSequence),
    timestamp: numberIn(row, "ts", 1),
    digest: Buffer.from(digest).toString("hex"),
    segments: numberIn(row, "sg", 1),
  };
});
