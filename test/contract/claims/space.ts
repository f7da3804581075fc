// A space is read in one order, the same for every reader, and resumed from any place without a gap or a repeat.

import { expect } from "vitest";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { Entry } from "../../../src/core/entry.ts";
import type { Cursor } from "../../../src/core/ids.ts";
import type { ConsumeSpaceArgs } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectContent, expectSame, first, orders, produce, records, refused, segment, segmentEntries, space, spaceEntries } from "../given.ts"; // prettier-ignore

/** In UTF-8 order. The last two are the other way round in UTF-16. */
const names = ["s", "s ", "s-", "s/", "s1", "s10", "s2", "é", "\uffff", "\u{10000}"].map((name) => segment(name));

export const spaceClaims: readonly Claim[] = [
  claim(
    "entries are strictly ordered by timestamp, then segment as UTF-8, then sequence, each once",
    async (context) => {
      const entries = await given(context);
      for (const [index, entry] of entries.entries()) {
        const before = entries[index - 1];
        if (before !== undefined) expect(order(before, entry), `entry ${index}`).toBeLessThan(0);
      }
      expect(new Set(entries.map(({ segment: of, sequence }) => `${of}/${sequence}`)).size).toBe(entries.length);
      expectSame(await spaceEntries(context.store), entries);
      for (const of of names) {
        expectSame(
          await segmentEntries(context.other, of),
          entries.filter((entry) => entry.segment === of),
        );
      }
    },
  ),

  claim("resuming from every possible cursor gives exactly the rest", async (context) => {
    const entries = await given(context);
    expectSame(await all(context.other.consumeSpace(orders, { offset: "" as Cursor })), entries);
    for (const [index, entry] of entries.entries()) {
      const instance = index % 2 === 0 ? context.store : context.other;
      const rest = await all(instance.consumeSpace(orders, { offset: encodeCursor(entry) }));
      expectSame(rest, entries.slice(index + 1));
    }
  }),

  claim("a cursor need not name an entry: it is a place, also before all and beyond the end", async (context) => {
    const entries = await given(context);
    const { timestamp } = entries[12]!;
    const places = [
      { timestamp: timestamp - 1, segment: segment("zzz"), sequence: 7 },
      { timestamp, segment: segment("!"), sequence: 1 },
      { timestamp, segment: segment("s1x"), sequence: 1 },
      { timestamp, segment: segment("\u{10fffd}"), sequence: 9 },
      { timestamp: 1, segment: first, sequence: 1 },
      { timestamp: entries.at(-1)!.timestamp + 1, segment: first, sequence: 1 },
    ];
    for (const place of places) {
      const offset = encodeCursor({ space: orders, ...place });
      const expected = entries.filter((entry) => order(entry, place) > 0);
      expectSame(await all(context.other.consumeSpace(orders, { offset })), expected);
    }
  }),

  claim(
    "a reader going page by page, from cursor to cursor, sees what one going straight through sees",
    async (context) => {
      const entries = await given(context);
      for (const limit of [1, 2, 5, 13]) {
        const pages: Entry[] = [];
        let offset = "" as Cursor;
        for (;;) {
          const page = await all(context.other.consumeSpace(orders, { offset, limit }));
          expect(page.length).toBeLessThanOrEqual(limit);
          if (page.length === 0) break;
          pages.push(...page);
          expect(pages.length).toBeLessThanOrEqual(entries.length);
          offset = encodeCursor(page.at(-1)!);
        }
        expectSame(pages, entries);
      }
    },
  ),

  claim(
    "after is exclusive, until inclusive, limit is the most that comes, and all hold together with a cursor",
    async (context) => {
      const entries = await given(context);
      const times = [...new Set(entries.map(({ timestamp }) => timestamp))];
      for (const time of times) {
        for (const edge of [time - 1, time, time + 1]) {
          await expectModel(context, entries, { after: edge });
          await expectModel(context, entries, { until: edge });
        }
      }
      for (const limit of [0, 1, 2, entries.length, entries.length + 1]) await expectModel(context, entries, { limit });
      const offset = encodeCursor(entries[10]!);
      await expectModel(context, entries, { offset, after: times[1]!, until: times[4]!, limit: 3 });
      await expectModel(context, entries, { offset, after: times.at(-2)! });
      await expectModel(context, entries, { offset, until: times[0]! });
    },
  ),

  claim("a cursor of another space, or what is no cursor, is refused", async ({ store, other }) => {
    await produce(store, first, records(2));
    await produce(store, first, records(2), { space: space("orders2") });
    const [foreign] = await spaceEntries(store, space("orders2"));
    for (const offset of [encodeCursor(foreign!), "00", "zz", "4441540053504143455300"]) {
      const error = await refused(other.consumeSpace(orders, { offset: offset as Cursor }), "invalid_argument");
      expect(error.details).toMatchObject({ field: "offset" });
    }
  }),

  claim("segments whose names begin alike never leak into each other", async ({ store, other }) => {
    for (const of of names) await produce(store, of, records(3, of));
    for (const of of names) {
      expectContent(await segmentEntries(other, of), records(3, of));
      expect((await other.peek(orders, of))?.segment).toBe(of);
      expectContent(await all(other.consumeSegment(orders, of, { from: 3 })), records(3, of).slice(2), 3);
    }
    await expectAbsent({ store, other }, "s0", "s11", "s1 ", "S");
  }),

  claim("spaces whose names begin alike never leak into each other", async ({ store, other }) => {
    const spaces = ["o", "o ", "o/", "o1", "o10", "o2", "\uffff", "\u{10000}"].map((name) => space(name));
    for (const within of spaces) await produce(store, segment("s"), records(2, within), { space: within });
    for (const within of spaces) {
      expectContent(await spaceEntries(other, within), records(2, within));
      expect((await spaceEntries(other, within)).map((entry) => entry.space)).toEqual([within, within]);
      expect(await all(other.getSegments(within))).toEqual(["s"]);
    }
    expect(await spaceEntries(other, space("o11"))).toEqual([]);
    expect(await all(other.getSegments(space("o0")))).toEqual([]);
    // The same letters, split elsewhere.
    expect(await segmentEntries(other, segment("0s"), space("o1"))).toEqual([]);
  }),

  claim("a space that does not exist is empty", async ({ store }) => {
    expect(await spaceEntries(store)).toEqual([]);
    const offset = encodeCursor({ space: orders, timestamp: 1, segment: first, sequence: 1 });
    expect(await all(store.consumeSpace(orders, { offset }))).toEqual([]);
  }),

  claim("stores share nothing", async ({ backend, store }) => {
    const neighbour = backend.store(0, crypto.randomUUID() as typeof store.id);
    await produce(store, first, records(2));
    expect(await spaceEntries(neighbour)).toEqual([]);
    expect(await all(neighbour.getSpaces())).toEqual([]);
    await produce(neighbour, first, records(1, "neighbour"));
    expectContent(await spaceEntries(store), records(2));
  }),
];

