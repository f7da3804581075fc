// Compacts a space: many small rows become few large ones, of its log and of its segments.
//
// Goes through the log from where it stopped. Neighbours that are settled and old enough become one row; a day later so
// many of these become one again, and lose the ids of their records. The segments that have many of the merged entries
// are compacted before the log's rows are, so that a process that dies between the two does the first again. One
// transaction replaces the last row of a group by all of it, removes the others, each under its own ETag, and moves the
// row that says how far the log has come: of two compactions at the same time one wins.
//
// Promise: the answer of no read changes, at any moment. What an attempt, a catch-up or a trim may look for is found in
// the merged row.

import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { KeyRange, Row, Write } from "../../../table/port.ts";
import { backOff } from "../instance/back-off.ts";
import { isTransient } from "../instance/failure.ts";
import type { HeadRead, LogReader } from "../log/log-reader.ts";
import { rows } from "../read/pages.ts";
import { compactedRow, keyAfter, lastRecordTimestamp, recordRange, recordRow, timestampOfRow } from "../rows/keys.ts";
import { changesStream, decodeRecordSummary } from "../rows/log-rows.ts";
import { isMarker, kindProperty } from "../rows/markers.ts";
import {
  decodeCompacted,
  decodeMergedRecords,
  encodeCompacted,
  encodeMergedRecords,
  isMerged,
  mergedIdsMax,
  notCompacted,
} from "../rows/merged-rows.ts";
import type { Compacted, MergedRecords } from "../rows/merged-rows.ts";
import { doneThrough } from "../rows/pending.ts";
import { writeFormat } from "../trim/space-trim.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { fitting, merged, unlessUnreadable, mergedBytesMax, storedBytes, triesMax } from "./merge-rows.ts";
import type { CompactDeps, Decoded } from "./merge-rows.ts";

export interface CompactSpaceDeps extends CompactDeps {
  readonly reader: Pick<LogReader, "headRow" | "partition" | "readHead">;
  /** Whether the turn is over. */
  readonly isOver: () => boolean;
}

/** As much as it takes to see what there is to merge. */
type LookDeps = Pick<CompactSpaceDeps, "options" | "table"> & { readonly reader: Pick<LogReader, "partition"> };

/**
 * `done`: nothing is worth merging now. `later`: some of it will be, when it is older. `more`: the turn was over
 * before.
 */
export type CompactState = "done" | "later" | "more";

/** Merged rows that become one. */
const againRowsMax = 32;
const againRowsMin = 8;

type Tier = "once" | "again";

/** Rows of the log with what is known of their records. */
interface LogRow extends Decoded {
  readonly records: Omit<MergedRecords, "timestamp">;
}

interface Place {
  readonly timestamp: number;
  readonly position: number;
}

export async function compactSpace(deps: CompactSpaceDeps, space: SpaceName): Promise<CompactState> {
  let lost = 0;
  while (!deps.isOver()) {
    try {
      const step = await stepOf(deps, space);
      if (step !== "moved" && step !== "overtaken") return step;
      lost = step === "moved" ? 0 : lost + 1;
    } catch (error) {
      if (!isTransient(error)) throw error;
      lost += 1;
      if (lost >= triesMax) throw error;
    }
    if (lost >= triesMax) return "more";
    if (lost > 0) await backOff(deps, lost);
  }
  return "more";
}

async function stepOf(deps: CompactSpaceDeps, space: SpaceName): Promise<"moved" | "overtaken" | CompactState> {
  const { options, reader, table } = deps;
  const head = await reader.readHead();
  if (head.head.count < options.compactRowsMin) return "done";
  const { row } = await table.get(reader.partition, compactedRow);
  const state = row === undefined ? notCompacted : decodeCompacted(row);
  const settled = settledThrough(head);
  for (const tier of ["once", "again"] as const) {
    const afterMs = tier === "once" ? options.compactAfterMs : options.compactAgainAfterMs;
    const until = Math.min(tier === "once" ? settled : state.once, head.serviceTime - afterMs);
    if (!(await areWorthIt(deps, state[tier], until, tier))) continue;
    const { group, passed } = await nextGroup(deps, tier, state[tier], until);
    const before = { head, row, state, tier };
    if (group.length > 0) return merge(deps, space, before, group);
    // Damage is for fsck to tell, and for readers to be told: what comes after it is merged all the same.
    if (passed !== undefined) return moveTo(deps, before, { timestamp: passed, position: state.position }, []);
  }
  // Records that are not settled are no reason, as their log does not rest; nor are those of a clock that was ahead.
  return (await areWorthIt(deps, state.once, Math.min(settled, head.serviceTime), "once")) ? "later" : "done";
}

