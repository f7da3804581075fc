// What a trim changes in a keyspace: decided from what is there, written by whoever holds the locks of what it names.

import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";
import { decodeBlock, encodeBlock } from "../../../src/codec/block.ts";
import { comparePlaces, parseCursor } from "../../../src/codec/cursor.ts";
import type { EntryBatch } from "../../../src/codec/transaction.ts";
import type { TrimPoint } from "../../../src/store/store.ts";
import { timestampOfKey } from "./keys.ts";
import type { KeyChange } from "./keyspace.ts";
import type { Source } from "./read.ts";
import { decodeHead, encodeRow } from "./rows.ts";
import type { HeadRow, TrimRow } from "./rows.ts";

/** The records that end before a point. */
export interface RecordsBefore {
  readonly keys: readonly Uint8Array[];
  readonly segments: readonly SegmentName[];
  /** The last sequence that they hold of each segment. */
  readonly through: ReadonlyMap<SegmentName, number>;
  readonly last: TrimRow | undefined;
}

export async function recordsBefore(source: Source, space: SpaceName, before: TrimPoint): Promise<RecordsBefore> {
  const place = "offset" in before && before.offset !== "" ? parseCursor(before.offset) : undefined;
  const end = "timestamp" in before ? before.timestamp : 0;
  const keys: Uint8Array[] = [];
  const through = new Map<SegmentName, number>();
  let last: TrimRow | undefined;
  reading: for await (const page of source.keyspace.pages(source.keys.records(space, 0))) {
    for (const { key, value } of page) {
      const timestamp = timestampOfKey(key);
      const batches = await decodeBlock(value, source.compressor);
      const { segment, lastSequence: sequence } = lastOf(batches);
      const ends = { timestamp, segment, sequence };
      if (place === undefined ? timestamp >= end : comparePlaces(ends, place) > 0) break reading;
      keys.push(key);
      for (const batch of batches) through.set(batch.segment, batch.lastSequence);
      last = ends;
    }
  }
  return { keys, segments: [...through.keys()], through, last };
}

export async function trimmedSpace(
  source: Source,
  space: SpaceName,
  { keys, last, through }: RecordsBefore,
): Promise<readonly KeyChange[]> {
  if (last === undefined) return [];
  const changes: KeyChange[] = keys.map((key) => ({ key, value: undefined }));
  for (const [segment, sequence] of through) {
    changes.push(...(await trimmedSegment(source, space, segment, sequence + 1)).changes);
  }
  return [...changes, { key: source.keys.trim(space), value: encodeRow(last) }];
}

/** Nothing where nothing before the sequence is there. */
export async function trimmedSegment(
  { compressor, keys, keyspace }: Source,
  space: SpaceName,
  segment: SegmentName,
  before: number,
): Promise<{ readonly head: HeadRow; readonly changes: readonly KeyChange[] }> {
  const head = decodeHead(await keyspace.get(keys.head(space, segment)));
  const first = Math.min(before, head.lastSequence + 1);
  if (head.lastSequence === 0 || first <= head.firstSequence) return { head, changes: [] };
  const changes: KeyChange[] = [];
  let firstTimestamp = head.lastTimestamp;
  reading: for await (const page of keyspace.pages(keys.blocks(space, segment, 1))) {
    for (const { key, value } of page) {
      const kept = from(await decodeBlock(value, compressor), first);
      const [begins] = kept;
      if (begins === undefined) {
        changes.push({ key, value: undefined });
        continue;
      }
      firstTimestamp = begins.timestamp;
      if (begins.firstSequence === first) changes.push({ key, value: await encodeBlock(kept, compressor) });
      break reading;
    }
  }
  const next = { ...head, firstSequence: first, firstTimestamp };
  return { head: next, changes: [...changes, { key: keys.head(space, segment), value: encodeRow(next) }] };
}

function from(batches: readonly EntryBatch[], first: number): readonly EntryBatch[] {
  return batches
    .filter(({ lastSequence }) => lastSequence >= first)
    .map((batch) => {
      const firstSequence = Math.max(batch.firstSequence, first);
      return { ...batch, firstSequence, entries: batch.entries.slice(firstSequence - batch.firstSequence) };
    });
}

function lastOf(batches: readonly EntryBatch[]): EntryBatch {
  const last = batches.at(-1);
  if (last === undefined) throw new Error("A record has no transactions.");
  return last;
}
