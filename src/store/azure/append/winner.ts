// Finds who holds a sequence of a segment: the transaction that a conflict is told of.

import type { SegmentName, SpaceName, TransactionId } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import { limits } from "../../../core/limits.ts";
import type { Table } from "../../../table/port.ts";
import { blockRange, segmentPartition } from "../rows/keys.ts";
import type { PendingItem } from "../apply/segment-queue.ts";
import { blockProperties, goneThrough, tombstoneOf } from "../rows/segment-rows.ts";

export interface WinnerDeps {
  readonly table: Table;
  readonly compressor: Compressor;
  readonly space: SpaceName;
  readonly pendingIn: (segment: SegmentName) => readonly PendingItem[];
}

/** Blocks, then what is pending, then blocks again, because it may have been applied between the two. */
export async function findWinner(
  deps: WinnerDeps,
  segment: SegmentName,
  sequence: number,
): Promise<TransactionId | undefined> {
  return (
    (await inBlocks(deps, segment, sequence)) ??
    inPending(deps, segment, sequence) ??
    (await inBlocks(deps, segment, sequence))
  );
}

function inPending(deps: WinnerDeps, segment: SegmentName, sequence: number): TransactionId | undefined {
  const item = deps
    .pendingIn(segment)
    .find(({ transaction }) => transaction.firstSequence <= sequence && sequence <= transaction.lastSequence);
  return item?.transaction.id;
}

async function inBlocks(deps: WinnerDeps, segment: SegmentName, sequence: number): Promise<TransactionId | undefined> {
  const range = blockRange(segmentPartition(deps.space, segment), sequence, limits.sequenceMax);
  let continuation: string | undefined;
  do {
    const page = await deps.table.query(range, {
      select: blockProperties,
      top: 1,
      continuation,
    });
    const [row] = page.rows;
    if (row !== undefined) {
      if (goneThrough(row) >= sequence) return undefined;
      if (tombstoneOf(row) !== undefined) return undefined;
      const batches = await decodeBlock(joinData(row.properties), deps.compressor);
      const batch = batches.find(
        ({ firstSequence, lastSequence }) => firstSequence <= sequence && sequence <= lastSequence,
      );
      return batch?.trx.id;
    }
    continuation = page.continuation;
  } while (continuation !== undefined);
  return undefined;
}
