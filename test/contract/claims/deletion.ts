// Deletions: what is deleted is nowhere from the answer on, and is all there again when it is restored.

import { expect } from "vitest";

import type { Cursor, SpaceName } from "../../../src/core/ids.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectSame, first, newId, orders, produce, records, refused, segment, space, spaceEntries } from "../given.ts"; // prettier-ignore

const second = segment("order-2");
const others = space("others");

export const deletionClaims: readonly Claim[] = [
  claim("nothing of a space that was deleted is read, listed or written, on any instance", async (context) => {
    const { store, other } = context;
    await given(store, other);
    const wanted = Date.now() + limits.graceMsDefault;
    const { removedFrom } = (await store.deleteSpace(orders))!;
    expect(Math.abs(removedFrom - wanted)).toBeLessThan(60_000);
    for (const view of [other, store]) {
      await expectHidden(view, orders, { space: orders });
      expect(await all(view.getSpaces())).toEqual([others]);
      expect((await spaceEntries(view, others)).length).toBe(1);
    }
  }),

  claim("and of a store nothing at all", async ({ store, other }) => {
    await given(store, other);
    await other.deleteStore();
    for (const view of [other, store]) {
      for (const name of [orders, others]) await expectHidden(view, name, { store: store.id });
      await refused(view.getSpaces(), "deleted");
      await refused(view.consume({ offsets: new Map([[orders, "" as Cursor]]) }), "deleted");
    }
  }),

  claim("a space that is restored is as it was, and goes on where it was", async ({ store, other }) => {
    const entries = await given(store, other);
    const transactionId = newId();
    const [chunk] = await produce(store, first, records(1, "keyed"), { transactionId });
    await store.deleteSpace(orders);
    await other.restoreSpace(orders);
    for (const view of [store, other]) {
      expectSame((await spaceEntries(view)).slice(0, -1), entries);
      expect(await all(view.getSpaces())).toEqual([orders, others]);
      const [again] = await produce(view, first, records(1, "keyed"), { transactionId });
      expect(again!.transaction).toEqual({ ...chunk!.transaction, duplicate: true });
    }
    const [next] = await produce(other, first, records(1));
    expect(next!.transaction!.firstSequence).toBe(chunk!.transaction!.lastSequence + 1);
  }),

  claim("so is a store, and to restore what was not deleted changes nothing", async ({ store, other }) => {
    const entries = await given(store, other);
    await store.restoreStore();
    await store.restoreSpace(orders);
    await store.restoreSpace(space("never"));
    await store.deleteStore();
    await refused(other.deleteSpace(orders), "deleted");
    await refused(other.restoreSpace(orders), "deleted");
    await other.restoreStore();
    for (const view of [store, other]) {
      expectSame(await spaceEntries(view), entries);
      expect(await all(view.getSpaces())).toEqual([orders, others]);
    }
    for (const view of [store, other]) await produce(view, first, records(1));
  }),

  claim("what is erased is never restored, and a repeat of a deletion may ask for that", async ({ store, other }) => {
    await given(store, other);
    const graced = (await store.deleteSpace(others))!;
    expect((await other.deleteSpace(others, { graceMs: 0 }))!.removedFrom).toBe(graced.removedFrom);
    const erased = (await other.deleteSpace(others, { erase: true }))!;
    expect(erased.removedFrom).toBeLessThan(graced.removedFrom);
    await store.deleteStore({ erase: true });
    for (const view of [store, other]) {
      // Whoever is refused knows that nothing happened.
      expect((await refused(view.restoreStore(), "deleted")).effect).toBe("none");
      await expectHidden(view, orders, { store: store.id });
    }
  }),

  claim("of a space that is not there nothing is deleted, and none comes into being", async ({ store, other }) => {
    expect(await store.deleteSpace(orders)).toBeUndefined();
    expect(await all(other.getSpaces())).toEqual([]);
    const [chunk] = await produce(other, first, records(1));
    expect(chunk!.transaction!.firstSequence).toBe(1);
  }),

  claim("how long it can be restored is a time that there is", async ({ store }) => {
    for (const graceMs of [-1, 0.5, limits.graceMsMax + 1]) {
      await refused(store.deleteStore({ graceMs }), "invalid_argument");
      await refused(store.deleteSpace(orders, { graceMs }), "invalid_argument");
    }
    await produce(store, first, records(1));
  }),
];

/** Entries in two segments of a space, and one in another; answers those of the first. */
async function given(store: Store, other: Store) {
  await produce(store, first, records(3));
  await produce(other, second, records(2));
  await produce(other, first, records(1), { space: others });
  return spaceEntries(store);
}

async function expectHidden(view: Store, name: SpaceName, subject: object): Promise<void> {
  const asked = [
    () => view.consumeSpace(name),
    () => view.consumeSpace(name, { limit: 1 }),
    () => view.consumeSegment(name, first),
    () => view.getSegments(name),
    () => view.peek(name, first),
    () => view.spaceTail(name, 0),
    () => view.produce(name, first, records(1)),
    () => view.produceAll(name, [{ segment: second, records: records(1) }]),
    () => view.trimSegment(name, first, 2),
  ];
  for (const one of asked) {
    const error = await refused(one(), "deleted");
    expect(error.details).toMatchObject(subject);
  }
  if (view.getSegmentStatus !== undefined) await refused(view.getSegmentStatus(name, first), "deleted");
}
