// Retention on the Azure backend over the simulated table: what goes and what stays, turn by turn, whoever dies
// meanwhile.

import { afterEach, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import { decodeDue, schedulePartition } from "../../../src/jobs/due.ts";
import { createJobs, jobTurns, jobWhat } from "../../../src/jobs/jobs.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import { wouldRemove } from "../../../src/retention/keep-up.ts";
import { retentionPartition } from "../../../src/retention/policy.ts";
import type { RetentionPolicy } from "../../../src/retention/policy.ts";
import { createRetention, retentionJobs, retentionTurns, retentionWhat } from "../../../src/retention/retention.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import type { AzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { logPartition, storeTableName } from "../../../src/store/azure/rows/keys.ts";
import { countingAccount } from "../../doubles/counting.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../system.ts";

const id = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const orders = "orders" as SpaceName;
const first = "a" as SegmentName;
const second = "b" as SegmentName;
const hourMs = 3_600_000;
const hour: RetentionPolicy = { maxAgeSeconds: 3_600 };

const open: AzureStoreFactory[] = [];
afterEach(async () => {
  for (const stores of open.splice(0)) await stores.close();
});

/** Entries are written now; the storage's clock, by which they are old, is set on by the test. */
function world(
  plan?: FaultPlan,
  options: { readonly trims?: boolean; readonly trimTransactionsMax?: number; readonly compactAfterMs?: number } = {},
) {
  let aheadMs = 0;
  const serviceClock = { now: () => clock.now() + aheadMs };
  const account = countingAccount(new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) }));
  const registry = account.table("streamkitregistry");
  const table = (store: StoreId) => account.table(storeTableName("streamkit", store));
  const schedule = createSchedule({ registry, clock, serviceClock, logger: silentLogger, telemetry: silentTelemetry });
  const jobsDeps = { registry, schedule, clock, serviceClock, random, logger: silentLogger };
  const jobs = createJobs(jobsDeps);
  const deps = { table, schedule, jobs, trims: options.trims ?? true, clock, serviceClock, random };
  const retention = createRetention(deps);
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
    options: {
      ...{ batchOperations: options.compactAfterMs === undefined ? 4 : 90 },
      ...{ trimTransactionsMax: options.trimTransactionsMax ?? 50 },
      ...{ settleDelayMs: 0, logIdleMs: 60_000 },
      ...(options.compactAfterMs === undefined ? {} : { compactAfterMs: options.compactAfterMs, compactRowsMin: 4 }),
    },
    visited: (...visit) => retention.visited(...visit),
  });
  open.push(stores);
  const store = stores.open(id);
  return {
    account,
    registry,
    table: table(id),
    retention,
    jobs,
    stores,
    store,
    append: async (segment: SegmentName, count: number, space = orders) => {
      for (let index = 0; index < count; index += 1) {
        const records = [{ payload: Buffer.from("x"), metadata: new Map<string, string>() }];
        for await (const { status } of store.produce(space, segment, records)) expect(status.segment).toBe(segment);
      }
      // What is committed is written off a moment later.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
    sequences: async (segment: SegmentName, space = orders) => {
      const read: number[] = [];
      for await (const { sequence } of store.consumeSegment(space, segment)) read.push(sequence);
      return read;
    },
    pass: (ms: number) => void (aheadMs += ms),
    run: () =>
      schedule.run(
        {
          [jobWhat]: jobTurns(jobsDeps, retentionJobs(deps, stores)),
          [retentionWhat]: retentionTurns(deps, stores),
        },
        { deadlineMs: 60_000 },
      ),
    due: async () => {
      const { rows } = await registry.query({ partition: schedulePartition, from: "0", to: "g" });
      return rows.map(decodeDue).filter(({ what }) => what === retentionWhat);
    },
    inMs: (at: number) => at - serviceClock.now(),
    policies: async () => (await table(id).query({ partition: retentionPartition, from: "0", to: "g" })).rows.length,
  };
}

test("what is past its age goes, from the space and its segments; what is not stays", async () => {
  const { append, pass, retention, run, sequences, store } = world();
  await append(first, 3);
  await retention.put(id, orders, hour, "anyone");
  await run();
  expect(await sequences(first)).toEqual([1, 2, 3]);
  pass(hourMs + 1_000);
  await append(first, 0);
  expect(await run()).toMatchObject({ failed: 0 });
  expect(await sequences(first)).toEqual([]);
  expect((await store.getSegmentStatus?.(orders, first))?.firstSequence).toBe(4);
});

