// A segment's state as its transactions make it: pure.

import { corruptData } from "../../../core/errors.ts";
import type { RecordSummary, TransactionSummary } from "./log-rows.ts";
import type { SegmentHead, TransactionPlace } from "./segment-rows.ts";

export function placeOf(record: RecordSummary, transaction: TransactionSummary): TransactionPlace {
  return {
    id: transaction.id,
    number: transaction.number,
    firstSequence: transaction.firstSequence,
    lastSequence: transaction.lastSequence,
    timestamp: record.timestamp,
    digest: transaction.digest,
    segments: transaction.segments,
  };
}

/** Whether the state has the transaction, or it comes next. */
export function follows(state: SegmentHead, place: TransactionPlace): boolean {
  if (place.lastSequence <= state.lastSequence) return true;
  return place.firstSequence === state.lastSequence + 1 && place.number === state.transactionNumber + 1;
}

/** The state after a transaction; the same when it has it already. */
export function advance(state: SegmentHead, place: TransactionPlace): SegmentHead {
  if (place.lastSequence <= state.lastSequence) return state;
  if (!follows(state, place)) {
    throw corruptData(
      `transaction ${place.id} (${place.firstSequence} to ${place.lastSequence}) does not follow sequence ${state.lastSequence}`,
    );
  }
  return {
    ...state,
    firstTimestamp: state.firstSequence > state.lastSequence ? place.timestamp : state.firstTimestamp,
    lastSequence: place.lastSequence,
    lastTimestamp: place.timestamp,
    transactionNumber: place.number,
    transactionId: place.id,
  };
}
