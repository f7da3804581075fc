// The rows of a space's log: its head, and its records. Every later version must read what is written here.

import { isUtf8 } from "node:buffer";

import * as z from "zod";

import { corruptData, readStored } from "../../../core/errors.ts";
import type { StoreError } from "../../../core/errors.ts";
import type { NodeId, SegmentName, TransactionId } from "../../../core/ids.ts";
import { parseSegmentName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { SegmentChange } from "../../../core/stream.ts";
import { cutData } from "../../../codec/block.ts";
import { asBuffer } from "../../../codec/bytes.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { bytesIn, decoder, numberIn, textIn, uuidIn } from "../../../table/row-values.ts";
import type { Format, Counts } from "./format.ts";
import { checkFormat, formatFirst, formatLatest, formatOf, decodeCounts, encodeCounts } from "./format.ts";
import { changeBytes, decodeChanges, encodeChanges } from "./stream-rows.ts";
import { logMarkerProperties } from "./markers.ts";
import { mergedProperties } from "./merged-rows.ts";
import type { Ending } from "./endings.ts";
import { decodeEnding, encodeEnding } from "./endings.ts";
import type { Pending } from "./pending.ts";
import { decodePending, encodePending, nothingPending } from "./pending.ts";
import { dashed, timestampOfRow } from "./keys.ts";

/** One version of a log, with all that its next commit needs to know. */
export interface LogHead {
  /** Records in the log. */
  readonly count: number;
  /** Timestamp of the last record, 0 if none. */
  readonly timestamp: number;
  /** Id of the last record, empty if none. */
  readonly recordId: string;
  /** Whether the log is listed as open, so that the monitor visits it. */
  readonly registered: boolean;
  readonly unapplied: Pending;
  readonly unnotified: Pending;
  /** The greatest token of each lease that has committed to the space; the one used last comes last. */
  readonly fences: ReadonlyMap<string, number>;
  /** Timestamp of the last record when a key was dropped from them last; 0: never. */
  readonly droppedAt: number;
  /** The least format that the row was written in; it never goes back. */
  readonly format: Format;
  /** How much the space has had up to the last record; undefined: nobody has counted, which is not 0. */
  readonly counts: Counts | undefined;
  /**
   * The space was deleted: until all of it is removed nothing of it is shown, and nothing is committed to it.
   * `removed`: nothing was committed since, and the next record begins a new life of it.
   */
  readonly ending?: Ending | undefined;
  /**
   * The record after which its present life began; absent: it is the first. What is remembered of another life is of
   * nothing that is there.
   */
  readonly life?: number | undefined;
  /**
   * How many redactions have rewritten its records; absent: none. A picture of the log that was begun before one was
   * counted may have what is gone.
   */
  readonly redactions?: number | undefined;
}

export const emptyLog: LogHead = {
  count: 0,
  timestamp: 0,
  recordId: "",
  registered: false,
  unapplied: nothingPending,
  unnotified: nothingPending,
  fences: new Map(),
  droppedAt: 0,
  format: 1,
  counts: undefined,
};

/** One transaction as its log record's summary tells it, without the entries. */
export interface TransactionSummary {
  readonly segment: SegmentName;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly number: number;
  readonly id: TransactionId;
  /** Digest of the records' content; see `codec/transaction`. */
  readonly digest: string;
  /** How many segments this id was committed to at once. */
  readonly segments: number;
  /** The caller gave the id: what it was used for is kept beside the segment. */
  readonly keyed: boolean;
  /**
   * What it changes of the segment beside its entries, which may then be none: `lastSequence` is one less than
   * `firstSequence`.
   */
  readonly change?: SegmentChange | undefined;
}

/** Whether the transaction has entries: one that only changes a stream has none. */
export function hasEntries({
  firstSequence,
  lastSequence,
}: Pick<TransactionSummary, "firstSequence" | "lastSequence">): boolean {
  return lastSequence >= firstSequence;
}

/** The number of the transaction of its segment that comes before it; 0: none. */
export function numberBefore({ change, number }: Pick<TransactionSummary, "change" | "number">): number {
  return change?.kind === "restore" ? change.after : number - 1;
}

/** One log record without its data. */
export interface RecordSummary {
  readonly timestamp: number;
  /** A new one for each attempt to commit. */
  readonly recordId: string;
  readonly node: NodeId;
  /** Which record of the log it is: 1, 2, 3 ... */
  readonly position: number;
  /** In the order of (segment as UTF-8, sequence). */
  readonly transactions: readonly TransactionSummary[];
  /** How much the space has had up to this record; absent: nobody has counted. */
  readonly counts?: Counts | undefined;
  /** It is the first record of the space since all that the space had was removed. */
  readonly beginsLife?: boolean;
}

export const summaryProperties: readonly string[] = [
  ...logMarkerProperties,
  ...mergedProperties,
  ...["node", "s", "c", "new"],
];

export function encodeLogHead(head: LogHead): Properties {
  return {
    v: BigInt(head.format),
    n: BigInt(head.count),
    ts: BigInt(head.timestamp),
    id: head.recordId,
    open: head.registered,
    apply: encodePending(head.unapplied),
    notify: encodePending(head.unnotified),
    ...(head.fences.size === 0 ? {} : { fences: JSON.stringify([...head.fences]) }),
    ...(head.droppedAt === 0 ? {} : { dropped: BigInt(head.droppedAt) }),
    ...encodeCounts(head.counts),
    ...encodeEnding(head.ending),
    ...(head.life === undefined ? {} : { life: BigInt(head.life) }),
    ...(head.redactions === undefined ? {} : { rd: BigInt(head.redactions) }),
  };
}

export const decodeLogHead = decoder((row): LogHead => {
  checkFormat(row, "the head of a log", 2);
  const count = numberIn(row, "n", 0, limits.headNumberMax);
  const timestamp = numberIn(row, "ts", 0, limits.headNumberMax);
  const recordId = textIn(row, "id");
  // All three or none: one of them alone would make a log with records look empty.
  const empty = [count === 0, timestamp === 0, recordId === ""];
  if (empty.includes(true) && empty.includes(false)) throw corruptData("the last record in the head of a log");
  return {
    count,
    timestamp,
    recordId,
    registered: row.properties["open"] === true,
    unapplied: decodePending(bytesIn(row, "apply"), timestamp),
    unnotified: decodePending(bytesIn(row, "notify"), timestamp),
    fences: decodeFences(row),
    droppedAt: row.properties["dropped"] === undefined ? 0 : numberIn(row, "dropped", 1, timestamp),
    format: formatOf(row),
    counts: decodeCounts(row),
    ending: decodeEnding(row),
    life: row.properties["life"] === undefined ? undefined : numberIn(row, "life", 0, count),
    redactions: row.properties["rd"] === undefined ? undefined : numberIn(row, "rd", 1, limits.headNumberMax),
  };
});

export function encodeRecord(summary: RecordSummary, data: Uint8Array): Properties {
  return {
    v: summary.transactions.some(({ change }) => change !== undefined) ? formatLatest : formatFirst,
    id: uuidBytes(summary.recordId),
    node: uuidBytes(summary.node),
    n: BigInt(summary.position),
    s: encodeTransactions(summary.transactions),
    ...encodeChanges(summary.transactions),
    ...encodeCounts(summary.counts),
    ...(summary.beginsLife === true ? { new: true } : {}),
    ...cutData(data),
  };
}

export const decodeRecordSummary = decoder((row): RecordSummary => {
  checkFormat(row, "a log record", 2);
  const changes = decodeChanges(row);
  return {
    timestamp: timestampOfRow(row.row),
    recordId: uuidIn(row, "id"),
    node: uuidIn(row, "node") as NodeId,
    position: numberIn(row, "n", 1),
    transactions: decodeTransactions(bytesIn(row, "s"), changes),
    counts: decodeCounts(row),
    ...(row.properties["new"] === true ? { beginsLife: true } : {}),
  };
});

/** Whether a record of the log, or a part of it, says more than its entries: such a record stays as it is. */
export function changesStream(row: Row): boolean {
  return row.properties["c"] !== undefined;
}

/** The segments that a log record has entries of; undefined: its summary does not tell. */
export function summarisedSegments(row: Row): readonly SegmentName[] | undefined {
  const summary = row.properties["s"];
  return summary instanceof Uint8Array
    ? decodeTransactions(summary, decodeChanges(row)).map(({ segment }) => segment)
    : undefined;
}

/** A UUID as the 16 bytes it is: text would take four times as many, in every record. */
function uuidBytes(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}

function decodeFences(row: Row): ReadonlyMap<string, number> {
  if (row.properties["fences"] === undefined) return new Map();
  const parsed = fencesSchema.safeParse(jsonOf(textIn(row, "fences")));
  if (!parsed.success) throw corruptData("the lease tokens in the head of a log", parsed.error);
  return new Map(parsed.data);
}

/** A lease's key and the greatest of its tokens. */
const fencesSchema = z.array(z.tuple([z.string(), z.int().min(0)]));

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Bytes of one transaction in a summary without its segment's name: see `encodeTransactions`. */
const summaryFixedBytes = 2 + 3 * 8 + 16 + 16 + 2;

export function summaryBytes(transaction: TransactionSummary): number {
  return summaryFixedBytes + Buffer.byteLength(transaction.segment) + changeBytes(transaction.change);
}

/**
 * u16 length and UTF-8 of the segment, u64 first, last and number, 16 bytes id, 16 bytes digest, u8 segments, u8 keyed;
 * big endian.
 */
function encodeTransactions(transactions: readonly TransactionSummary[]): Uint8Array {
  const bytes = transactions.reduce((sum, { segment }) => sum + summaryFixedBytes + Buffer.byteLength(segment), 0);
  const out = Buffer.alloc(bytes);
  let at = 0;
  for (const transaction of transactions) {
    const nameBytes = out.write(transaction.segment, at + 2, "utf8");
    at = out.writeUInt16BE(nameBytes, at) + nameBytes;
    at = out.writeBigUInt64BE(BigInt(transaction.firstSequence), at);
    at = out.writeBigUInt64BE(BigInt(transaction.lastSequence), at);
    at = out.writeBigUInt64BE(BigInt(transaction.number), at);
    at += out.write(transaction.id.replaceAll("-", ""), at, "hex");
    at += out.write(transaction.digest, at, "hex");
    at = out.writeUInt8(transaction.segments, at);
    at = out.writeUInt8(transaction.keyed ? 1 : 0, at);
  }
  return out;
}

function decodeTransactions(data: Uint8Array, changes: ReadonlyMap<number, SegmentChange>): TransactionSummary[] {
  const buffer = asBuffer(data);
  const transactions: TransactionSummary[] = [];
  let at = 0;
  const integer = (min = 1n): number => {
    const value = buffer.readBigUInt64BE(at);
    at += 8;
    if (value < min || value > BigInt(limits.sequenceMax)) throw damagedSummary();
    return Number(value);
  };
  const hex = (): string => buffer.toString("hex", at, (at += 16));
  do {
    const nameBytes = at + 2 <= buffer.byteLength ? buffer.readUInt16BE(at) : Infinity;
    if (at + summaryFixedBytes + nameBytes > buffer.byteLength) throw damagedSummary();
    const segment = segmentNameOf(buffer.subarray(at + 2, at + 2 + nameBytes));
    at += 2 + nameBytes;
    const [firstSequence, lastSequence, transactionNumber] = [integer(), integer(0n), integer()];
    const [id, digest] = [dashed(hex()) as TransactionId, hex()];
    const [segments = 0, keyed = 0] = [buffer[at], buffer[at + 1]];
    at += 2;
    const change = changes.get(transactions.length);
    const entries = lastSequence - firstSequence + 1;
    if (entries < (change === undefined ? 1 : 0) || segments < 1 || keyed > 1) throw damagedSummary();
    const place = { segment, firstSequence, lastSequence, number: transactionNumber };
    transactions.push({
      ...place,
      id,
      digest,
      segments,
      keyed: keyed === 1,
      ...(change === undefined ? {} : { change }),
    });
  } while (at < buffer.byteLength);
  if ([...changes.keys()].some((index) => index >= transactions.length)) throw damagedSummary();
  return transactions;
}

function segmentNameOf(utf8: Buffer): SegmentName {
  if (!isUtf8(utf8)) throw damagedSummary();
  return readStored("the name of a segment in a log record", () => parseSegmentName(utf8.toString("utf8")));
}

function damagedSummary(): StoreError {
  return corruptData("the summary of a log record");
}
