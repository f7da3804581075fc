// Finds who holds a sequence of a segment: the transaction that a conflict is told of, or that a repeat is of.

import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import { contentDigest } from "../../../codec/transaction.ts";
import { limits } from "../../../core/limits.ts";
import type { Table } from "../../../table/port.ts";
import { blockRange, segmentPartition } from "../rows/keys.ts";
import type { PendingItem } from "../apply/segment-queue.ts";
import { blockProperties, goneThrough, placeOf, tombstoneOf } from "../rows/segment-rows.ts";
import type { TransactionPlace } from "../rows/segment-rows.ts";

export interface HolderDeps {
  readonly table: Table;
  readonly compressor: Compressor;
  readonly space: SpaceName;
  readonly pendingIn: (segment: SegmentName) => readonly PendingItem[];
}

export type Holder =
  /** `content`: its digest; undefined when some of it was redacted. */
  | {
      readonly kind: "transaction";
      readonly place: Omit<TransactionPlace, "digest" | "segments">;
      readonly content: string | undefined;
    }
  /** Nobody can tell any more: the place was trimmed, or what was there cannot be read. */
  | { readonly kind: "gone" };

/** Blocks, then what is pending, then blocks again, because it may have been applied between the two. */
export async function findHolder(
  deps: HolderDeps,
  segment: SegmentName,
  sequence: number,
): Promise<Holder | undefined> {
  return (
    (await inBlocks(deps, segment, sequence)) ??
    inPending(deps, segment, sequence) ??
    (await inBlocks(deps, segment, sequence))
  );
}

function inPending(deps: HolderDeps, segment: SegmentName, sequence: number): Holder | undefined {
  const item = deps
    .pendingIn(segment)
    .find(({ transaction }) => transaction.firstSequence <= sequence && sequence <= transaction.lastSequence);
  if (item === undefined) return undefined;
  return {
    kind: "transaction",
    place: placeOf(item.record.summary, item.transaction),
    content: item.transaction.digest,
  };
}

async function inBlocks(deps: HolderDeps, segment: SegmentName, sequence: number): Promise<Holder | undefined> {
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
      if (goneThrough(row) >= sequence) return { kind: "gone" };
      if (tombstoneOf(row) !== undefined) return { kind: "gone" };
      const batches = await decodeBlock(joinData(row.properties), deps.compressor);
      const batch = batches.find(
        ({ firstSequence, lastSequence }) => firstSequence <= sequence && sequence <= lastSequence,
      );
      return batch === undefined ? undefined : holderOf(batch);
    }
    continuation = page.continuation;
  } while (continuation !== undefined);
  return undefined;
}

function holderOf({ trx, firstSequence, lastSequence, timestamp, entries }: EntryBatch): Holder {
  const place = { id: trx.id, number: trx.number, firstSequence, lastSequence, timestamp };
  const content = entries.some(({ redacted }) => redacted === true) ? undefined : contentDigest(entries);
  return { kind: "transaction", place, content };
}
