import { expect, test } from "vitest";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseTransactionId } from "../../../../src/core/ids.ts";
import type { SegmentView } from "../../../doubles/level/decision.ts";
import { decide } from "../../../doubles/level/decision.ts";
import { emptyHead } from "../../../doubles/level/rows.ts";
import type { TransactionRow } from "../../../doubles/level/rows.ts";

const id = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
const payload = new Uint8Array();

const earlier: TransactionRow = {
  id,
  number: 3,
  firstSequence: 4,
  lastSequence: 5,
  timestamp: 1_000,
  digest: "same",
  segments: 1,
};

/** A segment that ends at 9, and two records for it. */
function view(changes: Partial<SegmentView> = {}, sequences?: readonly number[]): SegmentView {
  const records = sequences?.map((sequence) => ({ sequence, payload, metadata: noMetadata }));
  return {
    segment: parseSegmentName("order-1"),
    records: records ?? [
      { payload, metadata: noMetadata },
      { payload, metadata: noMetadata },
    ],
    digest: "same",
    head: { ...emptyHead, firstSequence: 1, lastSequence: 9, transactionNumber: 5 },
    earlier: undefined,
    ...changes,
  };
}

test.for([
  { what: "records without sequences", views: [view()] },
  { what: "sequences that continue", views: [view({}, [10, 11])] },
  { what: "the first sequences of an empty segment", views: [view({ head: emptyHead }, [1, 2])] },
  { what: "several segments that all fit", views: [view({}, [10]), view(), view({ head: emptyHead }, [1])] },
])("$what are committed", ({ views }) => {
  expect(decide({ id, views })).toEqual({ kind: "commit" });
});

test.for([
  { what: "a gap", sequences: [12], expected: 10, received: 12 },
  { what: "a stale start", sequences: [9, 10], expected: 10, received: 9 },
  { what: "a gap inside", sequences: [10, 12], expected: 11, received: 12 },
])("$what is a conflict, in whichever segment it is", ({ sequences, expected, received }) => {
  const misfit = view({}, sequences);
  expect(decide({ id, views: [misfit] })).toEqual({ kind: "conflict", view: misfit, expected, received });
  expect(decide({ id, views: [view(), misfit] })).toEqual({ kind: "conflict", view: misfit, expected, received });
});

test.for([
  { what: "without sequences", repeat: view({ earlier }) },
  { what: "at the place it had", repeat: view({ earlier }, [4, 5]) },
])("the same content under the same id $what is a duplicate", ({ repeat }) => {
  expect(decide({ id, views: [repeat] })).toEqual({ kind: "duplicate", repeats: [{ view: repeat, earlier }] });
});

const together = { ...earlier, segments: 2 };

test.for([
  { what: "other content", views: [view({ earlier, digest: "other" })] },
  { what: "the same content at another place", views: [view({ earlier }, [10, 11])] },
  { what: "one more segment", views: [view({ earlier }), view()] },
  { what: "one segment less", views: [view({ earlier: together })] },
  { what: "the segments of two commits", views: [view({ earlier: together }), view({ earlier: { ...together, timestamp: 2_000 } })] }, // prettier-ignore
])("$what under a known id is told apart, also where sequences would fit", ({ views }) => {
  expect(decide({ id, views })).toEqual({ kind: "id_taken" });
});

test("all segments of an earlier commit under its id are a duplicate", () => {
  const views = [view({ earlier: together }), view({ earlier: { ...together, number: 8 } })];
  expect(decide({ id, views })).toMatchObject({ kind: "duplicate", repeats: [{ earlier: together }, {}] });
});
