// Restoring a backup: what was read of a space is there again, in another, as it was; once, and behind what is there.

import { expect } from "vitest";

import type { Entry } from "../../../src/core/entry.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, at, expectSame, first, orders, plain, produce, record, records, refused, segment, segmentEntries, space, spaceEntries } from "../given.ts"; // prettier-ignore

const copy = space("copy");
const second = segment("order-2");

export const restoreClaims: readonly Claim[] = [
  claim("the entries of a space come back as they were, in the space and in its segments", async (context) => {
    const { store, other } = context;
    const entries = await given(store, other);
    const restored = await store.restoreEntries(copy, entries);
    expect(restored).toEqual({ restored: entries.length, present: 0, lastTimestamp: entries.at(-1)!.timestamp });
    const wanted = inCopy(entries);
    for (const view of [other, store]) {
      expectSame(await spaceEntries(view, copy), wanted);
      for (const one of [first, second]) {
        const kept = wanted.filter((entry) => entry.segment === one);
        expectSame(await segmentEntries(view, one, copy), kept);
        expectSame([(await view.peek(copy, one))!], kept.slice(-1));
        const status = await view.getSegmentStatus?.(orders, one);
        expect(await view.getSegmentStatus?.(copy, one)).toEqual({ ...status, space: copy });
      }
      expect(await all(view.getSegments(copy))).toEqual([first, second]);
      expect(await all(view.getSpaces())).toEqual([copy, orders]);
      const { counts } = await view.getSpaceStatus(copy);
      expect(counts).toEqual((await view.getSpaceStatus(orders)).counts);
    }
  }),

  claim("a space goes on behind what was restored to it, on every instance", async ({ store, other }) => {
    const entries = await given(store, other);
    await store.restoreEntries(copy, entries);
    for (const [index, view] of [other, store].entries()) {
      for await (const { status, transaction } of view.produce(copy, first, [record("next")])) {
        const last = entries.filter((entry) => entry.segment === first).at(-1)!;
        expect(status.lastSequence).toBe(last.sequence + index + 1);
        expect(transaction!.number).toBe(last.trx.number + index + 1);
        expect(status.lastTimestamp).toBeGreaterThan(entries.at(-1)!.timestamp);
      }
    }
    expectSame((await spaceEntries(other, copy)).slice(0, -2), inCopy(entries));
  }),

  claim("a call that is repeated writes nothing, and one that has more goes on", async ({ store, other }) => {
    const entries = await given(store, other);
    const half = entries.findIndex(({ timestamp }) => timestamp > entries[2]!.timestamp);
    await store.restoreEntries(copy, entries.slice(0, half));
    const again = await other.restoreEntries(copy, entries.slice(0, half));
    expect(again).toEqual({ restored: 0, present: half, lastTimestamp: entries[half - 1]!.timestamp });
    const rest = await store.restoreEntries(copy, entries);
    expect([rest.restored, rest.present]).toEqual([entries.length - half, half]);
    expect(await other.restoreEntries(copy, [])).toEqual({ restored: 0, present: 0, lastTimestamp: 0 });
    expectSame(await spaceEntries(other, copy), inCopy(entries));
  }),

  claim("a segment begins where its backup does", async ({ store, other }) => {
    for (const count of [3, 2, 2]) await produce(store, first, records(count));
    const entries = (await spaceEntries(store)).filter(({ sequence }) => sequence >= 4);
    await other.restoreEntries(copy, entries);
    for (const view of [store, other]) {
      expectSame(await segmentEntries(view, first, copy), inCopy(entries));
      expect((await view.getSegmentStatus?.(copy, first))?.firstSequence).toBe(4);
    }
    const [chunk] = await all(other.produce(copy, first, at([8])));
    expect(chunk!.status).toMatchObject({ firstSequence: 4, lastSequence: 8 });
    expect(chunk!.transaction!.number).toBe(4);
    expect((await segmentEntries(store, first, copy)).map(({ sequence }) => sequence)).toEqual([4, 5, 6, 7, 8]);
  }),

  claim("what does not come behind the space, or is not what it has, is refused", async ({ store, other }) => {
    const entries = await given(store, other);
    const [head, ...rest] = entries;
    const later = rest.filter(({ timestamp }) => timestamp > head!.timestamp);
    await store.restoreEntries(copy, later);
    const wrong: readonly (readonly Entry[])[] = [
      entries,
      [{ ...later[0]!, payload: Buffer.from("another") }],
      [{ ...later.at(-1)!, sequence: 99 }],
      later.toReversed(),
    ];
    for (const given of wrong) await refused(other.restoreEntries(copy, given), "invalid_argument");
    const ahead = { ...later.at(-1)!, timestamp: later.at(-1)!.timestamp + 2_000, sequence: 100 };
    expect(await other.restoreEntries(space("ahead"), [ahead])).toMatchObject({ restored: 1 });
    const future = { ...later.at(-1)!, timestamp: later.at(-1)!.timestamp + 3_600_000, sequence: 100 };
    await refused(other.restoreEntries(copy, [future]), "invalid_argument");
    for (const view of [store, other]) expect(plain(await spaceEntries(view, copy))).toEqual(plain(inCopy(later)));
  }),

  claim("a segment has no gap where what is restored does not follow it", async ({ store, other }) => {
    for (const count of [2, 2, 1]) await produce(store, first, records(count));
    const entries = await spaceEntries(store);
    await store.restoreEntries(copy, entries.slice(0, 2));
    const error = await refused(other.restoreEntries(copy, entries.slice(4)), "sequence_mismatch");
    expect(error.details).toMatchObject({ expected: 3, received: 5, lastSequence: 2 });
    expectSame(await segmentEntries(other, first, copy), inCopy(entries.slice(0, 2)));
  }),
];

async function given(store: Store, other: Store): Promise<readonly Entry[]> {
  await produce(store, first, records(2));
  await produce(other, first, [record("with metadata", new Map([["by", "me"]])), record("")]);
  await store.produceAll(orders, [
    { segment: first, records: records(1) },
    { segment: second, records: records(3) },
  ]);
  for (let count = 0; count < 3; count += 1) await produce(other, second, records(1));
  return spaceEntries(store);
}

function inCopy(entries: readonly Entry[]): readonly Entry[] {
  return entries.map((entry) => ({ ...entry, space: copy }));
}
