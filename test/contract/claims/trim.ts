// Trims: what is gone is gone for everybody, what is left is as it was, and who has missed something is told.

import { setTimeout as delay } from "node:timers/promises";

import { expect } from "vitest";

import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { Entry } from "../../../src/core/entry.ts";
import { emptyStatus } from "../../../src/core/entry.ts";
import type { Cursor, SpaceName } from "../../../src/core/ids.ts";
import type { SpaceTrim, Store, TrimPoint } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, at, expectSame, first, newId, orders, produce, records, refused, segment, segmentEntries, space, spaceEntries } from "../given.ts"; // prettier-ignore

const second = segment("order-2");

export const trimClaims: readonly Claim[] = [
  claim("entries before the sequence are gone from the segment, the rest is as it was", async ({ store, other }) => {
    for (const count of [3, 2, 4, 1]) await produce(store, first, records(count));
    const entries = await segmentEntries(store, first);
    for (const before of [1, 2, 4, 6, 6, 9, 10]) {
      const status = await store.trimSegment(orders, first, before);
      const kept = entries.slice(before - 1);
      expect(status).toEqual({
        ...emptyStatus(orders, first),
        ...{ firstSequence: before, firstTimestamp: kept[0]!.timestamp },
        ...{ lastSequence: 10, lastTimestamp: entries.at(-1)!.timestamp },
      });
      for (const view of [store, other]) {
        expectSame(await segmentEntries(view, first), kept);
        expect(await view.getSegmentStatus?.(orders, first)).toEqual(status);
        expectSame([(await view.peek(orders, first))!], entries.slice(-1));
      }
    }
  }),

  claim(
    "one at or below where the segment begins changes nothing, nor one of a segment that is not there",
    async (context) => {
      const { store, other } = context;
      await produce(store, first, records(5));
      await store.trimSegment(orders, first, 4);
      for (const before of [1, 3, 4]) {
        expect((await other.trimSegment(orders, first, before)).firstSequence).toBe(4);
      }
      expect((await segmentEntries(store, first)).map(({ sequence }) => sequence)).toEqual([4, 5]);
      expect(await store.trimSegment(orders, second, 9)).toEqual(emptyStatus(orders, second));
      expect(await all(other.getSegments(orders))).toEqual([first]);
    },
  ),

  claim(
    "one beyond the end takes all that is there, and the segment goes on where it was",
    async ({ store, other }) => {
      const [chunk] = await produce(store, first, records(3));
      const committed = await produce(other, first, records(2, "committed"), { ack: "committed" });
      const status = await store.trimSegment(orders, first, 1_000);
      expect([status.firstSequence, status.lastSequence]).toEqual([6, 5]);
      for (const view of [store, other]) {
        expect(await segmentEntries(view, first)).toEqual([]);
        expect(await view.peek(orders, first)).toBeUndefined();
        expect(await view.getSegmentStatus?.(orders, first)).toEqual(status);
      }
      expect(committed[0]!.status.lastSequence).toBe(5);
      expect((await refused(produce(other, first, at([1])), "sequence_mismatch")).details["expected"]).toBe(6);
      const [next] = await produce(other, first, records(1, "next"));
      expect(next!.status).toMatchObject({ firstSequence: 6, lastSequence: 6 });
      expect(next!.status.firstTimestamp).toBe(next!.status.lastTimestamp);
      expect(next!.status.lastTimestamp).toBeGreaterThan(chunk!.status.lastTimestamp);
      expect(await store.getSegmentStatus?.(orders, first)).toEqual(next!.status);
      expect((await segmentEntries(store, first)).map(({ sequence }) => sequence)).toEqual([6]);
    },
  ),

  claim("a produce after it tells where the segment begins, on every instance", async ({ store, other }) => {
    await produce(store, first, records(3));
    await produce(other, first, records(3));
    await store.trimSegment(orders, first, 5);
    for (const view of [other, store]) {
      const [chunk] = await produce(view, first, records(1));
      expect(chunk!.status.firstSequence).toBe(5);
    }
  }),

  claim("who goes on before what is there is told the earliest, and who has missed nothing is not", async (context) => {
    const { store, other } = context;
    for (const count of [2, 3, 3]) await produce(store, first, records(count));
    const entries = await segmentEntries(store, first);
    await store.trimSegment(orders, first, 5);
    for (const view of [store, other]) {
      for (const from of [2, 3, 4]) {
        const error = await refused(view.consumeSegment(orders, first, { from }), "trimmed");
        expect(error.details["earliest"]).toBe(5);
        expectSame(await all(view.consumeSegment(orders, first, { from, clamp: true })), entries.slice(4));
      }
      for (const from of [0, 1]) expectSame(await all(view.consumeSegment(orders, first, { from })), entries.slice(4));
      for (const from of [5, 6, 9]) expectSame(await all(view.consumeSegment(orders, first, { from })), entries.slice(from - 1)); // prettier-ignore
      expectSame(await all(view.consumeSegment(orders, first, { limit: 2 })), entries.slice(4, 6));
      expect(await all(view.consumeSegment(orders, first, { to: 3 }))).toEqual([]);
    }
    await store.trimSegment(orders, first, 1_000);
    for (const view of [store, other]) {
      const error = await refused(view.consumeSegment(orders, first, { from: 6 }), "trimmed");
      expect(error.details["earliest"]).toBe(9);
      expect(await all(view.consumeSegment(orders, first, { from: 9 }))).toEqual([]);
      expect(await all(view.consumeSegment(orders, first, { from: 3, clamp: true }))).toEqual([]);
    }
  }),

  claim("a produce that is repeated after its entries were trimmed is answered as the first time", async (context) => {
    const { store, other } = context;
    const transactionId = newId();
    const [chunk] = await produce(store, first, records(3), { transactionId });
    await produce(store, first, records(1));
    await store.trimSegment(orders, first, 5);
    for (const view of [other, store]) {
      const [again] = await produce(view, first, records(3), { transactionId });
      expect(again!.transaction).toEqual({ ...chunk!.transaction, duplicate: true });
    }
    expect((await store.getSegmentStatus?.(orders, first))?.lastSequence ?? 4).toBe(4);
  }),

  claim("a space is trimmed before a time, with all its segments", async ({ store, other }) => {
    const entries = await given(store, other);
    for (const index of [0, 3, 4, 9]) {
      const { timestamp } = entries[index]!;
      const { earliest } = await trimmed(store, orders, { timestamp });
      const kept = entries.filter((entry) => entry.timestamp >= timestamp);
      for (const view of [store, other]) {
        expectSame(await spaceEntries(view), kept);
        expectSame(await all(view.consumeSpace(orders, { offset: earliest })), kept);
        for (const name of [first, second]) {
          expectSame(await segmentEntries(view, name), kept.filter((entry) => entry.segment === name)); // prettier-ignore
        }
      }
    }
  }),

  claim("or at or before an offset, and then whole commits go", async ({ store, other }) => {
    await produce(store, first, records(1));
    await store.produceAll(orders, [
      { segment: first, records: records(2) },
      { segment: second, records: records(2) },
    ]);
    await produce(other, second, records(1));
    const entries = await spaceEntries(store);
    expect(entries.length).toBe(6);
    for (const [index, left] of [5, 5, 5, 5, 1, 0].entries()) {
      await trimmed(other, orders, { offset: encodeCursor(entries[index]!) });
      expectSame(await spaceEntries(store), left === 0 ? [] : entries.slice(-left));
    }
  }),

  claim(
    "a reader of the space that goes on from before is told, one that has read all that went is not",
    async (context) => {
      const { store, other } = context;
      const entries = await given(store, other);
      const { timestamp } = entries[7]!;
      const { earliest } = await trimmed(other, orders, { timestamp });
      const kept = entries.filter((entry) => entry.timestamp >= timestamp);
      const gone = entries.filter((entry) => entry.timestamp < timestamp);
      for (const view of [store, other]) {
        for (const entry of gone.slice(0, -1)) {
          const offset = encodeCursor(entry);
          const error = await refused(view.consumeSpace(orders, { offset }), "trimmed");
          expect(error.details["earliest"]).toBe(earliest);
          expectSame(await all(view.consumeSpace(orders, { offset, clamp: true })), kept);
        }
        expectSame(await all(view.consumeSpace(orders, { offset: encodeCursor(gone.at(-1)!) })), kept);
        expectSame(await all(view.consumeSpace(orders, { limit: 2 })), kept.slice(0, 2));
        expectSame(await all(view.consumeSpace(orders, { until: kept[1]!.timestamp })), kept.filter((entry) => entry.timestamp <= kept[1]!.timestamp)); // prettier-ignore
        for (const count of [1, kept.length, entries.length]) {
          const offset = await view.spaceTail(orders, count);
          expectSame(await all(view.consumeSpace(orders, { offset })), kept.slice(-count));
        }
      }
    },
  ),

  claim("of several spaces each that was trimmed is named, with its earliest", async ({ store, other }) => {
    const names = ["a", "b", "c"].map(space);
    const offsets = new Map<SpaceName, Cursor>();
    for (const name of names) {
      await produce(store, first, records(2), { space: name });
      const [begins] = await spaceEntries(store, name);
      offsets.set(name, encodeCursor(begins!));
      await produce(store, first, records(1), { space: name });
    }
    const earliest = new Map<SpaceName, Cursor>();
    for (const name of [names[0]!, names[2]!]) {
      const timestamp = (await spaceEntries(store, name)).at(-1)!.timestamp;
      earliest.set(name, (await trimmed(store, name, { timestamp })).earliest);
    }
    const error = await refused(other.consume({ offsets }), "trimmed");
    const told = error.details["trimmed"] as readonly { readonly space: SpaceName; readonly earliest: Cursor }[];
    expect(new Map(told.map((one) => [one.space, one.earliest]))).toEqual(earliest);
    const read = await all(other.consume({ offsets, clamp: true }));
    expect(read.map((entry) => `${entry.space} ${entry.sequence}`).sort()).toEqual(["a 3", "b 2", "b 3", "c 3"]);
  }),

  claim("a space of which all is gone keeps its end, and goes on behind it", async ({ store, other }) => {
    await produce(store, first, records(3));
    await produce(other, second, records(1));
    const entries = await spaceEntries(store);
    const end = await store.spaceTail(orders, 0);
    const { earliest } = await trimmed(store, orders, { timestamp: entries.at(-1)!.timestamp + 1 });
    for (const view of [store, other]) {
      expect(await spaceEntries(view)).toEqual([]);
      expect(await view.spaceTail(orders, 0)).toBe(end);
      expect(await all(view.consumeSpace(orders, { offset: end }))).toEqual([]);
      expect(await all(view.consumeSpace(orders, { offset: earliest }))).toEqual([]);
    }
    const [chunk] = await produce(other, first, records(1, "next"));
    expect(chunk!.transaction!.firstSequence).toBe(4);
    for (const offset of [end, earliest, "" as Cursor]) {
      const [next, ...rest] = await all(store.consumeSpace(orders, { offset }));
      expect([next!.segment, next!.sequence, rest.length]).toEqual([first, 4, 0]);
      expect(next!.timestamp).toBeGreaterThan(entries.at(-1)!.timestamp);
    }
  }),

  claim("what a trim cannot be of is refused", async ({ store }) => {
    await produce(store, first, records(1));
    for (const before of [0, -1, 1.5]) await refused(store.trimSegment(orders, first, before), "invalid_argument");
    await refused(store.trimSpace(orders, { timestamp: -1 }), "invalid_argument");
    const [entry] = await spaceEntries(store);
    await refused(store.trimSpace(space("others"), { offset: encodeCursor(entry!) }), "invalid_argument");
    expect((await segmentEntries(store, first)).length).toBe(1);
  }),

  claim(
    "while four producers write, trims of the segment and the space lose nothing that is behind them",
    async (context) => {
      const { store, other } = context;
      let writing = true;
      const produced = Promise.all(
        [store, other, store, other].map(async (instance, writer) => {
          const name = writer < 2 ? first : second;
          for (let index = 0; index < 15; index += 1) await produce(instance, name, records(2, `${writer}-${index}`));
        }),
      ).finally(() => (writing = false));
      const trims = [store, other].map(async (instance, which) => {
        do {
          const last = (await instance.getSegmentStatus?.(orders, first))?.lastSequence ?? 0;
          if (which === 0 && last > 4) await instance.trimSegment(orders, first, last - 3);
          const [entry] = await all(instance.consumeSpace(orders, { limit: 1 }));
          if (which === 1 && entry !== undefined) await instance.trimSpace(orders, { timestamp: entry.timestamp + 1 });
          await delay(5);
        } while (writing);
      });
      await Promise.all([produced, ...trims]);
      for (const view of [store, other]) {
        for (const name of [first, second]) {
          const sequences = (await segmentEntries(view, name)).map(({ sequence }) => sequence);
          const begins = (await view.getSegmentStatus?.(orders, name))?.firstSequence ?? sequences[0]!;
          expect(sequences).toEqual(Array.from({ length: 61 - begins }, (_, index) => begins + index));
        }
      }
    },
  ),
];

/** Ten entries and more, in commits of one segment and of two. */
async function given(store: Store, other: Store): Promise<readonly Entry[]> {
  for (let index = 0; index < 6; index += 1) {
    await produce(index % 2 === 0 ? store : other, index % 3 === 0 ? second : first, records(1 + (index % 2)));
  }
  await store.produceAll(orders, [
    { segment: second, records: records(2) },
    { segment: first, records: records(1) },
  ]);
  await produce(other, first, records(2));
  return spaceEntries(other);
}

/** Until nothing before the point is left: what was committed last may still wait for its end. */
async function trimmed(store: Store, name: SpaceName, before: TrimPoint): Promise<SpaceTrim> {
  for (;;) {
    const trim = await store.trimSpace(name, before);
    if (trim.state === "done") return trim;
    await delay(50);
  }
}
