// Counts of logs that were written before logs were counted: the monitor counts them once, and they stay right from
// then on.

import { afterEach, expect, test } from "vitest";

import { plainCompressor } from "../../../../../src/codec/block.ts";
import { contentBytes } from "../../../../../src/core/entry.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import type { AzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { countLog } from "../../../../../src/store/azure/monitor/count-log.ts";
import { LogReader } from "../../../../../src/store/azure/log/log-reader.ts";
import { countRecords, nothingCounted } from "../../../../../src/store/azure/read/count-records.ts";
import { storeTableName } from "../../../../../src/store/azure/rows/keys.ts";
import type { Store } from "../../../../../src/store/store.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../../../system.ts";

const id = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const space = "orders" as SpaceName;

const open: AzureStoreFactory[] = [];
afterEach(async () => {
  for (const stores of open.splice(0)) await stores.close();
});

/** One storage, with instances that write format 1 and instances that write format 2. */
function world(plan?: FaultPlan, compactAfterMs = 600_000) {
  const account = new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) });
  const instance = (formatVersion: 1 | 2): AzureStoreFactory => {
    const stores = createAzureStoreFactory({
      ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
      options: {
        formatVersion,
        batchOperations: compactAfterMs === 0 ? 90 : 4,
        settleDelayMs: 0,
        compactAfterMs,
        compactRowsMin: 4,
      },
    });
    open.push(stores);
    return stores;
  };
  const table = account.table(storeTableName("streamkit", id));
  return { table, reader: new LogReader(table, space, plainCompressor), old: instance(1), now: instance(2) };
}

async function append(stores: AzureStoreFactory, count: number, segment = "a"): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const records = [{ payload: Buffer.alloc(index + 1), metadata: new Map([["k", String(index)]]) }];
    for await (const { status } of stores.open(id).produce(space, segment as SegmentName, records)) {
      expect(status.space).toBe(space);
    }
  }
}

async function walked(store: Store): Promise<{ readonly entries: number; readonly bytes: number }> {
  const counts = { entries: 0, bytes: 0 };
  for await (const entry of store.consumeSpace(space)) {
    counts.entries += 1;
    counts.bytes += contentBytes(entry);
  }
  return counts;
}

const told = async (stores: AzureStoreFactory) => (await stores.open(id).getSpaceStatus(space)).counts;
const monitor = (stores: AzureStoreFactory) => stores.recover({ deadlineMs: 10_000 });

/** Whole commits, with everything before it. */
async function trimFirst(stores: AzureStoreFactory, count: number): Promise<void> {
  const timestamps: number[] = [];
  for await (const { timestamp } of stores.open(id).consumeSpace(space)) timestamps.push(timestamp);
  const timestamp = timestamps[count]!;
  while ((await stores.open(id).trimSpace(space, { timestamp })).state !== "done") {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a log of format 1 is counted once by the monitor, and its counts are right from then on", async () => {
  const { old, now } = world();
  await append(old, 5);
  expect(await told(now)).toBeUndefined();
  await monitor(now);
  expect(await told(now)).toEqual(await walked(now.open(id)));
  await append(now, 3, "b");
  expect(await told(now)).toEqual({ entries: 8, bytes: (await walked(now.open(id))).bytes });
  for (const count of [2, 1, 4]) {
    await trimFirst(now, count);
    expect(await told(now)).toEqual(await walked(now.open(id)));
  }
  await append(now, 2);
  expect(await told(now)).toEqual(await walked(now.open(id)));
});

test("the counts stay right where rows are merged, and where a trim ends within a merged row", async () => {
  const { old, now, table, reader } = world(undefined, 0);
  await append(old, 20);
  // The storage tells its time in whole seconds: what was written in this one is not old yet.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await monitor(now);
  await monitor(now);
  const { rows } = await table.query({ partition: reader.partition, from: "8", to: "g" });
  expect(rows.length).toBeLessThan(20);
  for (const count of [0, 2, 1]) {
    if (count > 0) await trimFirst(now, count);
    expect(await told(now)).toEqual(await walked(now.open(id)));
  }
  await append(now, 2);
  expect(await told(now)).toEqual(await walked(now.open(id)));
});

test("so they are where it was trimmed before anybody counted", async () => {
  const { old, now } = world();
  await append(old, 6);
  await trimFirst(now, 2);
  await monitor(now);
  expect(await told(now)).toEqual(await walked(now.open(id)));
  expect((await told(now))?.entries).toBe(4);
});

test("an instance that writes format 1 does not count, and takes no counts away", async () => {
  const { old, now } = world();
  await append(old, 3);
  await monitor(old);
  expect(await told(now)).toBeUndefined();
  await monitor(now);
  await append(old, 2);
  expect(await told(now)).toEqual(await walked(now.open(id)));
});

test("a run without time goes on from where the last one stopped, and a commit that comes first is counted, too", async () => {
  const { old, now, reader, table } = world();
  await append(old, 4);
  let rows = 0;
  const deps = { table, compressor: plainCompressor, reader, isOver: () => ++rows % 3 === 0 };
  const first = await countLog(deps, nothingCounted);
  expect(first).toMatchObject({ entries: 3 });
  expect(await told(now)).toBeUndefined();
  await append(old, 1);
  let through = first;
  for (let run = 0; through !== undefined && run < 9; run += 1) through = await countLog(deps, through);
  expect(await told(now)).toEqual(await walked(now.open(id)));
});

test("a commit between the count and its write makes the write come again", async () => {
  let append1: (() => Promise<void>) | undefined;
  const { old, now, reader, table } = world();
  await append(old, 3);
  append1 = () => append(old, 1);
  const late: typeof table = {
    get: (...args) => table.get(...args),
    query: (...args) => table.query(...args),
    create: () => table.create(),
    remove: () => table.remove(),
    submit: async (...args) => {
      const before = append1;
      append1 = undefined;
      await before?.();
      return table.submit(...args);
    },
  };
  const deps = { table: late, compressor: plainCompressor, reader, isOver: () => false };
  expect(await countLog(deps, nothingCounted)).toBeUndefined();
  expect(await told(now)).toEqual(await walked(now.open(id)));
  expect((await told(now))?.entries).toBe(4);
});

test("what was trimmed while it counted is taken from the marker", async () => {
  const { old, now, reader, table } = world();
  await append(old, 6);
  const source = { table, compressor: plainCompressor, partition: reader.partition, isOver: () => true };
  const one = await countRecords(source, nothingCounted, Number.MAX_SAFE_INTEGER);
  expect(one).toMatchObject({ entries: 1 });
  await trimFirst(now, 3);
  const { head } = await reader.readHead();
  const all = await countRecords({ ...source, isOver: () => false }, one!, head.timestamp);
  expect(all).toMatchObject({ entries: 6 });
});
