// A reader of a space may want some of its entries: it gets those and no others, and never has to look at what was
// hidden again.

import { expect } from "vitest";
import { comparePlaces, cursorAfter, encodeCursor } from "../../../src/codec/cursor.ts";
import type { Place } from "../../../src/codec/cursor.ts";
import type { Entry, Metadata } from "../../../src/core/entry.ts";
import type { EntryFilter } from "../../../src/core/entry-filter.ts";
import type { Cursor, SegmentPrefix, SpaceName } from "../../../src/core/ids.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectSame, orders, produce, record, refused, segment, space, spaceEntries } from "../given.ts";

const names = ["a", "a/1", "b", "é1"].map((name) => segment(name));
const kinds = ["placed", "paid", ""];

export const filterClaims: readonly Claim[] = [
  claim("a prefix lets through the segments whose names begin with it, several those of any", async (context) => {
    const entries = await given(context);
    for (const prefixes of [["a"], ["a/"], ["é"], ["a/1", "b"], ["nothing"], []]) {
      const wanted = entries.filter(
        ({ segment: of }) => prefixes.length === 0 || prefixes.some((prefix) => of.startsWith(prefix)),
      );
      expectSame(await read(context.other, filter(prefixes)), wanted);
    }
  }),

  claim("a condition lets through one of the values of a key, conditions of several keys all hold", async (context) => {
    const entries = await given(context);
    const kind = (metadata: Metadata): string | undefined => metadata.get("kind");
    const cases: [EntryFilter, (entry: Entry) => boolean][] = [
      [filter([], { kind: ["paid"] }), ({ metadata }) => kind(metadata) === "paid"],
      [filter([], { kind: ["paid", "placed"] }), ({ metadata }) => ["paid", "placed"].includes(kind(metadata) ?? "")],
      [filter([], { kind: [""] }), ({ metadata }) => kind(metadata) === ""],
      [filter([], { other: [""] }), () => false],
      [
        filter([], { kind: ["paid"], odd: ["yes"] }),
        ({ metadata }) => kind(metadata) === "paid" && metadata.get("odd") === "yes",
      ],
      [filter(["b"], { kind: ["paid"] }), ({ metadata, segment: of }) => kind(metadata) === "paid" && of === "b"],
    ];
    for (const [wanted, matches] of cases) expectSame(await read(context.store, wanted), entries.filter(matches));
  }),

  claim("a limit counts what matches, and a cursor, after and until hold beside the filter", async (context) => {
    const entries = await given(context);
    const wanted = entries.filter(({ segment: of }) => of === "b");
    const onlyB = { filter: filter(["b"]) };
    for (const limit of [1, 2, wanted.length, wanted.length + 1]) {
      expectSame(await all(context.other.consumeSpace(orders, { ...onlyB, limit })), wanted.slice(0, limit));
    }
    for (const [index, entry] of entries.entries()) {
      const rest = wanted.filter((one) => entries.indexOf(one) > index);
      expectSame(await all(context.store.consumeSpace(orders, { ...onlyB, offset: encodeCursor(entry) })), rest);
    }
    const [, second, third] = wanted;
    const bounds = { after: second!.timestamp - 1, until: third!.timestamp };
    expectSame(await all(context.other.consumeSpace(orders, { ...onlyB, ...bounds })), [second!, third!]);
  }),

  claim(
    "what was hidden is told as passed, so that a reader who goes on behind it never reads it again",
    async (context) => {
      const entries = await given(context);
      for (const wanted of [filter(["a/"]), filter([], { kind: ["paid"] }), filter(["nothing"])]) {
        const matches = await read(context.store, wanted);
        for (const limit of [0, 1, 3]) {
          const { found, last } = await readPassed(context.other, wanted, limit);
          const offset = last === undefined ? ("" as Cursor) : encodeCursor(last);
          const rest = await all(context.store.consumeSpace(orders, { offset }));
          // Nothing is left, or it is what comes behind the limit, with every match that there is.
          expectSame(rest, limit === 0 || matches.length === 0 ? [] : entries.slice(-rest.length));
          const left = await all(context.store.consumeSpace(orders, { offset, filter: wanted }));
          expectSame(left, matches.slice(found.length));
        }
      }
      const { last } = await readPassed(context.other, filter(["nothing"]), 0);
      await produce(context.store, segment("zz"), [record("one more")]);
      const news = await all(context.other.consumeSpace(orders, { offset: encodeCursor(last!) }));
      expect(news.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["one more"]);
    },
  ),

  claim("a filtered reader who comes back after a trim is told so, and clamps as any other", async (context) => {
    const entries = await given(context);
    const at = encodeCursor(entries[0]!);
    const { earliest } = await context.store.trimSpace(orders, { offset: encodeCursor(entries[8]!) });
    const rest = entries.filter((one) => encodeCursor(one) > earliest);
    const args = { filter: filter(["b"]), offset: at };
    await expect(all(context.other.consumeSpace(orders, args))).rejects.toMatchObject({ code: "trimmed" });
    const wanted = rest.filter(({ segment: of }) => of === "b");
    expectSame(await all(context.other.consumeSpace(orders, { ...args, clamp: true })), wanted);
  }),

  claim("several spaces are filtered alike, and each is told how far it was passed", async (context) => {
    const spaces = [orders, space("payments")];
    for (const of of spaces) await given(context, of);
    const wanted = filter(["a"], { kind: ["paid"] });
    const last = new Map<SpaceName, Place>();
    const move = (place: Place): void => void last.set(place.space, place);
    const offsets = new Map(spaces.map((of) => [of, "" as Cursor]));
    const found = await all(context.other.consume({ offsets, filter: wanted, passed: move }));
    const matches = (await all(context.store.consume({ offsets }))).filter(
      ({ segment: of, metadata }) => of.startsWith("a") && metadata.get("kind") === "paid",
    );
    expectSame(found, matches);
    for (const of of spaces) {
      const place = last.get(of);
      expect(place, `${of} was passed`).toBeDefined();
      expect(await all(context.store.consumeSpace(of, { offset: encodeCursor(place!) }))).toEqual([]);
    }
  }),

  claim("a filtered reader who comes back after a trim is told so, and clamps as any other", async (context) => {
    const entries = await given(context);
    const args = { filter: filter(["b"]), offset: encodeCursor(entries[0]!) };
    const { earliest } = await context.store.trimSpace(orders, { offset: encodeCursor(entries[8]!) });
    await refused(context.other.consumeSpace(orders, args), "trimmed");
    const wanted = entries.filter((one) => encodeCursor(one) > earliest && one.segment === "b");
    expectSame(await all(context.other.consumeSpace(orders, { ...args, clamp: true })), wanted);
  }),
];

