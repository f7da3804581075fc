// The rows of one commit: the log record, and for each segment its block, head, transaction and inventory. Pure but for
// the compressor.

import type { NodeId, SpaceName } from "../../../src/core/ids.ts";
import type { Entry, Transaction } from "../../../src/core/entry.ts";
import { encodeBlock } from "../../../src/codec/block.ts";
import type { Compressor } from "../../../src/codec/block.ts";
import { compareUtf8 } from "../../../src/codec/lexkey.ts";
import type { EntryBatch } from "../../../src/codec/transaction.ts";
import { changedStream } from "../../../src/core/stream.ts";
import type { Proposal, SegmentView } from "./decision.ts";
import type { KnownNames } from "./inventory.ts";
import type { StoreKeys } from "./keys.ts";
import type { KeyValue } from "./keyspace.ts";
import { encodeRow } from "./rows.ts";
import type { HeadRow, TransactionRow } from "./rows.ts";

export interface Commit {
  readonly space: SpaceName;
  readonly node: NodeId;
  readonly timestamp: number;
  readonly proposal: Proposal;
}

/** What one segment becomes. */
export interface SegmentChange {
  readonly view: SegmentView;
  readonly head: HeadRow;
  readonly transaction: TransactionRow;
  readonly batch: EntryBatch;
}

/** In the order of the proposal. */
export function changesOf(commit: Commit): readonly SegmentChange[] {
  return commit.proposal.views.map((view) => {
    const batch = batchOf(commit, view);
    const { firstSequence, lastSequence, timestamp, trx } = batch;
    const isNew = view.head.lastSequence === 0;
    const isEmpty = isNew || view.head.firstSequence > view.head.lastSequence;
    const { change, head } = view;
    const stream = changedStream(head.stream, change, { timestamp, firstSequence });
    const entries =
      batch.entries.length === 0
        ? {}
        : {
            firstSequence: isNew ? firstSequence : head.firstSequence,
            firstTimestamp: isEmpty ? timestamp : head.firstTimestamp,
            lastSequence,
            lastTimestamp: timestamp,
          };
    return {
      view,
      batch,
      head: { ...head, ...entries, transactionNumber: trx.number, ...(stream === undefined ? {} : { stream }) },
      transaction: {
        id: trx.id,
        number: trx.number,
        firstSequence,
        lastSequence,
        timestamp,
        digest: view.digest,
        segments: commit.proposal.views.length,
      },
    };
  });
}

/** To be written at once. The record holds its segments in UTF-8 order, which is the order they are read in. */
export async function rowsOf(
  commit: Commit,
  changes: readonly SegmentChange[],
  keys: StoreKeys,
  compressor: Compressor,
  known: KnownNames,
): Promise<readonly KeyValue[]> {
  const { space } = commit;
  const batches = changes
    .flatMap(({ batch }) => (batch.entries.length === 0 ? [] : [batch]))
    .sort((a, b) => compareUtf8(a.segment, b.segment));
  const record = await encodeBlock(batches, compressor);
  const rows: KeyValue[] = [{ key: keys.record(space, commit.timestamp), value: record }];
  for (const { batch, head, transaction, view } of changes) {
    const { segment, lastSequence } = batch;
    const block = changes.length === 1 ? record : await encodeBlock([batch], compressor);
    if (batch.entries.length > 0) rows.push({ key: keys.block(space, segment, lastSequence), value: block });
    const { change } = view;
    if (change?.kind === "append" && change.producer !== undefined) {
      const { id, ...step } = change.producer;
      const state = { ...step, timestamp: commit.timestamp, life: change.life };
      rows.push({ key: keys.producer(space, segment, id), value: encodeRow(state) });
    }
    rows.push({ key: keys.head(space, segment), value: encodeRow(head) });
    rows.push({ key: keys.transaction(space, segment, transaction.id), value: encodeRow(transaction) });
    if (!known.has(space, segment)) rows.push({ key: keys.segment(space, segment), value: nothing });
  }
  if (!known.has(space)) rows.push({ key: keys.space(space), value: nothing });
  return rows;
}

/** An inventory row says what it says by being there. */
const nothing = new Uint8Array();

function batchOf({ space, node, timestamp, proposal }: Commit, view: SegmentView): EntryBatch {
  const { segment, head } = view;
  const trx: Transaction = { id: proposal.id, node, number: head.transactionNumber + 1 };
  const firstSequence = head.lastSequence + 1;
  const entries = view.records.map(({ payload, metadata }, index): Entry => ({
    sequence: firstSequence + index,
    timestamp,
    trx,
    payload,
    metadata,
    space,
    segment,
  }));
  return { trx, space, segment, firstSequence, lastSequence: head.lastSequence + entries.length, timestamp, entries };
}
