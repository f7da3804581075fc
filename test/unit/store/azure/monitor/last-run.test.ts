// The row of the monitor's last run: what it keeps, what it costs, and what is said of one that cannot be read.

import { expect, test } from "vitest";

import type { MonitorRun } from "../../../../../src/store/monitor-run.ts";
import {
  lastRunPartition,
  lastRunRow,
  readLastRun,
  writeLastRun,
} from "../../../../../src/store/azure/monitor/last-run.ts";
import { countingAccount } from "../../../../doubles/counting.ts";
import { faults } from "../../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../../../doubles/simulated-table.ts";
import { systemClock } from "../../../../system.ts";

const run: MonitorRun = {
  ...{ startedAt: 1_767_225_600_000, ms: 120, complete: false },
  ...{ logs: 7, closed: 2, applied: 3, notified: 4, failed: 1, oldestMs: 65_000 },
  due: { done: 2, again: 1, failed: 1, lateMs: 61_000, complete: false },
};

function world(plan?: FaultPlan) {
  const account = countingAccount(
    new SimulatedAccount({ clock: systemClock, ...(plan === undefined ? {} : { plan }) }),
  );
  return { account, registry: account.table("streamkitregistry") };
}

test("before the first run nothing is told, also where the table is missing", async () => {
  const { registry } = world();
  expect(await readLastRun(registry)).toBeUndefined();
  await registry.create();
  expect(await readLastRun(registry)).toBeUndefined();
});

test("the first run makes the table, each later one is one request and replaces what was told", async () => {
  const { account, registry } = world();
  await writeLastRun(registry, run);
  expect(await readLastRun(registry)).toEqual(run);
  account.reset();
  const next = { ...run, startedAt: run.startedAt + 60_000, complete: true, oldestMs: 0 };
  await writeLastRun(registry, next);
  expect(account.counts).toMatchObject({ submit: 1, requests: 1 });
  account.reset();
  expect(await readLastRun(registry)).toEqual(next);
  expect(account.counts.requests).toBe(1);
});

test("parts of milliseconds are left out", async () => {
  const { registry } = world();
  await writeLastRun(registry, { ...run, startedAt: run.startedAt + 0.7, ms: 120.9 });
  expect(await readLastRun(registry)).toEqual(run);
});

test.each([
  ["without a format", {}],
  ["of a format that is newer", { v: 2n }],
  ["without its figures", { v: 1n, complete: true }],
])("a row %s is damage, not a run", async (_, properties) => {
  const { registry } = world();
  await registry.create();
  await registry.submit(lastRunPartition, [{ kind: "insert", row: lastRunRow, properties }]);
  await expect(readLastRun(registry)).rejects.toMatchObject({ name: "StoreError" });
});

test("a storage that does not answer is told as such, to who writes and to who reads", async () => {
  const { registry } = world(() => faults.failed({ kind: "unavailable" }, 1));
  await expect(writeLastRun(registry, run)).rejects.toMatchObject({ code: "storage_unavailable" });
  await expect(readLastRun(registry)).rejects.toMatchObject({ code: "storage_unavailable" });
});
