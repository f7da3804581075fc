// The rows that stand for many: neighbours of a log, or of a segment, merged into one. And how far a log has been
// compacted.
//
// A merged row's key is the last place that it holds, as every row's is, so that a reader who goes on from any place
// meets it. Its entries are columns (`codec/columns.ts`). A merged row of a log keeps no summaries: its transactions
// are read with its entries. It keeps the ids of its records as long as an attempt may look for them; a row that has
// lost them is cut.

import { contentBytes } from "../../../core/entry.ts";
import { corruptData } from "../../../core/errors.ts";
import type { SegmentName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { cutData } from "../../../codec/block.ts";
import type { Place } from "../../../codec/cursor.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { bytesIn, decoder, numberIn, uuidIn } from "../../../table/row-values.ts";
import type { Counts } from "./format.ts";
import { checkFormat, decodeCounts, encodeCounts, formatLatest } from "./format.ts";
import { dashed, timestampOfRow } from "./keys.ts";
import { kindProperty } from "./markers.ts";

/** Consecutive records of a log in one row. */
export interface MergedRecords {
  readonly firstTimestamp: number;
  /** The last record's: the row's key. */
  readonly timestamp: number;
  /** Which record of the log the last one is. */
  readonly position: number;
  readonly count: number;
  /** The last record's id. */
  readonly recordId: string;
  /** The ids of all of them, in order; undefined: the row is cut. */
  readonly recordIds: readonly string[] | undefined;
  /** How much the space has had up to the last record; undefined: nobody has counted. */
  readonly counts: Counts | undefined;
}

/** How far a log has been compacted. */
export interface Compacted {
  /** Everything up to this timestamp was merged once; 0: nothing. */
  readonly once: number;
  /** Which record of the log the one at `once` is. */
  readonly position: number;
  /** Everything up to this timestamp was merged again; 0: nothing. */
  readonly again: number;
}

export const notCompacted: Compacted = { once: 0, position: 0, again: 0 };

const mergedKind = "many";
const idBytes = 16;
/** The most records in one row whose ids are kept: 32 KiB. */
export const mergedIdsMax = 2_048;

/**
 * The properties to select, beside those of a marker, so that a merged row of a log can be read without its entries.
 */
export const mergedProperties: readonly string[] = ["mc", "mf", "mi"];

/** Whether a row that was read with `kindProperty` stands for many. */
export function isMerged(row: Row): boolean {
  return row.properties[kindProperty] === mergedKind;
}

export function encodeMergedRecords(merged: Omit<MergedRecords, "timestamp">, data: Uint8Array): Properties {
  const { count, counts, firstTimestamp, position, recordId, recordIds } = merged;
  return {
    v: formatLatest,
    [kindProperty]: mergedKind,
    n: BigInt(position),
    mc: BigInt(count),
    mf: BigInt(firstTimestamp),
    id: uuidBytes([recordId]),
    ...(recordIds === undefined ? {} : { mi: uuidBytes(recordIds) }),
    ...encodeCounts(counts),
    ...cutData(data),
  };
}

export const decodeMergedRecords = decoder((row): MergedRecords => {
  checkFormat(row, "a merged row of a log", 2);
  const timestamp = timestampOfRow(row.row);
  const position = numberIn(row, "n", 1, limits.headNumberMax);
  const count = numberIn(row, "mc", 1, position);
  const recordId = uuidIn(row, "id");
  const recordIds = row.properties["mi"] === undefined ? undefined : uuidsOf(bytesIn(row, "mi"));
  if (recordIds !== undefined && (recordIds.length !== count || recordIds.at(-1) !== recordId)) {
    throw corruptData("the ids of the records in a merged row");
  }
  const firstTimestamp = numberIn(row, "mf", 1, timestamp);
  return { firstTimestamp, timestamp, position, count, recordId, recordIds, counts: decodeCounts(row) };
});

/** Blocks of a segment in one row. `goneThrough`: the last sequence before it that a trim has cut off; 0: none. */
export function encodeMergedBlocks(firstSequence: number, goneThrough: number, data: Uint8Array): Properties {
  const gone = goneThrough === 0 ? {} : { g: BigInt(goneThrough) };
  return { v: formatLatest, [kindProperty]: mergedKind, f: BigInt(firstSequence), ...gone, ...cutData(data) };
}

export function encodeCompacted({ again, once, position }: Compacted): Properties {
  return { v: formatLatest, once: BigInt(once), n: BigInt(position), again: BigInt(again) };
}

export const decodeCompacted = decoder((row): Compacted => {
  checkFormat(row, "the row that says how far a log is compacted", 2);
  const once = numberIn(row, "once", 0, limits.headNumberMax);
  const position = numberIn(row, "n", 0, limits.headNumberMax);
  return { once, position, again: numberIn(row, "again", 0, once) };
});

/** Where a record of the log ends, and what a marker in its place says. */
export interface RecordPlace {
  /** Behind everything that it holds. */
  readonly place: Omit<Place, "space">;
  /** Its last entry; undefined: it has none. */
  readonly last: { readonly segment: SegmentName; readonly sequence: number } | undefined;
  readonly position: number;
  /** Undefined: its merged row is cut. */
  readonly recordId: string | undefined;
  readonly counts: Counts | undefined;
}

export interface MergedRecord extends RecordPlace {
  readonly batches: readonly EntryBatch[];
}

/** The records of a merged row, from its entries: a record is all that has one timestamp. */
export function recordsOf(merged: MergedRecords, batches: readonly EntryBatch[]): readonly MergedRecord[] {
  const groups: EntryBatch[][] = [];
  for (const batch of batches) {
    const group = groups.at(-1);
    if (group?.[0]?.timestamp === batch.timestamp) group.push(batch);
    else groups.push([batch]);
  }
  const { count, position, recordId, recordIds } = merged;
  if (groups.length !== count) throw corruptData(`the ${count} records of a merged row`);
  let { counts } = merged;
  return groups
    .toReversed()
    .map((group, index) => {
      const last = group.at(-1);
      if (last === undefined) throw corruptData("an empty record in a merged row");
      const found = {
        place: { timestamp: last.timestamp, segment: last.segment, sequence: last.lastSequence },
        last: { segment: last.segment, sequence: last.lastSequence },
        position: position - index,
        recordId: index === 0 ? recordId : recordIds?.[count - 1 - index],
        counts,
        batches: group,
      };
      counts = counts && before(counts, group);
      return found;
    })
    .reverse();
}

/** The row without its first records. */
export function withoutFirst(merged: MergedRecords, records: number, firstTimestamp: number): MergedRecords {
  const { count, recordIds } = merged;
  return { ...merged, firstTimestamp, count: count - records, recordIds: recordIds?.slice(records) };
}

/** How much the space had had before these transactions. */
function before({ bytes, entries }: Counts, batches: readonly EntryBatch[]): Counts {
  const all = batches.flatMap((batch) => batch.entries);
  const had = all.reduce((sum, entry) => sum + contentBytes(entry), 0);
  return { entries: entries - all.length, bytes: bytes - had };
}

function uuidBytes(uuids: readonly string[]): Uint8Array {
  return Buffer.from(uuids.join("").replaceAll("-", ""), "hex");
}

function uuidsOf(bytes: Uint8Array): string[] {
  const hex = Buffer.from(bytes).toString("hex");
  if (bytes.byteLength % idBytes !== 0) throw corruptData("the ids of the records in a merged row");
  return Array.from({ length: bytes.byteLength / idBytes }, (_, index) =>
    dashed(hex.slice(2 * idBytes * index, 2 * idBytes * (index + 1))),
  );
}
