// Reads one space's log: its head, its records, what came since a version.

import { corruptData } from "../../../core/errors.ts";
import type { SpaceName } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { KeyRange, Row, Table } from "../../../table/port.ts";
import {
  keyAfter,
  lastRecordTimestamp,
  logHeadRow,
  logPartition,
  recordRange,
  recordRow,
  timestampOfRow,
} from "../rows/keys.ts";
import { decoder } from "../../../table/row-values.ts";
import { checkFormat } from "../rows/format.ts";
import type { LogHead, RecordSummary } from "../rows/log-rows.ts";
import { decodeLogHead, decodeRecordSummary, emptyLog, summaryProperties } from "../rows/log-rows.ts";
import { decodeLogMarker, isMarker } from "../rows/markers.ts";
import type { MergedRecords } from "../rows/merged-rows.ts";
import { decodeMergedRecords, isMerged } from "../rows/merged-rows.ts";

/** The log at one moment. A commit replaces exactly this, or nothing. */
export interface LogVersion {
  /** Undefined: there is no head yet. */
  readonly etag: string | undefined;
  readonly head: LogHead;
}

export interface HeadRead extends LogVersion {
  /** The service's clock, and when it says that the head was written (0: never). */
  readonly serviceTime: number;
  readonly writtenAt: number;
}

/** A record's summary with the service's time of its commit. */
export interface StoredRecord {
  readonly summary: RecordSummary;
  readonly writtenAt: number;
}

export type CatchUp =
  /** Nobody has written since: attempts under this version may still land. */
  | { readonly kind: "unmoved"; readonly serviceTime: number }
  /** All records between the two versions, in order. */
  | { readonly kind: "moved"; readonly to: HeadRead; readonly records: readonly StoredRecord[] }
  /** More records than are worth reading. */
  | { readonly kind: "far"; readonly to: HeadRead }
  /** This log does not continue that version: the storage is another one, or an earlier state of it. */
  | { readonly kind: "went_back"; readonly to: HeadRead };

/**
 * Whether a record that was sent, and that nothing sent later can bring there any more, is in the log. `unknown`: what
 * was there was trimmed.
 */
export type Fate = "landed" | "never" | "unknown";

/** A record that is in the log is in every later read of it: more tries than a few mean that one is gone. */
const catchUpTriesMax = 5;

export class LogReader {
  readonly partition: string;
  readonly headRow: string;
  readonly #table: Table;
  readonly #compressor: Compressor;

  constructor(table: Table, space: SpaceName, compressor: Compressor) {
    this.#table = table;
    this.#compressor = compressor;
    this.partition = logPartition(space);
    this.headRow = logHeadRow(space);
  }

  async readHead(signal?: AbortSignal): Promise<HeadRead> {
    const { row, serviceTime } = await this.#table.get(this.partition, this.headRow, { signal });
    if (row === undefined) return { etag: undefined, head: emptyLog, serviceTime, writtenAt: 0 };
    return { etag: row.etag, head: decodeLogHead(row), serviceTime, writtenAt: row.writtenAt };
  }

