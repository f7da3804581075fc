// What a backend in LevelDB answers of the rows that it has. Pure.

import { emptyStatus } from "../../../src/core/entry.ts";
import type { SegmentStatus } from "../../../src/core/entry.ts";
import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";
import type { ProducedChunk } from "../../../src/store/store.ts";
import type { Repeat } from "./decision.ts";
import type { HeadRow, TransactionRow } from "./rows.ts";

export function statusOf(space: SpaceName, segment: SegmentName, head: HeadRow): SegmentStatus {
  const { firstSequence, firstTimestamp, lastSequence, lastTimestamp } = head;
  return { ...emptyStatus(space, segment), firstSequence, firstTimestamp, lastSequence, lastTimestamp };
}

/** The segment as it was after that transaction. */
export function firstAnswer(space: SpaceName, { view, earlier }: Repeat): ProducedChunk {
  const { lastSequence, timestamp } = earlier;
  return {
    status: statusOf(space, view.segment, { ...view.head, lastSequence, lastTimestamp: timestamp }),
    transaction: { ...numbersOf(earlier), duplicate: true },
  };
}

export function numbersOf({
  id,
  number,
  firstSequence,
  lastSequence,
}: TransactionRow): Omit<TransactionRow, "timestamp" | "digest" | "segments"> {
  return { id, number, firstSequence, lastSequence };
}