test("a space that rests has one row in the schedule, and its turns cost it a look in each age", async () => {
  const { account, append, due, inMs, pass, retention, run } = world();
  await append(first, 3);
  await retention.put(id, orders, { maxAgeSeconds: 30 * 86_400 }, "anyone");
  await run();
  const [row, ...others] = await due();
  expect(others).toEqual([]);
  // When its oldest entry is past its age.
  expect(Math.round(inMs(row!.at) / 86_400_000)).toBe(30);
  // Until all three are past it.
  pass(inMs(row!.at) + 60_000);
  await run();
  pass(15 * 86_400_000);
  account.reset();
  await run();
  expect(account.counts).toMatchObject({ requests: 1, rowsRead: 0 });
  expect(Math.round(inMs((await due())[0]!.at) / 86_400_000)).toBe(15);
});

test("of each segment the newest entries stay, and only segments that were written are looked at", async () => {
  const { account, append, due, inMs, pass, retention, run, sequences } = world();
  await append(first, 5);
  await append(second, 2);
  await retention.put(id, orders, { maxEntries: 2 }, "anyone");
  await run();
  expect([await sequences(first), await sequences(second)]).toEqual([[4, 5], [1, 2]]); // prettier-ignore
  await append(second, 3);
  pass(inMs((await due())[0]!.at));
  account.reset();
  await run();
  expect([await sequences(first), await sequences(second)]).toEqual([[4, 5], [4, 5]]); // prettier-ignore
});

test("while nothing is written the looks at segments become rarer, up to six hours apart", async () => {
  const { append, due, inMs, pass, retention, run } = world();
  await append(first, 1);
  await retention.put(id, orders, { maxEntries: 2 }, "anyone");
  const rests: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    await run();
    const ms = inMs((await due())[0]!.at);
    rests.push(Math.round(ms / 60_000));
    pass(ms);
  }
  expect(rests).toEqual([10, 20, 40, 80, 160, 320, 360, 360, 360]);
  await append(first, 5);
  await run();
  expect(Math.round(inMs((await due())[0]!.at) / 60_000)).toBe(10);
});

test("a trim that is more than one call removes goes on in the same turn", async () => {
  const { append, pass, retention, run, sequences } = world(undefined, { trimTransactionsMax: 1 });
  await append(first, 9);
  await retention.put(id, orders, { maxEntries: 2 }, "anyone");
  await run();
  expect(await sequences(first)).toEqual([8, 9]);
  await retention.put(id, orders, hour, "anyone");
  pass(hourMs + 1_000);
  await run();
  expect(await sequences(first)).toEqual([]);
});

test("what was compacted goes as well, by number and by age, and at its time", async () => {
  const { append, due, inMs, pass, retention, run, sequences, stores, store, table } = world(undefined, {
    compactAfterMs: 0,
  });
  await append(first, 20);
  // The storage tells its time in whole seconds: what was written in this one is not old yet.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await stores.recover({ deadlineMs: 10_000 });
  const log = await table.query({ partition: logPartition(orders), from: "8", to: "g" });
  expect(log.rows.length).toBeLessThan(20);
  await retention.put(id, orders, { maxEntries: 4 }, "anyone");
  await run();
  expect(await sequences(first)).toEqual([17, 18, 19, 20]);
  await retention.put(id, orders, { maxAgeSeconds: 86_400 }, "anyone");
  pass(hourMs);
  await run();
  // Due an hour after the oldest entry was written.
  expect(Math.round(inMs((await due())[0]!.at) / hourMs)).toBe(23);
  expect((await store.getSpaceStatus(orders)).firstTimestamp).toBeGreaterThan(0);
  pass(24 * hourMs);
  await run();
  expect(await sequences(first)).toEqual([]);
});

test("a store's policy is for the spaces that there are and those that come, and not for one that has its own", async () => {
  const { append, pass, retention, run, sequences, stores, jobs } = world();
  const [own, later] = ["own" as SpaceName, "later" as SpaceName];
  await append(first, 2);
  await append(first, 2, own);
  await retention.put(id, own, { maxEntries: 1_000 }, "anyone");
  await retention.put(id, undefined, hour, "anyone");
  await run();
  expect((await jobs.list(id, { limit: 10 })).jobs).toMatchObject([{ state: "done", progress: { spaces: 1 } }]);
  await append(first, 2, later);
  await stores.recover({ deadlineMs: 10_000 });
  expect(await retention.get(id, later)).toEqual({ policy: hour, of: "store" });
  pass(hourMs + 1_000);
  await run();
  for (const [space, left] of [
    [orders, []],
    [later, []],
    [own, [1, 2]],
  ] as const) {
    expect(await sequences(first, space), space).toEqual(left);
  }
});