/** Chunks of several entries, commits to several segments at once, by both instances. */
async function given({ store, other }: Context): Promise<Entry[]> {
  for (const [index, of] of [...names, ...names.slice(0, 3)].entries()) {
    await produce(index % 2 === 0 ? store : other, of, records(1 + (index % 3), `${index}`));
  }
  const together = names.toReversed().map((of) => ({ segment: of, records: records(2, `together ${of}`) }));
  await store.produceAll(orders, together);
  await produce(other, names[4]!, records(2, "last"));
  const entries = await spaceEntries(other);
  expect(entries.length).toBe(25 + 20 + 2);
  return entries;
}

type Place = Pick<Entry, "timestamp" | "segment" | "sequence">;

/** Written for itself, apart from the order that the store uses. */
function order(a: Place, b: Place): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  return Buffer.compare(Buffer.from(a.segment), Buffer.from(b.segment)) || a.sequence - b.sequence;
}

async function expectModel({ other }: Context, entries: readonly Entry[], args: ConsumeSpaceArgs): Promise<void> {
  const { offset, after = 0, until, limit } = args;
  const begin = offset === undefined ? 0 : entries.findIndex((entry) => encodeCursor(entry) === offset) + 1;
  const expected = entries
    .slice(begin)
    .filter(({ timestamp }) => timestamp > after && timestamp <= (until || Infinity))
    .slice(0, limit || Infinity);
  expectSame(await all(other.consumeSpace(orders, args)), expected);
}

async function expectAbsent({ store, other }: Pick<Context, "store" | "other">, ...absent: string[]): Promise<void> {
  for (const view of [store, other]) {
    for (const name of absent) {
      expect(await segmentEntries(view, segment(name))).toEqual([]);
      expect(await view.peek(orders, segment(name))).toBeUndefined();
    }
  }
}
