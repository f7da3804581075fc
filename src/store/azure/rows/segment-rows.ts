// The rows of a segment: its head, its blocks, and what transaction ids were used for; and how a transaction moves the
// head.

import type { Entry, SegmentStatus } from "../../../core/entry.ts";
import { corruptData } from "../../../core/errors.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { cutData, dataPropertyNames } from "../../../codec/block.ts";
import { decodeEntry, encodeEntry } from "../../../codec/entry.ts";
import type { ProducerState, StreamState } from "../../../core/stream.ts";
import { changedStream } from "../../../core/stream.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { bytesIn, decoder, numberIn, textIn } from "../../../table/row-values.ts";
import type { Format } from "./format.ts";
import type { TransactionSummary, RecordSummary } from "./log-rows.ts";
import { hasEntries, numberBefore } from "./log-rows.ts";
import { checkFormat, formatFirst, formatLatest, formatOf } from "./format.ts";
import { segmentRowOf } from "./keys.ts";
import { isMarker, kindProperty } from "./markers.ts";
import { decodeStream, encodeStream } from "./stream-rows.ts";

/** A segment's head row: the status, and the transaction that made it so. */
export interface SegmentHead {
  /** The sequence of the first entry that is there, or will be: one after the last where all were trimmed. */
  readonly firstSequence: number;
  /**
   * How far trims of the segment itself went, as a first sequence: a trim of its space moves the first sequence alone.
   */
  readonly ownFirst: number;
  /** The timestamp of the first entry that is there; where all were trimmed, of the last that was. */
  readonly firstTimestamp: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  /** Number and id of the last transaction; 0 and empty before the first. */
  readonly transactionNumber: number;
  readonly transactionId: string;
  /** The timestamp of the last transaction where it had no entries; 0: it had some. */
  readonly changedAt: number;
  /** The segment's state as a stream; undefined: it is no stream. */
  readonly stream: StreamState | undefined;
  /** The last redaction in it, as the log's head counts them; absent: there was none. */
  readonly redactions?: number | undefined;
  /** The least format that the row was written in; it never goes back. */
  readonly format: Format;
}

export const emptySegment: SegmentHead = {
  firstSequence: 1,
  ownFirst: 1,
  firstTimestamp: 0,
  lastSequence: 0,
  lastTimestamp: 0,
  transactionNumber: 0,
  transactionId: "",
  changedAt: 0,
  stream: undefined,
  format: 1,
};

export const headProperties: readonly string[] = ["v", "fs", "ow", "ft", "l", "lt", "tn", "ti", "at", "st", "rd"];
export const blockProperties: readonly string[] = ["v", kindProperty, "g", "f", "lost", ...dataPropertyNames];

/** A last entry up to this size, bytes, rides in the head, so that peek is one point read. */
const lastEntryBytesMax = 32 * 1024;

export function encodeSegmentHead(head: SegmentHead, lastEntry: Entry | undefined): Properties {
  // The encoding of one entry cannot say that it was redacted.
  const entry = lastEntry === undefined || lastEntry.redacted === true ? undefined : encodeEntry(lastEntry);
  return {
    v: head.format === 2 ? formatLatest : formatFirst,
    ...(head.firstSequence === 1 ? {} : { fs: BigInt(head.firstSequence) }),
    ...(head.ownFirst === 1 ? {} : { ow: BigInt(head.ownFirst) }),
    ft: BigInt(head.firstTimestamp),
    l: BigInt(head.lastSequence),
    lt: BigInt(head.lastTimestamp),
    tn: BigInt(head.transactionNumber),
    ti: head.transactionId,
    ...(head.changedAt === 0 ? {} : { at: BigInt(head.changedAt) }),
    ...(head.stream === undefined ? {} : { st: encodeStream(head.stream) }),
    ...(head.redactions === undefined ? {} : { rd: BigInt(head.redactions) }),
    ...(entry !== undefined && entry.byteLength <= lastEntryBytesMax ? { e: entry } : {}),
  };
}

