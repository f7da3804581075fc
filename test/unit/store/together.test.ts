import { expect, test } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import { checkTogether } from "../../../src/store/together.ts";
import type { SegmentRecords } from "../../../src/store/store.ts";
import { at, record, records, refused, segment } from "../../contract/given.ts";

const to = (name: string, given: SegmentRecords["records"]): SegmentRecords => ({
  segment: segment(name),
  records: given,
});
const bytes = (count: number) => [record(new Uint8Array(count))];

test.for([
  { what: "nothing", segments: [] },
  { what: "segments without records", segments: [to("a", []), to("b", [])] },
  { what: "as many records as one chunk holds", segments: [to("a", records(999)), to("b", records(1))] },
  { what: "as many bytes as one chunk holds", segments: [to("a", bytes(limits.chunkBytesMax - 1)), to("b", bytes(1))] },
  {
    what: "as many segments as are allowed",
    segments: Array.from({ length: limits.produceAllSegmentsMax }, (_, index) => to(`s${index}`, records(1))),
  },
  { what: "sequences in one segment and none in another", segments: [to("a", at([7, 8])), to("b", records(1))] },
])("$what may be produced together", async ({ segments }) => {
  await expect(checkTogether(segments)).resolves.toBeUndefined();
});

test.for([
  {
    what: "one record more",
    segments: [to("a", records(1_000)), to("b", records(1))],
    details: { limit: 1_000, size: 1_001 },
  },
  {
    what: "one byte more",
    segments: [to("a", bytes(limits.chunkBytesMax)), to("b", bytes(1))],
    details: { limit: limits.chunkBytesMax, size: limits.chunkBytesMax + 1 },
  },
  { what: "many chunks in one segment", segments: [to("a", records(5_000))], details: { limit: 1_000 } },
])("$what is refused with the limit", async ({ segments, details }) => {
  expect((await refused(checkTogether(segments), "request_too_large")).details).toMatchObject(details);
});

test.for([
  { what: "a segment named twice", segments: [to("a", records(1)), to("b", []), to("a", [])] },
  {
    what: "one segment more than is allowed",
    segments: Array.from({ length: limits.produceAllSegmentsMax + 1 }, (_, index) => to(`s${index}`, [])),
  },
  { what: "some sequences within a segment", segments: [to("a", [...at([1]), ...records(1)])] },
  { what: "a sequence that is none", segments: [to("a", at([0]))] },
])("$what is refused", async ({ segments }) => {
  await refused(checkTogether(segments), "invalid_argument");
});

test("a record that no store takes is refused as such", async () => {
  await refused(checkTogether([to("a", bytes(limits.recordBytesMax + 1))]), "record_too_large");
});
