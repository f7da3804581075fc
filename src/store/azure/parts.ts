// A produce to one segment, as the append takes it, and what it came to, as its caller is told.

import type { AppendRecord } from "../../core/entry.ts";
import { contentBytes } from "../../core/entry.ts";
import type { SegmentName, SpaceName } from "../../core/ids.ts";
import { contentDigest } from "../../codec/transaction.ts";
import type { ProducedChunk } from "../store.ts";
import type { SegmentAppend, SegmentAppended } from "./append/append-request.ts";

/** Bytes that an entry takes in a record beside its content and its names: identity, lengths, sequence, timestamp. */
const entryFixedBytes = 88;

export function partOf(space: SpaceName, segment: SegmentName, records: readonly AppendRecord[]): SegmentAppend {
  const firstSequence = records[0]?.sequence;
  const names = Buffer.byteLength(space) + Buffer.byteLength(segment);
  let plainBytes = 256;
  let allBytes = 0;
  let gap: SegmentAppend["gap"];
  records.forEach((record, index) => {
    const bytes = contentBytes(record);
    allBytes += bytes;
    plainBytes += bytes + names + entryFixedBytes;
    const { sequence } = record;
    if (gap !== undefined || sequence === undefined || firstSequence === undefined) return;
    if (sequence !== firstSequence + index) gap = { index, received: sequence };
  });
  return { segment, records, digest: contentDigest(records), plainBytes, contentBytes: allBytes, firstSequence, gap };
}

export function chunkOf(
  space: SpaceName,
  segment: SegmentName,
  result: SegmentAppended,
  duplicate: boolean,
): ProducedChunk {
  const { id, number, firstSequence, lastSequence, timestamp } = result.place;
  return {
    status: {
      space,
      segment,
      // It may have been trimmed beyond this chunk by now.
      firstSequence: Math.min(result.firstSequence, lastSequence + 1),
      firstTimestamp: result.firstTimestamp,
      lastSequence,
      lastTimestamp: timestamp,
    },
    transaction: { id, number, firstSequence, lastSequence, duplicate },
  };
}