function filter(prefixes: readonly string[], where: Readonly<Record<string, readonly string[]>> = {}): EntryFilter {
  return {
    prefixes: prefixes as readonly SegmentPrefix[],
    where: new Map(Object.entries(where).map(([key, values]) => [key, new Set(values)])),
  };
}

function read(store: Store, wanted: EntryFilter): Promise<Entry[]> {
  return all(store.consumeSpace(orders, { filter: wanted }));
}

/** What was read, and the place behind all that was looked at. */
async function readPassed(store: Store, wanted: EntryFilter, limit: number) {
  const found: Entry[] = [];
  let last: Place | undefined;
  const passed = (place: Place): void => {
    if (last !== undefined) expect(comparePlaces(last, place)).toBeLessThan(0);
    last = place;
  };
  for await (const entry of store.consumeSpace(orders, { filter: wanted, limit, passed })) {
    if (last !== undefined) expect(comparePlaces(last, entry), "passed no more than was hidden").toBeLessThan(0);
    found.push(entry);
    last = entry;
  }
  return { found, last };
}

/**
 * Some commits, of one segment and of several, with metadata; the last of them is hidden from every filter that there
 * is.
 */
async function given({ store }: Context, within: SpaceName = orders): Promise<Entry[]> {
  let count = 0;
  const some = (size: number) =>
    Array.from({ length: size }, () => {
      const kind = kinds[count % kinds.length]!;
      count += 1;
      return record(
        `event ${count}`,
        new Map([
          ["kind", kind],
          ["odd", count % 2 === 1 ? "yes" : "no"],
        ]),
      );
    });
  for (const size of [1, 3, 2]) {
    for (const name of names) await produce(store, name, some(size), { space: within });
    await store.produceAll(
      within,
      names.map((name) => ({ segment: name, records: some(2) })),
    );
  }
  await produce(store, segment("zz"), [record("the last")], { space: within });
  const entries = await spaceEntries(store, within);
  expect(encodeCursor(entries.at(-1)!) < cursorAfter(within, entries.at(-1)!.timestamp)).toBe(true);
  return entries;
}
