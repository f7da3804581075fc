// A store that was trimmed is in order, and a repair never brings back what was trimmed.

import { describe, expect, test } from "vitest";

import { blockRow, segmentHeadRow, segmentPartition } from "../../../../../src/store/azure/rows/keys.ts";
import type { Store } from "../../../../../src/store/store.ts";
import { all, alpha, beta, filled, gamma, orders, readable, users } from "./stored.ts";
import type { Stored } from "./stored.ts";

async function trimmed(): Promise<{ readonly stored: Stored; readonly store: Store }> {
  const stored = await filled();
  const { store } = stored.instance();
  // Within a transaction of alpha, and all that the space has had before its last commit.
  await store.trimSegment(orders, alpha, 5);
  const entries = await all(store.consumeSpace(orders));
  await untilDone(store, entries[3]!.timestamp);
  return { stored, store };
}

async function untilDone(store: Store, timestamp: number, space = orders): Promise<void> {
  while ((await store.trimSpace(space, { timestamp })).state !== "done");
}

const partition = segmentPartition(orders, alpha);

describe("a store that was trimmed", () => {
  test("is in order, and stays as it is when it is repaired", async () => {
    const { stored, store } = await trimmed();
    await untilDone(store, Number.MAX_SAFE_INTEGER, users);
    expect(await all(store.consumeSegment(users, gamma))).toEqual([]);
    expect((await stored.fsck()).findings).toEqual([]);
    const before = await readable(store);
    expect((await stored.fsck("offline")).findings).toEqual([]);
    expect(await readable(stored.instance().store)).toEqual(before);
    expect((await all(store.consumeSegment(orders, alpha))).map(({ sequence }) => sequence)).toEqual([5, 6]);
    await stored.close();
  });

  test.each([
    ["the block that was cut", () => [partition, blockRow(5)]],
    ["a whole block", () => [partition, blockRow(6)]],
    ["the head of a segment", () => [partition, segmentHeadRow(partition)]],
  ] as const)("gets back %s, and nothing that was trimmed", async (_, place) => {
    const { stored, store } = await trimmed();
    const before = await readable(store);
    const [of, row] = place();
    await stored.delete(of!, row!);
    expect((await stored.fsck()).findings.length).toBeGreaterThan(0);
    await stored.fsck("offline");
    expect((await stored.fsck()).findings).toEqual([]);
    expect(await readable(stored.instance().store)).toEqual(before);
    await stored.close();
  });

  test("whose trim of a space ended before its log was reached is in order, and the same call goes on", async () => {
    const stored = await filled();
    const { store } = stored.instance();
    const [entry] = (await all(store.consumeSegment(orders, beta))).slice(-1);
    // What a trim of the space has done by then.
    await store.trimSegment(orders, beta, 2);
    expect((await stored.fsck("offline")).findings).toEqual([]);
    await untilDone(store, entry!.timestamp);
    expect((await stored.fsck()).findings).toEqual([]);
    expect((await all(store.consumeSegment(orders, beta))).map(({ sequence }) => sequence)).toEqual([2]);
    await stored.close();
  });
});
