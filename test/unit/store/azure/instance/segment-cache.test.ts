import { expect, test } from "vitest";

import { parseSegmentName } from "../../../../../src/core/ids.ts";
import { SegmentCache } from "../../../../../src/store/azure/instance/segment-cache.ts";

const segment = (index: number) => parseSegmentName(`s${index}`);

test("spaces share one bound: the longest unused is forgotten, whosever it is", () => {
  const cache = new SegmentCache<{ name: string }>({ segmentsMax: 3 });
  const [one, two] = [cache.forSpace(), cache.forSpace()];
  one.set(segment(1), { name: "one 1" });
  two.set(segment(1), { name: "two 1" });
  one.set(segment(2), { name: "one 2" });
  one.get(segment(1));
  two.set(segment(2), { name: "two 2" });
  expect(two.has(segment(1))).toBe(false);
  expect([one.get(segment(1))?.name, one.get(segment(2))?.name, two.get(segment(2))?.name]).toEqual([
    "one 1",
    "one 2",
    "two 2",
  ]);
});

test("looking without using does not keep a segment", () => {
  const cache = new SegmentCache<{ name: string }>({ segmentsMax: 2 }).forSpace();
  cache.set(segment(1), { name: "1" });
  cache.set(segment(2), { name: "2" });
  cache.peek(segment(1));
  cache.set(segment(3), { name: "3" });
  expect(cache.has(segment(1))).toBe(false);
});

test("a space that is cleared finds nothing of before, and the others all of theirs", () => {
  const cache = new SegmentCache<{ name: string }>({ segmentsMax: 10 });
  const [one, two] = [cache.forSpace(), cache.forSpace()];
  one.set(segment(1), { name: "before" });
  two.set(segment(1), { name: "two" });
  one.clear();
  expect(one.get(segment(1))).toBeUndefined();
  expect(two.get(segment(1))?.name).toBe("two");
  one.set(segment(1), { name: "after" });
  expect(one.get(segment(1))?.name).toBe("after");
});

test("an item that has grown pushes others out by its weight", () => {
  const weight = { max: 10, of: ({ places }: { places: number[] }) => 1 + places.length };
  const cache = new SegmentCache({ segmentsMax: 100, weight }).forSpace();
  for (let index = 0; index < 5; index += 1) cache.set(segment(index), { places: [1] });
  const last = cache.peek(segment(4));
  if (last === undefined) throw new Error("The last one is gone.");
  expect(cache.has(segment(0))).toBe(true);
  last.places.push(2, 3, 4, 5);
  cache.grown(segment(4), last);
  expect([0, 1, 2, 3, 4].map((index) => cache.has(segment(index)))).toEqual([false, false, true, true, true]);
});
