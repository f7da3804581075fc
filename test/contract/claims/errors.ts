// What goes wrong while reading is an error after what was read before it, never a shorter stream.

import { expect } from "vitest";
import type { Entry } from "../../../src/core/entry.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectContent, expectSame, first, incompressible, orders, produce, record, records, refused, segment, segmentEntries, space, spaceEntries, untilError } from "../given.ts"; // prettier-ignore

const views = [
  { view: "segment", read: (store: Store) => store.consumeSegment(orders, first) },
  { view: "space", read: (store: Store) => store.consumeSpace(orders) },
  { view: "several spaces", read: (store: Store) => store.consume({ offsets: new Map([[orders, "" as never]]) }) },
] as const;

const lists = [
  { what: "the spaces", list: (store: Store) => store.getSpaces() },
  { what: "the segments of a space", list: (store: Store) => store.getSegments(orders) },
] as const;

export const errorClaims: readonly Claim[] = [
  claim(
    "when a page fails, its error comes after what was read before, and reading again gives all",
    async (context) => {
      const { other, backend } = context;
      const entries = await manyPages(context);
      for (const { view, read } of views) {
        for (const pages of [0, 1, 2]) {
          await backend.faults.failReads(pages);
          const outcome = await untilError(read(other));
          expect(outcome.error).toMatchObject({ name: "StoreError", code: "storage_unavailable", effect: "none" });
          expect(outcome.read.length).toBeLessThan(entries.length);
          if (pages === 0) expect(outcome.read, view).toEqual([]);
          // A page that was fetched ahead may fail before the one in hand is used up, but one page is always handed on.
          if (pages === 2) expect(outcome.read.length, view).toBeGreaterThan(0);
          expectSame(outcome.read, entries.slice(0, outcome.read.length));
          await backend.faults.heal();
        }
      }
      expectSame(await all(other.consume({ offsets: new Map([[orders, "" as never]]) })), entries);
    },
  ),

  ...lists.map(({ what, list }) =>
    claim(
      `${what}: when a page of names fails, its error comes after what was read before, never a shorter list`,
      async (context) => {
        const { store, other, backend } = context;
        const names = Array.from({ length: 12 }, (_, index) => `n${String(index).padStart(2, "0")}`);
        for (const name of names) {
          await produce(store, segment(name), records(1));
          await produce(store, first, records(1), { space: space(name) });
        }
        const whole = await all<string>(list(other));
        expect(whole).toEqual(expect.arrayContaining(names));
        for (const pages of [0, 1]) {
          await backend.faults.failReads(pages);
          const outcome = await untilError<string>(list(other));
          expect(outcome.error).toMatchObject({ name: "StoreError", code: "storage_unavailable", effect: "none" });
          expect(outcome.read).toEqual(whole.slice(0, pages === 0 ? 0 : outcome.read.length));
          await backend.faults.heal();
        }
        expect(await all<string>(list(other))).toEqual(whole);
      },
    ),
  ),

  ...views.map(({ view, read }) =>
    claim(`${view}: what cannot be decoded is corrupt_data, after all that was before it`, async (context) => {
      const { store, other, backend } = context;
      for (let index = 0; index < 5; index += 1) await produce(store, first, records(3, `chunk ${index}`));
      const entries = await all(read(other));
      expect(entries).toHaveLength(15);
      await backend.faults.corrupt(context.id, view === "segment" ? "segment" : "space", entries[7]!);
      for (const instance of [other, store]) {
        const outcome = await untilError(read(instance));
        expect(outcome.error).toMatchObject({ name: "StoreError", code: "corrupt_data" });
        expectSame(outcome.read, entries.slice(0, 6));
      }
    }),
  ),

  claim("what was asked for before or after the spoilt place is read as if nothing were", async (context) => {
    const { store, other, backend } = context;
    for (let index = 0; index < 5; index += 1) await produce(store, first, records(3, `chunk ${index}`));
    const entries = await segmentEntries(other, first);
    await backend.faults.corrupt(context.id, "segment", entries[7]!);
    expectSame(await all(other.consumeSegment(orders, first, { to: 6 })), entries.slice(0, 6));
    expectSame(await all(other.consumeSegment(orders, first, { from: 10 })), entries.slice(9));
    await refused(other.consumeSegment(orders, first, { from: 8, to: 8 }), "corrupt_data");
    expectSame([(await other.peek(orders, first))!], entries.slice(-1));
  }),

  claim("a spoilt segment harms no other, and is still written to", async (context) => {
    const { store, other, backend } = context;
    const second = segment("order-2");
    await produce(store, first, records(2));
    await produce(store, second, records(2));
    const [spoilt] = await segmentEntries(store, first);
    await backend.faults.corrupt(context.id, "segment", spoilt!);
    await produce(other, second, records(2, "more"));
    await produce(other, first, records(1, "more"));
    expectContent(await segmentEntries(store, second), [...records(2), ...records(2, "more")]);
    expectContent(await all(store.consumeSegment(orders, first, { from: 3 })), records(1, "more"), 3);
    expect(await spaceEntries(store)).toHaveLength(7);
    await refused(segmentEntriesOf(store), "corrupt_data");
  }),

  claim("a read that failed leaves nothing behind: when reading works again, everything does", async (context) => {
    const { other, store, backend } = context;
    await produce(store, first, records(1));
    await backend.faults.failReads(0);
    await refused(all(other.consumeSegment(orders, first)), "storage_unavailable");
    await refused(all(other.consumeSpace(orders)), "storage_unavailable");
    await backend.faults.heal();
    expect(await all(other.getSegments(orders))).toEqual([first]);
    expect((await other.peek(orders, first))?.sequence).toBe(1);
  }),
];

function segmentEntriesOf(store: Store): Promise<Entry[]> {
  return segmentEntries(store, first);
}

/** Blocks of 700 kB that no compression makes small: several pages of any backend. */
export async function manyPages({ store }: Pick<Context, "store">, blocks = 16): Promise<Entry[]> {
  const given = Array.from({ length: blocks }, (_, index) => record(incompressible(700_000, index + 1)));
  await produce(store, first, given);
  const entries = await segmentEntries(store, first);
  expect(entries).toHaveLength(blocks);
  return entries;
}
