// What a redaction changes in a keyspace: decided from what is there, written by whoever holds the segment and the
// space.

import { invalidArgument, StoreError } from "../../../src/core/errors.ts";
import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";
import { decodeBlock, encodeBlock } from "../../../src/codec/block.ts";
import type { EntryBatch } from "../../../src/codec/transaction.ts";
import { redactedDigest, withoutContent } from "../../../src/codec/transaction.ts";
import type { KeyChange } from "./keyspace.ts";
import type { Source } from "./read.ts";
import { decodeHead, decodeTransaction, encodeRow } from "./rows.ts";

export async function redacted(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  sequences: readonly number[],
): Promise<readonly KeyChange[]> {
  const { keys, keyspace } = source;
  const { firstSequence, lastSequence } = decodeHead(await keyspace.get(keys.head(space, segment)));
  for (const sequence of sequences) {
    if (sequence > lastSequence) throw invalidArgument("sequences", `sequences up to ${lastSequence}`, sequence);
    if (sequence < firstSequence) {
      throw new StoreError("trimmed", `Entry ${sequence} was trimmed.`, { details: { earliest: firstSequence } });
    }
  }
  const wanted = new Set(sequences);
  const changes: KeyChange[] = [];
  const ids = new Set<EntryBatch["trx"]["id"]>();
  for (const range of [keys.records(space, 0), keys.blocks(space, segment, 1)]) {
    for await (const page of keyspace.pages(range)) {
      for (const { key, value } of page) {
        const batches = await decodeBlock(value, source.compressor);
        const changed = batches.map((batch) => {
          const without = batch.segment === segment ? withoutContent(batch, wanted) : undefined;
          if (without !== undefined) ids.add(batch.trx.id);
          return without ?? batch;
        });
        if (changed.some((batch, index) => batch !== batches[index])) {
          changes.push({ key, value: await encodeBlock(changed, source.compressor) });
        }
      }
    }
  }
  for (const id of ids) {
    const key = keys.transaction(space, segment, id);
    const place = decodeTransaction(await keyspace.get(key));
    if (place !== undefined) changes.push({ key, value: encodeRow({ ...place, digest: redactedDigest }) });
  }
  return changes;
}