/**
 * When all that was merged once is old enough to be merged again, by the service's time; undefined: it is too little to
 * be worth it.
 */
export async function mergedAgainAt(deps: LookDeps): Promise<number | undefined> {
  const { row } = await deps.table.get(deps.reader.partition, compactedRow);
  if (row === undefined) return undefined;
  const { again, once } = decodeCompacted(row);
  return (await areWorthIt(deps, again, once, "again")) ? once + deps.options.compactAgainAfterMs : undefined;
}

/** Whether there are so many rows that merging is worth it: by their keys alone, which is one small request. */
async function areWorthIt(deps: LookDeps, from: number, until: number, tier: Tier): Promise<boolean> {
  const { compactRowsMin } = deps.options;
  const most = tier === "once" ? compactRowsMin : Math.min(againRowsMin, compactRowsMin);
  let found = 0;
  for await (const row of rows(deps.table, rangeAfter(deps, from), {
    select: ["v", kindProperty],
    limit: most + 1,
    firstRows: most + 1,
  })) {
    if (timestampOfRow(row.row) > until) break;
    if (!isMarker(row)) found += 1;
  }
  return found >= most;
}

function rangeAfter({ reader: { partition } }: LookDeps, from: number): KeyRange {
  const range = recordRange(partition, 1, lastRecordTimestamp);
  return from === 0 ? range : { ...range, from: keyAfter(recordRow(from)) };
}

/** Up to where all records are applied, and notified of. */
function settledThrough({ head: { timestamp, unapplied, unnotified } }: HeadRead): number {
  return Math.min(doneThrough(unapplied, timestamp), doneThrough(unnotified, timestamp));
}

interface NextGroup {
  /**
   * The next neighbours that fit one row; a group of one is passed over, or loses its ids. Empty: there are none now.
   */
  readonly group: readonly LogRow[];
  /** Without a group: the place of a row that cannot be read. */
  readonly passed?: number;
}

async function nextGroup(deps: CompactSpaceDeps, tier: Tier, from: number, until: number): Promise<NextGroup> {
  const operations = deps.options.batchOperations - 1;
  const most = tier === "once" ? operations : Math.min(againRowsMax, operations);
  const found: Row[] = [];
  let bytes = 0;
  for await (const row of rows(deps.table, rangeAfter(deps, from), { likely: most, firstRows: most })) {
    if (timestampOfRow(row.row) > until) break;
    if (isMarker(row)) continue;
    const size = storedBytes(row);
    // A row that is large already, of the other kind, or that changes a stream ends the group, and is passed over when
    // it comes first.
    const isAlone = size > mergedBytesMax / 2 || isMerged(row) !== (tier === "again") || changesStream(row);
    if (found.length > 0 && (isAlone || bytes + size > mergedBytesMax)) break;
    found.push(row);
    bytes += size;
    if (isAlone || found.length === most) break;
  }
  const group: LogRow[] = [];
  for (const row of await Promise.all(found.map((one) => unlessUnreadable(decodeRow(deps, one))))) {
    const before = group.at(-1)?.records.position;
    // A number that is missing, or there twice, is damage that a merged row would hide.
    if (row === undefined || (before !== undefined && row.records.position - row.records.count !== before)) break;
    group.push(row);
  }
  const [first] = found;
  return group.length === 0 && first !== undefined ? { group, passed: timestampOfRow(first.row) } : { group };
}

async function decodeRow({ compressor }: CompactSpaceDeps, row: Row): Promise<LogRow> {
  const batches = await decodeBlock(joinData(row.properties), compressor);
  if (isMerged(row)) return { row, batches, records: decodeMergedRecords(row) };
  const { counts, position, recordId, timestamp } = decodeRecordSummary(row);
  const records = { firstTimestamp: timestamp, position, count: 1, recordId, recordIds: [recordId], counts };
  return { row, batches, records };
}