export const decodeSegmentHead = decoder((row): SegmentHead => {
  checkFormat(row, "the head of a segment", 2);
  const format = formatOf(row);
  // A segment of the first format begins with an entry; a stream may have none yet.
  const min = format === 1 ? 1 : 0;
  const lastSequence = numberIn(row, "l", min, limits.headNumberMax);
  const lastTimestamp = numberIn(row, "lt", Math.min(1, lastSequence), limits.headNumberMax);
  const firstSequence = row.properties["fs"] === undefined ? 1 : numberIn(row, "fs", 1, lastSequence + 1);
  return {
    firstSequence,
    ownFirst: row.properties["ow"] === undefined ? 1 : numberIn(row, "ow", 1, firstSequence),
    format,
    firstTimestamp: numberIn(row, "ft", Math.min(1, lastSequence), lastTimestamp),
    lastSequence,
    lastTimestamp,
    // A transaction has an entry at least, or changes a stream.
    transactionNumber: numberIn(row, "tn", 1, format === 1 ? lastSequence : limits.headNumberMax),
    transactionId: textIn(row, "ti"),
    changedAt: row.properties["at"] === undefined ? 0 : numberIn(row, "at", lastTimestamp, limits.headNumberMax),
    stream: row.properties["st"] === undefined ? undefined : decodeStream(bytesIn(row, "st")),
    redactions: row.properties["rd"] === undefined ? undefined : numberIn(row, "rd", 1, limits.headNumberMax),
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
    firstSequence: head.lastSequence === 0 ? 0 : head.firstSequence,
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

/** A block without the entries before its first, which were trimmed: a reader that comes from before them is told. */
export function encodeCutBlock(firstSequence: number, data: Uint8Array): Properties {
  return { ...encodeBlockRow(firstSequence, data), ...cutAt(firstSequence) };
}

export function encodeCutTombstone(firstSequence: number, recordTimestamp: number): Properties {
  return { ...encodeTombstone(firstSequence, recordTimestamp), ...cutAt(firstSequence) };
}

function cutAt(firstSequence: number): Properties {
  return { v: formatLatest, g: BigInt(firstSequence - 1) };
}

/**
 * The last sequence that a row among the blocks says is gone: a marker's, or that of a block that lost its beginning;
 * 0: none.
 */
export const goneThrough = decoder((row): number => {
  checkFormat(row, "a block", 2);
  if (!isMarker(row)) return row.properties["g"] === undefined ? 0 : numberIn(row, "g", 1);
  const place = segmentRowOf(row.row);
  if (place?.kind !== "block") throw corruptData(`the key of marker ${row.row}`);
  return place.lastSequence;
});

/** The timestamp of the log record whose entries a tombstone stands for; undefined for an ordinary block. */
export function tombstoneOf(row: Row): number | undefined {
  return row.properties["lost"] === undefined ? undefined : numberIn(row, "lost", 1);
}

/**
 * Transactions of a block that a repair writes: each may have a row for its id. So many blocks may lie between it and
 * one that it stands for, until the repair has removed that.
 */
export const rebuiltTransactionsMax = 80;

/** Where a transaction of a segment is, and what it was. */
export interface TransactionPlace extends Omit<TransactionSummary, "keyed" | "segment"> {
  readonly timestamp: number;
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

export function placeOf(
  record: Pick<RecordSummary, "timestamp">,
  transaction: Omit<TransactionSummary, "keyed">,
): TransactionPlace {
  return {
    id: transaction.id,
    number: transaction.number,
    firstSequence: transaction.firstSequence,
    lastSequence: transaction.lastSequence,
    timestamp: record.timestamp,
    digest: transaction.digest,
    segments: transaction.segments,
    ...(transaction.change === undefined ? {} : { change: transaction.change }),
  };
}

/** How far a transaction brings its producer, if it has one. */
export function movedProducer({
  change,
  timestamp,
}: TransactionPlace): { readonly id: string; readonly state: ProducerState } | undefined {
  if (change?.kind !== "append" || change.producer === undefined) return undefined;
  const { id, epoch, sequence } = change.producer;
  return { id, state: { epoch, sequence, timestamp, life: change.life } };
}

/** Whether the state has the transaction, or it comes next. */
export function follows(state: SegmentHead, place: TransactionPlace): boolean {
  if (place.number <= state.transactionNumber) return true;
  if (numberBefore(place) !== state.transactionNumber) return false;
  return beginsSegment(state, place) || place.firstSequence === state.lastSequence + 1;
}

/** A segment begins at any sequence with what was restored to it. */
function beginsSegment(state: SegmentHead, { change }: TransactionPlace): boolean {
  return change?.kind === "restore" && state.lastSequence === 0;
}

/** The state after a transaction; the same when it has it already. */
export function advance(state: SegmentHead, place: TransactionPlace): SegmentHead {
  if (place.number <= state.transactionNumber) return state;
  if (!follows(state, place)) {
    throw corruptData(
      `transaction ${place.id} (${place.firstSequence} to ${place.lastSequence}) does not follow sequence ${state.lastSequence}`,
    );
  }
  const { change, firstSequence, lastSequence, timestamp } = place;
  const entries = !hasEntries(place)
    ? { changedAt: timestamp }
    : {
        changedAt: 0,
        firstSequence: beginsSegment(state, place) ? firstSequence : state.firstSequence,
        firstTimestamp: state.firstSequence > state.lastSequence ? timestamp : state.firstTimestamp,
        lastSequence,
        lastTimestamp: timestamp,
      };
  const stream = changedStream(state.stream, change, { timestamp, firstSequence });
  return {
    ...state,
    ...entries,
    transactionNumber: place.number,
    transactionId: place.id,
    stream,
    format: change === undefined ? state.format : 2,
  };
}
