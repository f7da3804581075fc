// Judges every write of a compaction as it takes effect (L6): what a merged row holds is what the rows were that it
// stands for.

import type { Entry } from "../../src/core/entry.ts";
import { compactedRow, segmentRowOf, timestampOfRow } from "../../src/store/azure/rows/keys.ts";
import { decodeRecordSummary } from "../../src/store/azure/rows/log-rows.ts";
import { decodeMergedRecords, isMerged } from "../../src/store/azure/rows/merged-rows.ts";
import { goneThrough } from "../../src/store/azure/rows/segment-rows.ts";
import type { Row } from "../../src/table/port.ts";
import { numberIn } from "../../src/table/row-values.ts";
import type { Change } from "../doubles/simulated-service.ts";
import { decodeRowOf, isSame } from "./stored.ts";
import type { LogRecord, SegmentTruth, SpaceTruth, Verdict } from "./truth.ts";

/**
 * A compaction of a log replaces neighbours by one row at the place of the last, none that is pending, and says in the
 * same moment how far it has come. The ids of its records stay for as long as an attempt may look for them.
 */
export function logMerged(
  space: SpaceTruth,
  changes: readonly Change[],
  verdict: Verdict,
  idsGoneBefore: number,
): string {
  const taken = changes.filter(({ row }) => row !== compactedRow);
  if (taken.length === 0) return `${space.name} is looked through`;
  const placed = taken.filter(({ after }) => after !== undefined);
  const [change] = placed;
  if (change?.after === undefined || placed.length > 1 || !isMerged(change.after)) {
    verdict.report("L6", `rows of the log of ${space.name} were removed, and no merged row has what they had`);
    return "";
  }
  const keys = taken.map(({ row }) => timestampOfRow(row)).sort((one, other) => one - other);
  const first = space.rows.get(keys[0] ?? 0) ?? Infinity;
  const through = timestampOfRow(change.row);
  const between = [...space.rows.keys()].filter((key) => key >= first && key <= through);
  verdict.check(
    between.length === keys.length && keys.at(-1) === through,
    "L6",
    () => `the merged row of ${space.name} at ${through} is not of neighbours: ${keys.join(" ")}`,
  );
  const records = space.records.filter(({ timestamp }) => timestamp >= first && timestamp <= through);
  const pending = records.find((record) => space.pending.has(record));
  verdict.check(
    pending === undefined,
    "L6",
    () => `record ${pending?.timestamp} of ${space.name} is pending, and merged`,
  );
  const knewCounts = taken.some(({ before, row }) => row === change.row && before !== undefined && isCounted(before));
  const { counts, recordIds } = decodeMergedRecords(change.after);
  verdict.check(
    counts !== undefined || !knewCounts,
    "I8",
    () => `the merged row of ${space.name} at ${through} counts nothing any more`,
  );
  const young = records.find(({ timestamp }) => timestamp > idsGoneBefore);
  verdict.check(
    recordIds !== undefined || young === undefined,
    "L6",
    () => `the merged row of ${space.name} at ${through} has lost the id of a record that may be looked for`,
  );
  for (const key of keys) space.rows.delete(key);
  holdsRecords(space, change.after, records, verdict);
  return `${space.name}: ${keys.length} rows become the one at ${through}, of ${records.length} records`;
}

/** A merged row is made of exactly these records. */
export function holdsRecords(space: SpaceTruth, row: Row, records: readonly LogRecord[], verdict: Verdict): void {
  const merged = decodeMergedRecords(row);
  const { counts, timestamp } = merged;
  const [first] = records;
  const last = records.at(-1);
  const tells =
    merged.firstTimestamp === first?.timestamp &&
    timestamp === last?.timestamp &&
    merged.position === last.position &&
    merged.recordId === last.recordId &&
    merged.count === records.length;
  verdict.check(tells, "L6", () => `the merged row of ${space.name} at ${timestamp} tells of other records`);
  const ids = records.map(({ recordId }) => recordId).join(" ");
  verdict.check(
    merged.recordIds === undefined || merged.recordIds.join(" ") === ids,
    "L6",
    () => `the merged row of ${space.name} at ${timestamp} has other ids`,
  );
  verdict.check(
    counts === undefined || (counts.entries === last?.entriesThrough && counts.bytes === last.bytesThrough),
    "I8",
    () => `the merged row of ${space.name} at ${timestamp} counts ${counts?.entries} entries`,
  );
  const wanted = space.order.filter(
    (entry) => entry.timestamp >= merged.firstTimestamp && entry.timestamp <= timestamp,
  );
  const entries = decodeRowOf(row);
  const where = `the merged row of ${space.name} at ${timestamp}`;
  const has = entries.length;
  verdict.check(has === wanted.length, "L6", () => `${where} has ${has} entries, ${wanted.length} were there`);
  for (const [index, entry] of entries.entries()) isSame(entry, wanted[index], verdict, where);
  space.rows.set(timestamp, merged.firstTimestamp);
}

/**
 * Blocks of a segment, neighbours, become one at the place of the last; the head says nothing else than before but the
 * format.
 */
export function segmentMerged(segment: SegmentTruth, changes: readonly Change[], verdict: Verdict): string {
  const { blocks, entries: truth, name } = segment;
  const taken = changes.filter(({ row }) => segmentRowOf(row)?.kind === "block");
  const placed = taken.filter(({ after }) => after !== undefined);
  const [change] = placed;
  const place = change === undefined ? undefined : segmentRowOf(change.row);
  if (change?.after === undefined || placed.length > 1 || place?.kind !== "block" || !isMerged(change.after)) {
    verdict.report("L6", `blocks of ${name} were removed, and no merged row has what they had`);
    return "";
  }
  const { lastSequence } = place;
  const { after } = change;
  const keys = taken.flatMap(({ row }) => lastOf(row)).sort((one, other) => one - other);
  const first = blocks.get(keys[0] ?? 0) ?? Infinity;
  const between = [...blocks.keys()].filter((key) => key >= first && key <= lastSequence);
  verdict.check(
    between.length === keys.length && keys.at(-1) === lastSequence,
    "L6",
    () => `the merged block of ${name} at ${lastSequence} is not of neighbours: ${keys.join(" ")}`,
  );
  const front = taken.find(({ row }) => lastOf(row)[0] === keys[0])?.before;
  verdict.check(
    numberIn(after, "f", 1) === first && goneThrough(after) === (front === undefined ? 0 : goneThrough(front)),
    "L6",
    () => `the merged block of ${name} at ${lastSequence} begins elsewhere`,
  );
  const entries: readonly Entry[] = decodeRowOf(after);
  const where = `the merged block of ${name} at ${lastSequence}`;
  const isWhole = entries.length === lastSequence - first + 1;
  verdict.check(isWhole, "L6", () => `${where} has ${entries.length} entries, from ${first}`);
  for (const [index, entry] of entries.entries()) isSame(entry, truth[first - 1 + index], verdict, where);
  for (const key of keys) blocks.delete(key);
  blocks.set(lastSequence, first);
  return `${name}: ${keys.length} blocks become the one at ${lastSequence}`;
}

function isCounted(row: Row): boolean {
  return (isMerged(row) ? decodeMergedRecords(row) : decodeRecordSummary(row)).counts !== undefined;
}

function lastOf(row: string): readonly number[] {
  const place = segmentRowOf(row);
  return place?.kind === "block" ? [place.lastSequence] : [];
}
