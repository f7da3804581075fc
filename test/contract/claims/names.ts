// Names: what is allowed comes back identical and in order, what is not is refused, and none is missing once
// acknowledged.

import { expect } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectContent, orders, produce, records, refused, segment, segmentEntries, space, spaceEntries } from "../given.ts"; // prettier-ignore

const awkward = [
  "a", "A", "a b", " a", "a ", "a/b", "/", "//", "a/../b", "./a", "a\\b", "\\", "a#b", "a?b=c&d", "a+b", "a'b", "''", 'a"b', "a:b", "a;b",
  "a,b", "a|b", "<a>", "{a}", "[a]", "(a)", "a*b", "*", "a^b", "a`b", "a~b", "a!b", "a@b", "a$b", "a=b", "...", "a.", ".a", "-", "_", "0",
  "null", "__proto__", "constructor", "é", "e\u0301", "ß", "日本語", "עברית", "🚀", "👩‍🚀", "\u00a0", "\ufeff", "\u200b", "\uffff", "\u{10000}",
  "\u{10ffff}", "entries", "records", "segments", "last", "status", "transactions", "DAT", "SEGMENTS",
]; // prettier-ignore

const forbidden = [
  "",
  ".",
  "..",
  "a%b",
  // Not %2F: over HTTP it is read as the / that it stands for.
  "%2E",
  "%",
  "a\u0000b",
  "\u0001",
  "a\nb",
  "a\tb",
  "\u007f",
  "\u0085",
  "\u009f",
];

export const nameClaims: readonly Claim[] = [
  claim("every allowed name of a segment comes back identical, in UTF-8 order", async ({ store, other, backend }) => {
    const given = [...awkward, "x".repeat(limits.segmentNameBytesMax), "é".repeat(limits.segmentNameBytesMax / 2)];
    await Promise.all(
      given.map((name, index) =>
        produce(index % 2 === 0 ? store : other, backend.names.segment(name), records(1, name)),
      ),
    );
    for (const view of [store, other]) expect(await all(view.getSegments(orders))).toEqual(inOrder(given));
    for (const name of given) {
      const entries = await segmentEntries(other, segment(name));
      expectContent(entries, records(1, name));
      expect(entries[0]?.segment).toBe(name);
    }
    expect(new Set((await spaceEntries(store)).map((entry) => entry.segment))).toEqual(new Set(given));
  }),

  claim("every allowed name of a space comes back identical, in UTF-8 order", async ({ store, other, backend }) => {
    const given = [...awkward, "x".repeat(limits.spaceNameBytesMax), "é".repeat(limits.spaceNameBytesMax / 2)];
    const of = segment("s/1");
    await Promise.all(
      given.map((name, index) =>
        produce(index % 2 === 0 ? store : other, of, records(1, name), { space: backend.names.space(name) }),
      ),
    );
    for (const view of [store, other]) expect(await all(view.getSpaces())).toEqual(inOrder(given));
    for (const name of given) {
      const entries = await spaceEntries(other, space(name));
      expectContent(entries, records(1, name));
      expect(entries[0]?.space).toBe(name);
      expect(await all(other.getSegments(space(name)))).toEqual([of]);
    }
  }),

  claim("forbidden names are refused, and nothing is written", async ({ store, other, backend }) => {
    const { names } = backend;
    const segments = [
      ...forbidden,
      "x".repeat(limits.segmentNameBytesMax + 1),
      `${"é".repeat(limits.segmentNameBytesMax / 2)}x`,
    ];
    for (const name of segments) {
      await refused(
        asked(() => produce(store, names.segment(name), records(1))),
        "invalid_argument",
        "not_found",
        "method_not_allowed",
      );
    }
    const spaces = [
      ...forbidden,
      "x".repeat(limits.spaceNameBytesMax + 1),
      `${"é".repeat(limits.spaceNameBytesMax / 2)}x`,
    ];
    for (const name of spaces) {
      await refused(
        asked(() => produce(store, segment("s"), records(1), { space: names.space(name) })),
        "invalid_argument",
        "not_found",
        "method_not_allowed",
      );
    }
    expect(await all(other.getSpaces())).toEqual([]);
  }),

  claim("both lists are complete as soon as a produce is acknowledged, on every instance", async ({ store, other }) => {
    const segments: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      const name = `s${(index * 7) % 12}`;
      await produce(index % 2 === 0 ? store : other, segment(name), records(1));
      segments.push(name);
      for (const view of [store, other]) {
        expect(await all(view.getSegments(orders))).toEqual(inOrder(segments));
        expect(await all(view.getSpaces())).toEqual([orders]);
      }
    }
    await store.produceAll(orders, [
      { segment: segment("t2"), records: records(1) },
      { segment: segment("t1"), records: records(1) },
    ]);
    expect(await all(other.getSegments(orders))).toEqual(inOrder([...segments, "t1", "t2"]));
    await produce(other, segment("s"), records(1), { space: space("another") });
    expect(await all(store.getSpaces())).toEqual(["another", orders]);
  }),

  claim("both lists go on after any name, whether it exists or not, and stop at a limit", async ({ store, other }) => {
    const names = ["a", "a1", "a10", "b", "é", "\uffff", "\u{10000}"];
    for (const name of names) {
      await produce(store, segment(name), records(1));
      await produce(store, segment("s"), records(1), { space: space(name) });
    }
    const lists = [
      { known: names, list: (options: object) => all(other.getSegments(orders, options)) },
      { known: [...names, orders], list: (options: object) => all(other.getSpaces(options)) },
    ];
    for (const { known, list } of lists) {
      const sorted = inOrder(known);
      for (const after of [...names, "", " ", "a0", "az", "zzz", "\u{10ffff}"]) {
        const rest = sorted.filter((name) => Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0);
        expect(await list(after === "" ? {} : { after })).toEqual(rest);
        expect(await list(after === "" ? { limit: 2 } : { after, limit: 2 })).toEqual(rest.slice(0, 2));
      }
      expect(await list({ limit: 0 })).toEqual(sorted);
      expect(await list({ limit: 100 })).toEqual(sorted);
    }
  }),

  claim("a refused or empty produce leaves no name behind", async ({ store, other }) => {
    await refused(produce(store, segment("refused"), [{ ...records(1)[0]!, sequence: 2 }]), "sequence_mismatch");
    await produce(store, segment("empty"), []);
    expect(await all(other.getSegments(orders))).toEqual([]);
    expect(await all(other.getSpaces())).toEqual([]);
  }),
];

function inOrder(names: readonly string[]): string[] {
  return names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** A name may be refused where it comes in, before there is a promise. */
async function asked<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
