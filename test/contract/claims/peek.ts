// The last entry of a segment and its status: what was acknowledged is there at once, and neither ever goes back.

import { expect } from "vitest";
import { emptyStatus } from "../../../src/core/entry.ts";
import type { SegmentStatus } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import type { SegmentName } from "../../../src/core/ids.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { at, expectContent, expectSame, first, incompressible, orders, produce, record, records, refused, segment, segmentEntries } from "../given.ts"; // prettier-ignore

export const peekClaims: readonly Claim[] = [
  claim("of an unknown segment there is nothing to peek at, and its status is zero", async ({ store, other }) => {
    expect(await store.peek(orders, first)).toBeUndefined();
    expect(await statusOf(store, first)).toEqual(emptyStatus(orders, first));
    await produce(store, segment("order-10"), records(2));
    for (const view of [store, other]) {
      expect(await view.peek(orders, first)).toBeUndefined();
      expect(await statusOf(view, first)).toEqual(emptyStatus(orders, first));
    }
  }),

  claim("after N it is entry N, on every instance", async ({ store, other }) => {
    const given = records(1_003);
    let written = 0;
    for (const count of [1, 1, 5, 993, 3]) {
      const next = given.slice(written, written + count);
      await produce(written % 2 === 0 ? store : other, first, next);
      written += count;
      for (const view of [store, other]) {
        const last = await view.peek(orders, first);
        expectContent([last!], [given[written - 1]!], written);
        expectSame([last!], (await segmentEntries(view, first)).slice(-1));
      }
    }
  }),

  ...[1_000, 32_768, 32_769, 100_000, limits.recordBytesMax].map((bytes) =>
    claim(`an entry of ${bytes} bytes is peeked at whole`, async ({ store, other }) => {
      await produce(store, first, records(2));
      const large = record(incompressible(bytes));
      await produce(store, first, [large]);
      expectContent([(await other.peek(orders, first))!], [large], 3);
      const small = record("small again");
      await produce(other, first, [small]);
      expectContent([(await store.peek(orders, first))!], [small], 4);
    }),
  ),

  claim("right after a conflict it is what won", async ({ store, other }) => {
    await produce(store, first, at([1, 2], "winner"));
    await refused(produce(other, first, at([1, 2, 3], "loser")), "sequence_mismatch");
    for (const view of [other, store]) expectContent([(await view.peek(orders, first))!], [record("winner 2")], 2);
    await produce(other, first, at([3], "winner"));
    await refused(produce(store, first, at([3], "loser")), "sequence_mismatch");
    for (const view of [other, store]) expectContent([(await view.peek(orders, first))!], [record("winner 3")], 3);
  }),

  claim(
    "the status says where the segment begins and ends: the first stays, the last grows",
    async ({ store, other }) => {
      const [begun] = await produce(store, first, records(3));
      let last = begun!.status;
      for (let index = 0; index < 5; index += 1) {
        const [chunk] = await produce(index % 2 === 0 ? other : store, first, records(2));
        const { status } = chunk!;
        expect(status.lastTimestamp).toBeGreaterThan(last.lastTimestamp);
        expect(status).toEqual({ ...last, lastSequence: last.lastSequence + 2, lastTimestamp: status.lastTimestamp });
        for (const view of [store, other]) expect(await statusOf(view, first)).toEqual(status);
        last = status;
      }
      const entries = await segmentEntries(other, first);
      expect([last.firstTimestamp, last.lastTimestamp]).toEqual([entries[0]!.timestamp, entries.at(-1)!.timestamp]);
    },
  ),

  claim(
    "while four producers write, neither status nor peek of either instance ever goes back",
    async ({ store, other }) => {
      let writing = true;
      const produced = Promise.all(
        [store, other, store, other].map(async (instance, writer) => {
          for (let index = 0; index < 20; index += 1) await produce(instance, first, records(2, `${writer}-${index}`));
        }),
      ).finally(() => (writing = false));
      const watched = [store, other].map(async (view) => {
        let before = 0;
        let looks = 0;
        do {
          const status = await statusOf(view, first);
          const entry = await view.peek(orders, first);
          expect(status.lastSequence).toBeGreaterThanOrEqual(before);
          expect(entry?.sequence ?? 0).toBeGreaterThanOrEqual(status.lastSequence);
          expect(status.firstSequence).toBe(status.lastSequence === 0 ? 0 : 1);
          before = entry?.sequence ?? 0;
          looks += 1;
          // A table that answers in microtasks would never let the writers' timers fire.
          await new Promise((resolve) => setImmediate(resolve));
        } while (writing || looks === 0);
      });
      await Promise.all([produced, ...watched]);
      expect((await statusOf(store, first)).lastSequence).toBe(160);
    },
  ),
];

/** By the capability where there is one, else by a produce of nothing, which every store answers with the status. */
async function statusOf(store: Store, of: SegmentName): Promise<SegmentStatus> {
  if (store.getSegmentStatus !== undefined) return store.getSegmentStatus(orders, of);
  return (await produce(store, of, []))[0]!.status;
}