interface Before {
  readonly head: HeadRead;
  /** The row that says how far the log is compacted, and what it says. */
  readonly row: Row | undefined;
  readonly state: Compacted;
  readonly tier: Tier;
}

async function merge(
  deps: CompactSpaceDeps,
  space: SpaceName,
  before: Before,
  group: readonly LogRow[],
): Promise<"moved" | "overtaken"> {
  const { head, tier } = before;
  const isCutting = tier === "again" && group.some(({ records }) => records.recordIds !== undefined);
  const fits = group.length > 1 || isCutting ? await fitting(group, deps.compressor) : undefined;
  const last = fits?.group.at(-1);
  if (fits === undefined || last === undefined || (fits.group.length === 1 && !isCutting)) {
    // Nothing fits beside the first row: it is passed over.
    const [alone] = group;
    return alone === undefined ? "overtaken" : moveTo(deps, before, placeOf(alone), []);
  }
  if (head.head.format === 1 && !(await writeFormat(deps, head))) return "overtaken";
  for (const [segment, { first, through }] of crowdedSegments(fits.group, deps.options.compactRowsMin)) {
    await mergeBlocks(deps, space, segment, first, through);
  }
  const properties = encodeMergedRecords(together(fits.group, tier), fits.data);
  const outcome = await moveTo(deps, before, placeOf(last), [
    { kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag },
    ...fits.group.slice(0, -1).map(({ row: { row, etag } }): Write => ({ kind: "delete", row, ifMatch: etag })),
  ]);
  if (outcome === "moved") deps.onMerged(merged(fits.group, fits.data));
  return outcome;
}

/** In one transaction: these writes, and how far the log is compacted with them. */
async function moveTo(
  { reader, table }: CompactSpaceDeps,
  { row, state, tier }: Before,
  { position, timestamp }: Place,
  writes: readonly Write[],
): Promise<"moved" | "overtaken"> {
  const next = tier === "once" ? { ...state, once: timestamp, position } : { ...state, again: timestamp };
  const properties = encodeCompacted(next);
  const move: Write =
    row === undefined
      ? { kind: "insert", row: compactedRow, properties }
      : { kind: "replace", row: compactedRow, properties, ifMatch: row.etag };
  return (await table.submit(reader.partition, [move, ...writes])).kind === "done" ? "moved" : "overtaken";
}

function placeOf({ row, records }: LogRow): Place {
  return { timestamp: timestampOfRow(row.row), position: records.position };
}

function together(group: readonly LogRow[], tier: Tier): Omit<MergedRecords, "timestamp"> {
  const [first] = group;
  const last = group.at(-1);
  if (first === undefined || last === undefined) throw new Error("A merged row of no rows.");
  const ids = group.map(({ records }) => records.recordIds);
  const isCut = tier === "again" || ids.includes(undefined);
  const recordIds = isCut ? undefined : ids.flatMap((some) => some ?? []);
  return {
    firstTimestamp: first.records.firstTimestamp,
    position: last.records.position,
    count: group.reduce((sum, { records }) => sum + records.count, 0),
    recordId: last.records.recordId,
    recordIds: recordIds !== undefined && recordIds.length <= mergedIdsMax ? recordIds : undefined,
    counts: last.records.counts,
  };
}

/**
 * The segments that have so many of the transactions that merging their blocks is worth it, with the sequences of
 * these.
 */
function crowdedSegments(
  group: readonly LogRow[],
  blocksMin: number,
): ReadonlyMap<SegmentName, { readonly first: number; readonly through: number }> {
  const seen = new Map<SegmentName, { first: number; through: number; blocks: number }>();
  for (const batch of group.flatMap(({ batches }): readonly EntryBatch[] => batches)) {
    const known = seen.get(batch.segment) ?? { first: batch.firstSequence, through: 0, blocks: 0 };
    known.through = batch.lastSequence;
    known.blocks += 1;
    seen.set(batch.segment, known);
  }
  return new Map([...seen].filter(([, { blocks }]) => blocks >= blocksMin));
}