test("a log is not closed before a store's policy is in the schedule for its space", async () => {
  let fails = false;
  const { append, due, retention, run, stores } = world((request) =>
    fails && request.kind === "get" && request.partition === retentionPartition
      ? { arrivesAtMs: [], outcome: { kind: "failure", atMs: 0, failure: { kind: "unavailable" } } }
      : undefined,
  );
  await retention.put(id, undefined, hour, "anyone");
  await run();
  await append(first, 1);
  fails = true;
  expect(await stores.recover({ deadlineMs: 10_000 })).toMatchObject({ failed: 1, closed: 0 });
  expect(await due()).toEqual([]);
  fails = false;
  expect(await stores.recover({ deadlineMs: 10_000 })).toMatchObject({ failed: 0 });
  expect(await due()).toMatchObject([{ space: orders }]);
});

test("a policy that is changed begins a new chain of turns, and the former one ends", async () => {
  const { append, due, pass, retention, run, sequences } = world();
  await append(first, 2);
  await retention.put(id, orders, { maxAgeSeconds: 30 * 86_400 }, "anyone");
  await run();
  await retention.put(id, orders, hour, "anyone");
  await run();
  pass(hourMs + 1_000);
  await run();
  expect(await sequences(first)).toEqual([]);
  pass(31 * 86_400_000);
  await run();
  expect(await due()).toHaveLength(1);
});

test("without a policy all is kept, and nothing of it is left in the schedule or the table", async () => {
  const { append, due, pass, policies, retention, run, sequences } = world();
  await append(first, 2);
  await retention.put(id, orders, hour, "anyone");
  await run();
  expect(await retention.remove(id, orders)).toBe("removed");
  expect(await retention.get(id, orders)).toBeUndefined();
  expect(await retention.remove(id, orders)).toBe("missing");
  pass(hourMs + 1_000);
  await run();
  expect(await sequences(first)).toEqual([1, 2]);
  expect([await due(), await policies()]).toEqual([[], 0]);
});

test("where a space's own policy ends its store's is for it; where that ends too, all is kept", async () => {
  const { append, due, pass, retention, run, sequences } = world();
  await append(first, 3);
  await retention.put(id, orders, { maxAgeSeconds: 30 * 86_400 }, "anyone");
  await retention.put(id, undefined, { maxEntries: 2 }, "anyone");
  await run();
  expect(await sequences(first)).toEqual([1, 2, 3]);
  await retention.remove(id, orders);
  await run();
  expect(await sequences(first)).toEqual([2, 3]);
  await retention.remove(id, undefined);
  await append(first, 3);
  pass(31 * 86_400_000);
  await run();
  expect(await sequences(first)).toEqual([2, 3, 4, 5, 6]);
  expect(await due()).toEqual([]);
});

test("who dies before the policy is written leaves a row of the schedule that goes by itself, and no policy", async () => {
  let dies = false;
  const { append, due, pass, retention, run, sequences } = world((request) =>
    dies && request.kind === "submit" && request.partition === retentionPartition
      ? { arrivesAtMs: [], outcome: { kind: "nothing" } }
      : undefined,
  );
  await append(first, 2);
  dies = true;
  void retention.put(id, orders, hour, "anyone");
  await new Promise((resolve) => setTimeout(resolve, 10));
  dies = false;
  expect(await due()).toHaveLength(1);
  for (let minute = 0; minute < 90; minute += 1) {
    pass(60_000);
    await run();
  }
  expect(await sequences(first)).toEqual([1, 2]);
  expect(await due()).toEqual([]);
});

test("a dry run says what would go, and nothing goes", async () => {
  const { append, sequences, store } = world();
  await append(first, 5);
  await append(second, 1);
  const bound = { now: () => clock.now() + hourMs + 1_000, isOver: () => false };
  expect(await wouldRemove(store, orders, { maxEntries: 2 }, bound)).toEqual({
    entries: 3,
    segments: 1,
    complete: true,
  });
  expect(await wouldRemove(store, orders, hour, bound)).toEqual({ entries: 6, segments: 2, complete: true });
  await store.trimSegment(orders, first, 3);
  expect(await wouldRemove(store, orders, hour, bound)).toEqual({ entries: 4, segments: 2, complete: true });
  expect(await wouldRemove(store, orders, hour, { ...bound, isOver: () => true })).toMatchObject({ complete: false });
  expect(await sequences(first)).toEqual([3, 4, 5]);
});

test("without format 2 a policy is refused", async () => {
  const { retention } = world(undefined, { trims: false });
  await expect(retention.put(id, orders, hour, "anyone")).rejects.toMatchObject({ code: "format_not_enabled" });
});
