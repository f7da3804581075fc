// Redaction: payload and metadata of single entries are gone for everybody, and nothing else is.

import { expect } from "vitest";

import type { Entry } from "../../../src/core/entry.ts";
import { noMetadata } from "../../../src/core/entry.ts";
import type { EntryFilter } from "../../../src/core/entry-filter.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, first, newId, orders, plain, produce, record, records, refused, segment, segmentEntries, spaceEntries } from "../given.ts"; // prettier-ignore

const second = segment("order-2");

export const redactionClaims: readonly Claim[] = [
  claim("payload and metadata are gone from every view, and place, time and transaction stay", async (context) => {
    const { other, store } = context;
    for (const name of ["a", "b", "c"]) {
      const about = new Map([["who", name]]);
      await produce(store, first, [record(`${name} 1`, about), record(`${name} 2`, about), record(`${name} 3`)]);
      await produce(store, second, [record(`${name} elsewhere`, about)]);
    }
    const entries = await segmentEntries(store, first);
    const inSpace = await spaceEntries(store);
    for (const sequences of [[5], [2, 4, 8, 2], [9]]) await store.redact(orders, first, sequences);
    const gone = new Set([2, 4, 5, 8, 9]);
    for (const view of [store, other]) {
      expect(shown(await segmentEntries(view, first))).toEqual(shown(redacted(entries, gone)));
      expect(shown(await spaceEntries(view))).toEqual(shown(redacted(inSpace, gone)));
      expect(shown(await all(view.consume({ offsets: new Map([[orders, "" as never]]) })))).toEqual(
        shown(redacted(inSpace, gone)),
      );
    }
  }),

  claim("the last entry is peeked at as redacted, and what comes after it is whole", async ({ other, store }) => {
    await produce(store, first, records(3));
    const entries = await segmentEntries(store, first);
    await other.redact(orders, first, [3]);
    for (const view of [store, other]) {
      expect(shown([(await view.peek(orders, first))!])).toEqual(shown(redacted(entries.slice(2), new Set([3]))));
      expect((await view.getSegmentStatus?.(orders, first))?.lastSequence).toBe(3);
    }
    const [chunk] = await produce(other, first, records(1, "after"));
    expect(chunk!.transaction?.firstSequence).toBe(4);
    const after = await segmentEntries(store, first);
    expect(after.map((entry) => entry.redacted ?? false)).toEqual([false, false, true, false]);
    expect(Buffer.from((await store.peek(orders, first))!.payload).toString()).toBe("after 1");
  }),

  claim("what is committed and not applied yet is redacted as well", async ({ other, store }) => {
    await produce(store, first, records(1));
    const [chunk] = await produce(other, first, records(2, "committed"), { ack: "committed" });
    await store.redact(orders, first, [chunk!.status.lastSequence]);
    for (const view of [other, store]) {
      for (const entries of [await segmentEntries(view, first), await spaceEntries(view)]) {
        expect(entries.map((entry) => entry.redacted ?? false)).toEqual([false, false, true]);
      }
    }
  }),

  claim("entries of the same transaction, of the same segment and of others, stay", async ({ other, store }) => {
    await store.produceAll(orders, [
      { segment: first, records: records(2, "one") },
      { segment: second, records: records(2, "two") },
    ]);
    await store.redact(orders, second, [1]);
    expect((await segmentEntries(other, first)).map(textOf)).toEqual(["one 1", "one 2"]);
    expect((await segmentEntries(other, second)).map(textOf)).toEqual(["", "two 2"]);
    expect((await spaceEntries(other)).map(textOf)).toEqual(["one 1", "one 2", "", "two 2"]);
  }),

  claim(
    "again is no error, and what the segment does not have, or has no more, is refused as a whole",
    async (context) => {
      const { other, store } = context;
      await produce(store, first, records(4));
      await store.redact(orders, first, [3]);
      await other.redact(orders, first, [3]);
      const before = shown(await segmentEntries(store, first));
      for (const sequences of [[], [4, 5], [0], [-1], [1.5], Array.from({ length: 101 }, () => 4)]) {
        expect((await refused(store.redact(orders, first, sequences), "invalid_argument")).effect).toBe("none");
      }
      await refused(store.redact(orders, second, [1]), "invalid_argument");
      expect(shown(await segmentEntries(other, first))).toEqual(before);
      await store.trimSegment(orders, first, 3);
      const error = await refused(other.redact(orders, first, [2, 4]), "trimmed");
      expect([error.details["earliest"], error.effect]).toEqual([3, "none"]);
      expect(shown(await segmentEntries(store, first))).toEqual(before.slice(2));
    },
  ),

  claim("a repeat of the produce gets its first answer, and writes nothing", async ({ other, store }) => {
    const transactionId = newId();
    const [chunk] = await produce(store, first, records(3), { transactionId });
    await store.redact(orders, first, [2]);
    for (const view of [other, store]) {
      const [again] = await produce(view, first, records(3), { transactionId });
      expect(again!.transaction).toEqual({ ...chunk!.transaction, duplicate: true });
    }
    await refused(produce(other, first, records(2), { transactionId }), "transaction_id_mismatch");
    expect((await segmentEntries(store, first)).map((entry) => entry.redacted ?? false)).toEqual([false, true, false]);
  }),

  claim("a filter finds it by its segment, and by its metadata no more", async ({ other, store }) => {
    const about = new Map([["who", "ada"]]);
    await produce(store, first, [record("1", about), record("2", about)]);
    await produce(store, second, [record("3", about)]);
    await store.redact(orders, first, [1]);
    const found = async (view: Store, filter: EntryFilter): Promise<readonly string[]> =>
      (await all(view.consumeSpace(orders, { filter }))).map(({ segment: of, sequence }) => `${of} ${sequence}`);
    const byName = { prefixes: ["order-1" as never], where: new Map() };
    const byWho = { prefixes: [], where: new Map([["who", new Set(["ada"])]]) };
    for (const view of [store, other]) {
      expect(await found(view, byName)).toEqual(["order-1 1", "order-1 2"]);
      expect(await found(view, byWho)).toEqual(["order-1 2", "order-2 1"]);
    }
  }),
];

function redacted(entries: readonly Entry[], sequences: ReadonlySet<number>): readonly Entry[] {
  return entries.map((entry) =>
    entry.segment === first && sequences.has(entry.sequence)
      ? { ...entry, payload: new Uint8Array(), metadata: noMetadata, redacted: true }
      : entry,
  );
}

function shown(entries: readonly Entry[]): readonly unknown[] {
  return plain(entries).map((entry, index) => ({ entry, redacted: entries[index]?.redacted ?? false }));
}

function textOf({ payload }: Entry): string {
  return Buffer.from(payload).toString();
}
