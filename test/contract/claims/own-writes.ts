// Reads of a segment that have at least what its space has up to an offset: who has written reads it at once, wherever
// he asks.

import { expect } from "vitest";
import { cursorAfter, encodeCursor } from "../../../src/codec/cursor.ts";
import type { SegmentStatus } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Cursor, SegmentName } from "../../../src/core/ids.ts";
import type { ProducedChunk, Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, first, orders, produce, records, refused, segment, space } from "../given.ts";

const second = segment("order-2");

export const ownWriteClaims: readonly Claim[] = [
  claim("what was written with ack=committed is read with its offset as `min`, on every instance", async (given) => {
    const { other, store } = given;
    let written = 0;
    for (let round = 0; round < 20; round += 1) {
      const chunks = await produce(store, first, records(3), { ack: "committed" });
      written += 3;
      for (const view of round % 2 === 0 ? [store, other] : [other, store]) {
        const min = offsetOf(chunks);
        const shown = await Promise.all([
          all(view.consumeSegment(orders, first, { min })).then((entries) => entries.length),
          all(view.consumeSegment(orders, first, { min, from: written })).then(
            (entries) => entries.length + written - 1,
          ),
          view.peek(orders, first, { min }).then((last) => last?.sequence),
          statusOf(view, first, min).then(({ lastSequence }) => lastSequence),
        ]);
        expect(shown).toEqual(shown.map(() => written));
      }
    }
  }),

  claim("an offset of another segment brings what its space had in this one by then", async ({ other, store }) => {
    for (let round = 1; round <= 10; round += 1) {
      await produce(store, first, records(1), { ack: "committed" });
      const min = offsetOf(await produce(store, second, records(1), { ack: "committed" }));
      expect(await all(other.consumeSegment(orders, first, { min }))).toHaveLength(round);
      expect((await other.peek(orders, first, { min }))?.sequence).toBe(round);
      expect((await statusOf(other, first, min)).lastSequence).toBe(round);
    }
  }),

  claim("what bounds a read bounds it with a `min` as well", async ({ other, store }) => {
    const chunks = await produce(store, first, records(10), { ack: "committed" });
    const min = offsetOf(chunks);
    const sequences = async (args: Parameters<Store["consumeSegment"]>[2]): Promise<readonly number[]> =>
      (await all(other.consumeSegment(orders, first, { ...args, min }))).map(({ sequence }) => sequence);
    expect(await sequences({ limit: 2 })).toEqual([1, 2]);
    expect(await sequences({ from: 9 })).toEqual([9, 10]);
    expect(await sequences({ to: 3 })).toEqual([1, 2, 3]);
    expect(await sequences({ from: 11 })).toEqual([]);
    const { lastTimestamp } = chunks[0]!.status;
    expect(await sequences({ after: lastTimestamp })).toEqual([]);
    expect(await sequences({ until: lastTimestamp - 1 })).toEqual([]);
  }),

  claim("the end of a space is a `min`, also of a segment that has nothing", async ({ other, store }) => {
    await produce(store, first, records(2));
    for (const min of [await store.spaceTail(orders, 0), await store.spaceTail(orders, 1)]) {
      expect(await all(other.consumeSegment(orders, first, { min }))).toHaveLength(2);
      expect(await other.peek(orders, second, { min })).toBeUndefined();
      expect((await statusOf(other, second, min)).lastSequence).toBe(0);
      expect(await all(other.consumeSegment(orders, second, { min }))).toEqual([]);
    }
  }),

  ...(["consumeSegment", "peek", "getSegmentStatus"] as const).map((read) =>
    claim(
      `a \`min\` that its space has not come to, of another space, or none is refused by ${read}`,
      async (given) => {
        const { store } = given;
        const [chunk] = await produce(store, first, records(1));
        const { lastTimestamp } = chunk!.status;
        const later = { space: orders, segment: first, timestamp: lastTimestamp + 3_600_000, sequence: 2 };
        const elsewhere = { space: space("elsewhere"), segment: first, timestamp: lastTimestamp, sequence: 1 };
        const wrong = [
          encodeCursor(later),
          cursorAfter(orders, limits.sequenceMax),
          encodeCursor(elsewhere),
          "x" as Cursor,
        ];
        for (const min of wrong) {
          const reading = {
            consumeSegment: () => all(store.consumeSegment(orders, first, { min })),
            peek: () => store.peek(orders, first, { min }),
            getSegmentStatus: () => statusOf(store, first, min),
          };
          const { details } = await refused(reading[read](), "invalid_argument");
          expect(details["field"]).toBe("min");
        }
      },
    ),
  ),
];

/** The offset of the last entry that was written. */
function offsetOf(chunks: readonly ProducedChunk[]): Cursor {
  const { lastSequence, lastTimestamp, segment: of } = chunks.at(-1)!.status;
  return encodeCursor({ space: orders, segment: of, timestamp: lastTimestamp, sequence: lastSequence });
}

async function statusOf(store: Store, of: SegmentName, min: Cursor): Promise<SegmentStatus> {
  if (store.getSegmentStatus === undefined) throw new Error("Every store here tells a status.");
  return store.getSegmentStatus(orders, of, { min });
}
