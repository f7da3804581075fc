// The end of a space, and the newest entries before it; and what `after` hides of a segment.

import { expect } from "vitest";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectSame, first, orders, produce, records, segment, segmentEntries, space, spaceEntries } from "../given.ts"; // prettier-ignore

export const tailClaims: readonly Claim[] = [
  claim("the end of a space is the same until something is committed to it, and then another", async (context) => {
    const { store, other } = context;
    const empty = await store.spaceTail(orders, 0);
    expect(await other.spaceTail(orders, 0)).toBe(empty);
    await produce(store, first, records(1));
    const one = await other.spaceTail(orders, 0);
    expect(one).not.toBe(empty);
    expect(await store.spaceTail(orders, 0)).toBe(one);
    await produce(other, first, records(1));
    expect(await store.spaceTail(orders, 0)).not.toBe(one);
  }),

  claim("whoever begins at the end sees what is committed from then on, and nothing before", async (context) => {
    const { store, other } = context;
    const ends = [await store.spaceTail(orders, 0)];
    for (let index = 0; index < 6; index += 1) {
      await produce(index % 2 === 0 ? store : other, segment(["!", "s", "\u{10fffd}"][index % 3]!), records(2));
      ends.push(await other.spaceTail(orders, 0));
    }
    const entries = await spaceEntries(store);
    for (const [index, offset] of ends.entries()) {
      expectSame(await all(other.consumeSpace(orders, { offset })), entries.slice(2 * index));
    }
  }),

  claim("the newest entries are as many as were asked for, whatever they were committed with", async (context) => {
    const entries = await given(context);
    for (const count of [1, 2, 3, 7, 11, 12, 13, 100, entries.length - 1, entries.length, entries.length + 1, 1_000]) {
      const offset = await context.other.spaceTail(orders, count);
      expectSame(await all(context.store.consumeSpace(orders, { offset })), entries.slice(-count));
    }
  }),

  claim("they are those of one space, and of a space without any the start", async (context) => {
    await given(context);
    const alone = space("orders2");
    await produce(context.store, first, records(2), { space: alone });
    const offset = await context.other.spaceTail(alone, 10);
    expectSame(await all(context.other.consumeSpace(alone, { offset })), await spaceEntries(context.store, alone));
    expect(await context.store.spaceTail(space("nothing"), 10)).toBe("");
    expect(await context.store.spaceTail(space("nothing"), 0)).toBe("");
  }),

  claim("those that are committed meanwhile follow them", async ({ store, other }) => {
    await produce(store, first, records(5));
    const offset = await other.spaceTail(orders, 2);
    await produce(store, first, records(3, "later"));
    const seen = await all(other.consumeSpace(orders, { offset }));
    expect(seen.map(({ sequence }) => sequence)).toEqual([4, 5, 6, 7, 8]);
  }),

  claim("what after hides of a segment is told, in order, before the first entry that it shows", async (context) => {
    const { store, other } = context;
    for (const count of [3, 1, 2, 4]) await produce(store, first, records(count));
    const entries = await segmentEntries(store, first);
    for (const { timestamp } of entries) {
      for (const from of [0, 2, 5, 11]) {
        const hidden = entries.filter((entry) => entry.sequence >= from && entry.timestamp <= timestamp);
        const told: number[] = [];
        const args = { from, after: timestamp, passed: (sequence: number) => told.push(sequence) };
        const shown = await all(other.consumeSegment(orders, first, { ...args, limit: 1 }));
        expect(shown.map(({ sequence }) => sequence)).toEqual(
          entries.filter((entry) => entry.sequence >= from && entry.timestamp > timestamp).slice(0, 1).map(({ sequence }) => sequence), // prettier-ignore
        );
        expect(told).toEqual(hidden.map(({ sequence }) => sequence));
        await all(other.consumeSegment(orders, first, { ...args, from: told.length === 0 ? from : told.at(-1)! + 1 }));
        expect(told).toEqual(hidden.map(({ sequence }) => sequence));
      }
    }
  }),
];

/**
 * Commits of one entry and of several, to one segment and to several at once, and a pause that no window of time ends
 * at.
 */
async function given({ store, other }: Context) {
  for (let index = 0; index < 12; index += 1) {
    await produce(index % 2 === 0 ? store : other, segment(`s${index % 5}`), records(1 + (index % 4), `${index}`));
  }
  await store.produceAll(orders, [
    { segment: segment("s4"), records: records(2) },
    { segment: segment("s0"), records: records(3) },
    { segment: segment("new"), records: records(1) },
  ]);
  await produce(other, segment("s2"), records(200));
  await produce(other, segment("s1"), records(1));
  const entries = await spaceEntries(other);
  expect(entries.length).toBe(30 + 6 + 201);
  return entries;
}
