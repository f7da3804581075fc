// Merges neighbouring blocks of a segment into one row.
//
// Promise: each transaction replaces the last of some neighbours by all of them and removes the others, every row under
// its own ETag: so beside trims, repairs and other compactions it succeeds as a whole or not at all, and no read sees a
// difference. The segment's head says the format in the first such transaction, so that an instance which does not know
// merged rows refuses the segment. If the process dies between two transactions, the blocks are merged that far.

import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { Row, Write } from "../../../table/port.ts";
import { numberIn } from "../../../table/row-values.ts";
import { backOff } from "../instance/back-off.ts";
import { rows } from "../read/pages.ts";
import { blockRange, segmentHeadRow, segmentPartition, segmentRowOf } from "../rows/keys.ts";
import { isMarker } from "../rows/markers.ts";
import { encodeMergedBlocks } from "../rows/merged-rows.ts";
import {
  blockProperties,
  decodeSegmentHead,
  encodeSegmentHead,
  goneThrough,
  lastEntryOf,
  tombstoneOf,
} from "../rows/segment-rows.ts";
import { fitting, merged, mergedBytesMax, storedBytes, triesMax, unlessUnreadable } from "./merge-rows.ts";
import type { CompactDeps, Decoded } from "./merge-rows.ts";

/** Merges the blocks that end within these sequences, all of which are applied. */
export async function mergeBlocks(
  deps: CompactDeps,
  space: SpaceName,
  segment: SegmentName,
  first: number,
  last: number,
): Promise<void> {
  const partition = segmentPartition(space, segment);
  let from = first;
  for (let lost = 0; lost < triesMax;) {
    const run = await readRun(deps, partition, from, last);
    if (run === undefined) return;
    const through = run.group.length < 2 ? run.through : await mergeRun(deps, partition, run.group);
    if (through !== undefined) {
      from = through + 1;
      lost = 0;
    } else {
      lost += 1;
      await backOff(deps, lost);
    }
  }
}

interface Run {
  readonly group: readonly Decoded[];
  /** The last sequence that was looked at. */
  readonly through: number;
}

/** The next neighbours that one transaction may take. Undefined: there are no more blocks. */
async function readRun(
  { compressor, options, table }: CompactDeps,
  partition: string,
  first: number,
  last: number,
): Promise<Run | undefined> {
  // The head, once.
  const most = options.batchOperations - 1;
  const group: Decoded[] = [];
  let bytes = 0;
  let through: number | undefined;
  const range = blockRange(partition, first, limits.sequenceMax);
  for await (const row of rows(table, range, { select: blockProperties, likely: most })) {
    const place = segmentRowOf(row.row);
    if (place?.kind !== "block" || place.lastSequence > last) break;
    if (group.length > 0 && (group.length === most || bytes + storedBytes(row) > mergedBytesMax)) break;
    const block = await unlessUnreadable(decodeSmall(row, compressor));
    if (group.length > 0 && (block === undefined || block.gone > 0)) break;
    through = place.lastSequence;
    // A row that cannot be merged stands alone.
    if (block === undefined) break;
    group.push(block);
    bytes += storedBytes(row);
  }
  return through === undefined ? undefined : { group, through };
}

interface Block extends Decoded {
  /** The last sequence before it that a trim has cut off; 0: none. */
  readonly gone: number;
}

/** Undefined: it has no entries, or is large already. */
async function decodeSmall(row: Row, compressor: Compressor): Promise<Block | undefined> {
  if (isMarker(row) || tombstoneOf(row) !== undefined || storedBytes(row) > mergedBytesMax / 2) return undefined;
  const gone = goneThrough(row);
  return { row, gone, batches: await decodeBlock(joinData(row.properties), compressor) };
}

/** The last sequence that is merged; undefined when a row is not as it was read. */
async function mergeRun(deps: CompactDeps, partition: string, run: readonly Decoded[]): Promise<number | undefined> {
  const { compressor, onMerged, table } = deps;
  const fits = await fitting(run, compressor);
  const [first] = fits?.group ?? [];
  const last = fits?.group.at(-1);
  const place = last === undefined ? undefined : segmentRowOf(last.row.row);
  if (fits === undefined || first === undefined || last === undefined || place?.kind !== "block") return lastOf(run);
  if (fits.group.length === 1) return place.lastSequence;
  const properties = encodeMergedBlocks(numberIn(first.row, "f", 1), goneThrough(first.row), fits.data);
  const writes: Write[] = [
    ...(await formatOfHead(deps, partition)),
    { kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag },
    ...fits.group.slice(0, -1).map(({ row: { row, etag } }): Write => ({ kind: "delete", row, ifMatch: etag })),
  ];
  if ((await table.submit(partition, writes)).kind !== "done") return undefined;
  onMerged(merged(fits.group, fits.data));
  return place.lastSequence;
}

/** The write that makes the head say the format; none when it says it. */
async function formatOfHead({ table }: CompactDeps, partition: string): Promise<readonly Write[]> {
  const { row } = await table.get(partition, segmentHeadRow(partition));
  // Without a head there is nothing to be sure of: the transaction fails.
  if (row === undefined) return [{ kind: "delete", row: segmentHeadRow(partition), ifMatch: "*" }];
  const head = decodeSegmentHead(row);
  if (head.format === 2) return [];
  const properties = encodeSegmentHead({ ...head, format: 2 }, lastEntryOf(row));
  return [{ kind: "replace", row: row.row, properties, ifMatch: row.etag }];
}

function lastOf(run: readonly Decoded[]): number | undefined {
  const row: Row | undefined = run.at(-1)?.row;
  const place = row === undefined ? undefined : segmentRowOf(row.row);
  return place?.kind === "block" ? place.lastSequence : undefined;
}
