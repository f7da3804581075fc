// The rows of records of a backup, each as a commit would have written it. Reads heads alone.

import { contentDigest } from "../../../src/codec/transaction.ts";
import { encodeBlock } from "../../../src/codec/block.ts";
import { invalidArgument, sequenceMismatch } from "../../../src/core/errors.ts";
import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";
import { checkNotFuture } from "../../../src/store/restoring.ts";
import type { RestoredRecord } from "../../../src/store/restoring.ts";
import { areJson, refusedPlain, streamRefused } from "../../../src/store/stream-rules.ts";
import type { KeyValue } from "./keyspace.ts";
import type { Source } from "./read.ts";
import type { HeadRow } from "./rows.ts";
import { decodeHead, encodeRow } from "./rows.ts";

export async function restoredRows(
  { compressor, keys, keyspace }: Source,
  space: SpaceName,
  records: readonly RestoredRecord[],
  now: number,
): Promise<readonly KeyValue[]> {
  const heads = new Map<SegmentName, HeadRow>();
  const rows: KeyValue[] = [{ key: keys.space(space), value: new Uint8Array() }];
  for (const { batches, timestamp } of records) {
    checkNotFuture(timestamp, now);
    rows.push({ key: keys.record(space, timestamp), value: await encodeBlock(batches, compressor) });
    for (const batch of batches) {
      const { entries, firstSequence, lastSequence, segment, trx } = batch;
      const head = heads.get(segment) ?? decodeHead(await keyspace.get(keys.head(space, segment)));
      const isNew = head.lastSequence === 0;
      const isEmpty = isNew || head.firstSequence > head.lastSequence;
      const expected = head.lastSequence + 1;
      if (!isNew && firstSequence !== expected) {
        const { lastSequence: last } = head;
        throw sequenceMismatch({ segment, expected, received: firstSequence, lastSequence: last, winner: undefined });
      }
      if (trx.number <= head.transactionNumber)
        throw invalidArgument("trx.number", `a number after ${head.transactionNumber}`, trx.number);
      const answer = refusedPlain({ stream: head.stream, timestamp, isJson: () => areJson(entries) });
      if (answer !== undefined) throw streamRefused(answer);
      heads.set(segment, {
        ...head,
        firstSequence: isNew ? firstSequence : head.firstSequence,
        firstTimestamp: isEmpty ? timestamp : head.firstTimestamp,
        ...{ lastSequence, lastTimestamp: timestamp, transactionNumber: trx.number },
      });
      const segments = batches.filter(({ trx: { id } }) => id === trx.id).length;
      const place = { firstSequence, lastSequence, timestamp, digest: contentDigest(entries), segments };
      rows.push(
        { key: keys.block(space, segment, lastSequence), value: await encodeBlock([batch], compressor) },
        {
          key: keys.transaction(space, segment, trx.id),
          value: encodeRow({ id: trx.id, number: trx.number, ...place }),
        },
      );
    }
  }
  for (const [segment, head] of heads) {
    rows.push({ key: keys.head(space, segment), value: encodeRow(head) });
    rows.push({ key: keys.segment(space, segment), value: new Uint8Array() });
  }
  return rows;
}
