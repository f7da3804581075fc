// A store to which a backup was restored is in order, and a repair gives it back as it was restored.

import { expect, test } from "vitest";

import { StoreError } from "../../../../../src/core/errors.ts";
import { parseSpaceName } from "../../../../../src/core/ids.ts";
import { blockRow, logHeadRow, logPartition, segmentHeadRow, segmentPartition } from "../../../../../src/store/azure/rows/keys.ts"; // prettier-ignore
import type { Store } from "../../../../../src/store/store.ts";
import { all, alpha, filled, orders, readable } from "./stored.ts";
import type { Stored } from "./stored.ts";

const copy = parseSpaceName("restored");
const partition = segmentPartition(copy, alpha);

/** Alpha begins in the middle of its backup, so that its first number and sequence are not 1. */
async function restored(): Promise<{ readonly stored: Stored; readonly store: Store }> {
  const stored = await filled();
  const { store } = stored.instance();
  const entries = await all(store.consumeSpace(orders));
  const begins = entries.find(({ segment, trx }) => segment === alpha && trx.number === 2)!.timestamp;
  const kept = entries.filter(({ timestamp }) => timestamp >= begins);
  expect((await store.restoreEntries(copy, kept)).restored).toBe(kept.length);
  return { stored, store };
}

test("a store that was restored is in order", async () => {
  const { stored, store } = await restored();
  expect((await stored.fsck()).findings).toEqual([]);
  const before = await readable(store);
  expect((await stored.fsck("offline")).findings).toEqual([]);
  expect(await readable(stored.instance().store)).toEqual(before);
  await stored.close();
});

test.each([
  ["the head of a segment", () => [partition, segmentHeadRow(partition)]],
  ["the head of the log", () => [logPartition(copy), logHeadRow(copy)]],
] as const)("gets back %s as it was", async (_, place) => {
  const { stored, store } = await restored();
  const before = await readable(store);
  const first = (await all(store.consumeSegment(copy, alpha)))[0]!.sequence;
  expect(first).toBeGreaterThan(1);
  const [of, row] = place();
  await stored.delete(of!, row!);
  expect((await stored.fsck()).findings.length).toBeGreaterThan(0);
  await stored.fsck("offline");
  expect((await stored.fsck()).findings).toEqual([]);
  const { store: later } = stored.instance();
  expect(await readable(later)).toEqual(before);
  expect((await later.getSegmentStatus?.(copy, alpha))?.firstSequence).toBe(first);
  await stored.close();
});

test("gets back a block that was restored", async () => {
  const { stored, store } = await restored();
  const before = await readable(store);
  const last = (await all(store.consumeSegment(copy, alpha))).at(-1)!;
  await stored.delete(partition, blockRow(last.sequence));
  await stored.fsck("offline");
  expect((await stored.fsck()).findings).toEqual([]);
  expect(await readable(stored.instance().store)).toEqual(before);
  await stored.close();
});

test("nothing is restored in the first format", async () => {
  const { stored, store } = await restored();
  const entries = await all(store.consumeSpace(copy));
  const old = stored.instance({ formatVersion: 1 }).store;
  const refused = await old.restoreEntries(parseSpaceName("another"), entries).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StoreError);
  expect(refused).toMatchObject({ code: "format_not_enabled" });
  await stored.close();
});
