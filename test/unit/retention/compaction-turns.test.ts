// The second merge of a log that rests: the monitor leaves the log, and the schedule comes back to it.

import { afterEach, expect, test, vi } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { DueRow } from "../../../src/jobs/due.ts";
import { decodeDue, dueRange } from "../../../src/jobs/due.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import { compactionDue, compactionTurns, compactionWhat } from "../../../src/retention/compaction-turns.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import type { AzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { LogReader } from "../../../src/store/azure/log/log-reader.ts";
import {
  lastRecordTimestamp,
  openLogsPartition,
  recordRange,
  storeTableName,
} from "../../../src/store/azure/rows/keys.ts";
import type { MergedRecords } from "../../../src/store/azure/rows/merged-rows.ts";
import { decodeMergedRecords } from "../../../src/store/azure/rows/merged-rows.ts";
import { hasPending } from "../../../src/store/azure/rows/pending.ts";
import type { CompactionResult } from "../../../src/store/store.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { systemClock, systemRandom as random } from "../../system.ts";

const id = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const space = "orders" as SpaceName;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const open: AzureStoreFactory[] = [];
afterEach(async () => {
  for (const stores of open.splice(0)) await stores.close();
});

/** A deployment that merges three rows to one, ten minutes and again a day after they were written. */
function world() {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const account = new SimulatedAccount({ clock });
  const registry = account.table("streamkitregistry");
  const schedule = createSchedule({
    ...{ registry, clock, serviceClock: clock, logger: silentLogger, telemetry: silentTelemetry },
  });
  const state = { isDown: false };
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
    options: { batchOperations: 4, settleDelayMs: 0, logIdleMs: minuteMs, compactRowsMin: 2, storeHeldMs: 100 },
    compactsAgain: async (store, name, at) => {
      if (state.isDown) throw new Error("The schedule cannot be written.");
      await schedule.put(compactionDue(store, name, at));
    },
  });
  open.push(stores);
  const reader = new LogReader(account.table(storeTableName("streamkit", id)), space, plainCompressor);
  const log = async () =>
    (await account.table(storeTableName("streamkit", id)).query(recordRange(reader.partition, 1, lastRecordTimestamp)))
      .rows;
  return {
    state,
    now: () => clock.now(),
    pass: (ms: number) => void (aheadMs += ms),
    append: async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        const records = [{ payload: Buffer.from("x"), metadata: new Map<string, string>() }];
        for await (const { status } of stores.open(id).produce(space, "a" as SegmentName, records)) {
          expect(status.space).toBe(space);
        }
      }
      await vi.waitFor(async () => {
        const { head } = await reader.readHead();
        expect([hasPending(head.unapplied), hasPending(head.unnotified)]).toEqual([false, false]);
      });
    },
    entries: async () => {
      let entries = 0;
      for await (const entry of stores.open(id).consumeSpace(space)) entries += entry.sequence > 0 ? 1 : 0;
      return entries;
    },
    merged: async (): Promise<readonly MergedRecords[]> => (await log()).map((row) => decodeMergedRecords(row)),
    remove: () => stores.open(id).deleteSpace(space),
    monitor: () => stores.recover({ deadlineMs: 10_000 }),
    openLogs: async () => (await registry.query({ partition: openLogsPartition, from: "0", to: "g" })).rows.length,
    due: async (): Promise<readonly DueRow[]> =>
      (await registry.query(dueRange(clock.now() + 10 * dayMs))).rows.map((row) => decodeDue(row)),
    turns: () => schedule.run({ [compactionWhat]: compactionTurns(stores) }, { deadlineMs: 10_000 }),
  };
}

test("a log that rests is merged again a day later, though nobody writes to it", async () => {
  const { append, due, entries, merged, monitor, now, openLogs, pass, turns } = world();
  await append(12);
  pass(11 * minuteMs);
  expect(await monitor()).toMatchObject({ closed: 1, failed: 0 });
  const once = await merged();
  expect(once.map(({ recordIds }) => recordIds?.length)).toEqual([3, 3, 3, 3]);
  const [row, ...more] = await due();
  expect(more).toEqual([]);
  const last = once.at(-1)!.timestamp;
  expect(row).toMatchObject({ what: compactionWhat, store: id, space });
  expect(row!.at).toBeGreaterThanOrEqual(last + dayMs);
  expect(row!.at).toBeLessThan(last + dayMs + hourMs);

  expect(await turns()).toMatchObject({ done: 0, again: 0, failed: 0 });
  pass(row!.at - now() + 2_000);
  expect(await turns()).toMatchObject({ done: 1, again: 0, failed: 0 });
  const again = await merged();
  expect(again.length).toBeLessThan(once.length);
  expect(again[0]).toMatchObject({ recordIds: undefined });
  expect(await due()).toEqual([]);
  expect(await openLogs()).toBe(0);
  expect(await entries()).toBe(12);
});

test("the monitor closes no log before its second merge is in the schedule", async () => {
  const { append, due, monitor, openLogs, pass, state } = world();
  await append(12);
  pass(11 * minuteMs);
  state.isDown = true;
  expect(await monitor()).toMatchObject({ closed: 0, failed: 1 });
  expect(await openLogs()).toBe(1);
  state.isDown = false;
  expect(await monitor()).toMatchObject({ closed: 1, failed: 0 });
  expect(await due()).toHaveLength(1);
});

test("a log that has too little to merge again costs no turn", async () => {
  const { append, due, merged, monitor, pass } = world();
  await append(3);
  pass(11 * minuteMs);
  expect(await monitor()).toMatchObject({ closed: 1 });
  expect(await merged()).toHaveLength(1);
  expect(await due()).toEqual([]);
});

test("a turn leaves the rows of a space that was deleted, and is the last", async () => {
  const { append, due, merged, monitor, pass, remove, turns } = world();
  await append(12);
  pass(11 * minuteMs);
  await monitor();
  const before = await merged();
  expect(await remove()).toBeDefined();
  pass(dayMs + hourMs);
  expect(await turns()).toMatchObject({ done: 1, again: 0, failed: 0 });
  expect(await merged()).toEqual(before);
  expect(await due()).toEqual([]);
});

test.each<[string, CompactionResult, number | undefined]>([
  ["has more to merge now has another turn", { state: "more" }, 5 * hourMs],
  ["will have more to merge has its turn then", { state: "done", againAt: 7 * hourMs + 1 }, 8 * hourMs],
  ["has a clock that is behind waits for an hour", { state: "done", againAt: 4 * hourMs }, 6 * hourMs],
  ["has nothing left to merge ends", { state: "done", againAt: undefined }, undefined],
])("a log that %s", async (_what, result, at) => {
  const work = compactionTurns({ compactSpace: () => Promise.resolve(result) });
  const turn = { now: () => 5 * hourMs, isOver: () => false };
  const next = await work(compactionDue(id, space, 1), turn);
  expect(next).toEqual(at === undefined ? { kind: "done" } : { kind: "again", at });
});