  /**
   * Reads the records since a version. Head and records are asked for at the same time. The number of records proves
   * that none is missing: it must be the difference of the heads' counts. The version's own last record, which is read
   * with them, proves that the log is the same one.
   */
  async readSince(version: LogVersion, recordsMax: number): Promise<CatchUp> {
    const { count, timestamp: from, recordId } = version.head;
    const [first, early] = await Promise.all([this.readHead(), this.#firstPageFrom(from, recordsMax + 1)]);
    let to = first;
    let rows = early;
    for (let tries = 0; tries < catchUpTriesMax; tries += 1) {
      if (to.etag === version.etag) return { kind: "unmoved", serviceTime: to.serviceTime };
      const missing = to.head.count - count;
      if (missing < 0) return wentBack(to);
      if (missing === 0) return to.head.recordId === recordId ? { kind: "moved", to, records: [] } : wentBack(to);
      const { timestamp: until } = to.head;
      // There is no way over trimmed or merged records: the head alone tells what is pending.
      if (missing > recordsMax || !rows.every(isRecord)) {
        return (await this.#has(version.head)) ? { kind: "far", to } : wentBack(to);
      }
      const records = rows.filter(({ row }) => timestampOfRow(row) <= until).map(storedRecord);
      // A page may be short; what it begins with is there or is not.
      if (count > 0 && records[0] !== undefined && records[0].summary.recordId !== recordId) return wentBack(to);
      const between = count > 0 ? records.slice(1) : records;
      if (between.length === missing) return { kind: "moved", to, records: between };
      if (between.length > missing) return wentBack(to);
      // The page was taken before the head, or was short: read again up to what this head speaks of.
      rows = await this.#allFrom(from, until, recordsMax + 1);
      if (rows.length - Math.min(count, 1) < missing) to = await this.readHead();
    }
    return wentBack(to);
  }

  /** `corrupt_data` when a head and its last record, as they are stored, contradict each other. */
  async checkLast(head: LogHead): Promise<void> {
    if (head.count > 0 && !(await this.#has(head)))
      throw corruptData(`the log does not have the last of the ${head.count} records that its head counts`);
  }

  /** A record that was trimmed, or has lost its id in a merged row, counts as present, as far as anybody can tell. */
  async #has({ count, recordId, timestamp }: LogHead): Promise<boolean> {
    if (count === 0) return true;
    const row = await this.#firstFrom(timestamp);
    if (row === undefined) return false;
    if (isMarker(row)) {
      const marker = decodeLogMarker(row);
      return marker.position > count || (marker.position === count && marker.recordId === recordId);
    }
    if (isMerged(row)) return mergedHas(decodeMergedRecords(row), timestamp, count, recordId);
    const last = decodeRecordSummary(row);
    return last.recordId === recordId && last.position === count;
  }

  /**
   * Finds the fate of a record that was sent with this timestamp. The first row at or above it tells: rows are removed
   * in front of a marker alone, so what is behind the marker was never removed.
   */
  async fateOf(timestamp: number, recordId: string): Promise<Fate> {
    const row = await this.#firstFrom(timestamp);
    if (row === undefined) return "never";
    if (isMarker(row)) return decodeLogMarker(row).recordId === recordId ? "landed" : "unknown";
    if (isMerged(row)) return fateIn(decodeMergedRecords(row), timestamp, recordId);
    return decodeRecordSummary(row).recordId === recordId ? "landed" : "never";
  }

  /** The summaries of records at these timestamps; one that is not there, was trimmed or merged, is left out. */
  async readRecordsAt(timestamps: readonly number[]): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    // Few at a time: this is the cold path, and others need the connections.
    for (let at = 0; at < timestamps.length; at += 8) {
      const some = timestamps.slice(at, at + 8).map((timestamp) => this.readRecordAt(timestamp));
      for (const record of await Promise.all(some)) if (record !== undefined) records.push(record);
    }
    return records;
  }

  async readRecordAt(timestamp: number): Promise<StoredRecord | undefined> {
    const { row } = await this.#table.get(this.partition, recordRow(timestamp), { select: summaryProperties });
    return row === undefined || !isRecord(row) ? undefined : storedRecord(row);
  }

  /**
   * One page of summaries from a timestamp on, inclusive; records that were trimmed or merged are done, and left out.
   */
  async readRecordsFrom(
    timestamp: number,
    continuation: string | undefined,
    top: number,
  ): Promise<{ readonly records: readonly StoredRecord[]; readonly continuation: string | undefined }> {
    const page = await this.#table.query(this.#range(timestamp, lastRecordTimestamp), {
      select: summaryProperties,
      top,
      continuation,
    });
    return { records: page.rows.filter(isRecord).map(storedRecord), continuation: page.continuation };
  }

  /** The entries of a record, one batch a transaction; `corrupt_data` when they cannot be read. */
  async readBatches(timestamp: number): Promise<EntryBatch[]> {
    const { row } = await this.#table.get(this.partition, recordRow(timestamp));
    if (row === undefined || !isRecord(row)) throw corruptData(`the log record at ${timestamp} is missing`);
    return decodeRecord(row, this.#compressor);
  }

  /** The entries of the row that has the record at a timestamp: its own, or the one it was merged into. */
  async readRowWith(timestamp: number): Promise<EntryBatch[]> {
    const row = await this.#firstFrom(timestamp, {});
    const isThere = row !== undefined && !isMarker(row) && (isMerged(row) || timestampOfRow(row.row) === timestamp);
    if (!isThere) throw corruptData(`the log record at ${timestamp} is missing`);
    return decodeRecord(row, this.#compressor);
  }

  #range(from: number, to: number): KeyRange {
    return recordRange(this.partition, from, to);
  }

  async #firstFrom(
    timestamp: number,
    options: { readonly select?: readonly string[] } = { select: summaryProperties },
  ): Promise<Row | undefined> {
    const range = this.#range(timestamp, lastRecordTimestamp);
    let continuation: string | undefined;
    do {
      const page = await this.#table.query(range, { ...options, top: 1, continuation });
      if (page.rows[0] !== undefined) return page.rows[0];
      ({ continuation } = page);
    } while (continuation !== undefined);
    return undefined;
  }

  async #firstPageFrom(timestamp: number, recordsMax: number): Promise<readonly Row[]> {
    const page = await this.#table.query(this.#range(timestamp, lastRecordTimestamp), {
      select: summaryProperties,
      top: Math.min(recordsMax, 1_000),
    });
    return page.rows;
  }

  /** By the keys of the rows: a token may point past one that was rewritten meanwhile. */
  async #allFrom(timestamp: number, until: number, recordsMax: number): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let range = this.#range(timestamp, lastRecordTimestamp);
    let continuation: string | undefined;
    do {
      const page = await this.#table.query(range, { select: summaryProperties, top: 1_000, continuation });
      rows.push(...page.rows);
      const last = page.rows.at(-1);
      if (last !== undefined && timestampOfRow(last.row) >= until) break;
      if (page.continuation === undefined) break;
      continuation = last === undefined ? page.continuation : undefined;
      if (last !== undefined) range = { ...range, from: keyAfter(last.row) };
    } while (rows.length <= recordsMax);
    return rows;
  }
}

/** Neither a marker nor many records in one row. */
function isRecord(row: Row): boolean {
  return !isMarker(row) && !isMerged(row);
}

function mergedHas(merged: MergedRecords, timestamp: number, position: number, recordId: string): boolean {
  const first = merged.position - merged.count + 1;
  if (timestamp < merged.firstTimestamp || position < first || position > merged.position) return false;
  return merged.recordIds === undefined || merged.recordIds[position - first] === recordId;
}

function fateIn({ firstTimestamp, recordIds }: MergedRecords, timestamp: number, recordId: string): Fate {
  if (timestamp < firstTimestamp) return "never";
  if (recordIds === undefined) return "unknown";
  return recordIds.includes(recordId) ? "landed" : "never";
}

function wentBack(to: HeadRead): CatchUp {
  return { kind: "went_back", to };
}

const decodeRecord = decoder((row, compressor: Compressor): Promise<EntryBatch[]> => {
  checkFormat(row, "a log record", 2);
  return decodeBlock(joinData(row.properties), compressor);
});

function storedRecord(row: Row): StoredRecord {
  return { summary: decodeRecordSummary(row), writtenAt: row.writtenAt };
}
