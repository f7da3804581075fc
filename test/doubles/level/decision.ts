// Whether records may be committed to the segments they are for: decided from what the segments hold, nothing is read
// or written.

import type { AppendRecord } from "../../../src/core/entry.ts";
import type { SegmentName, TransactionId } from "../../../src/core/ids.ts";
import type { SegmentChange } from "../../../src/core/stream.ts";
import { redactedDigest } from "../../../src/codec/transaction.ts";
import type { HeadRow, TransactionRow } from "./rows.ts";

/** One segment's share of a transaction id, and what the segment holds; read under the segment's lock. */
export interface SegmentView {
  readonly segment: SegmentName;
  /** At least one, unless a stream is changed. */
  readonly records: readonly AppendRecord[];
  readonly digest: string;
  readonly head: HeadRow;
  /** What was committed to the segment under this id, if anything. */
  readonly earlier: TransactionRow | undefined;
  /** What is decided to change of the stream that the segment is. */
  readonly change?: SegmentChange | undefined;
}

/** A transaction id, and what goes to each segment under it, all or nothing. */
export interface Proposal {
  readonly id: TransactionId;
  readonly views: readonly SegmentView[];
}

export interface Repeat {
  readonly view: SegmentView;
  readonly earlier: TransactionRow;
}

export type Decision =
  | { readonly kind: "commit" }
  /** All of it was committed before: in the order of the views. */
  | { readonly kind: "duplicate"; readonly repeats: readonly Repeat[] }
  | { readonly kind: "id_taken" }
  | {
      readonly kind: "conflict";
      readonly view: SegmentView;
      /** The sequence that would have fitted where `received` was. */
      readonly expected: number;
      readonly received: number;
    };

/** An id that was seen before decides alone; only then do sequences. */
export function decide({ views }: Proposal): Decision {
  const repeats = views.flatMap((view) => (view.earlier === undefined ? [] : [{ view, earlier: view.earlier }]));
  if (repeats.length > 0) {
    const same = repeats.length === views.length && repeats.every((repeat) => isSame(repeat, repeats));
    return same ? { kind: "duplicate", repeats } : { kind: "id_taken" };
  }
  for (const view of views) {
    for (const [index, { sequence }] of view.records.entries()) {
      const expected = view.head.lastSequence + 1 + index;
      if (sequence !== undefined && sequence !== expected) {
        return { kind: "conflict", view, expected, received: sequence };
      }
    }
  }
  return { kind: "commit" };
}

/** The same content, in one commit with the same other segments, at the place that was asked for if one was. */
function isSame({ view, earlier }: Repeat, all: readonly Repeat[]): boolean {
  const asked = view.records[0]?.sequence;
  return (
    // What was redacted has no digest to compare with.
    (earlier.digest === view.digest || earlier.digest === redactedDigest) &&
    earlier.lastSequence - earlier.firstSequence + 1 === view.records.length &&
    earlier.segments === all.length &&
    all.every((other) => other.earlier.timestamp === earlier.timestamp) &&
    (asked === undefined || asked === earlier.firstSequence)
  );
}
