import { expect, test } from "vitest";
import type { Clock } from "../../../../../src/core/clock.ts";
import { probePartition, probeRow } from "../../../../../src/store/azure/rows/keys.ts";
import { createProbe } from "../../../../../src/store/azure/log/probe.ts";
import { countingAccount } from "../../../../doubles/counting.ts";
import { faults } from "../../../../doubles/fault.ts";
import { SimulatedAccount, type FaultPlan } from "../../../../doubles/simulated-table.ts";
import { systemClock } from "../../../../system.ts";

let laterMs = 0;
const clock: Clock = { ...systemClock, elapsed: () => systemClock.elapsed() + laterMs };

function world(plan?: FaultPlan) {
  const account = countingAccount(
    new SimulatedAccount({ clock: systemClock, ...(plan === undefined ? {} : { plan }) }),
  );
  const registry = account.table("streamkitregistry");
  return { account, registry, probe: createProbe(registry, clock) };
}

test("the first probe creates the table and the row, later ones replace the row under its ETag", async () => {
  const { account, registry, probe } = world();
  await probe();
  const first = await registry.get(probePartition, probeRow);
  expect(first.row?.properties["probedAt"]).toBeTypeOf("bigint");
  account.reset();
  laterMs += 1_000;
  await probe();
  expect(account.counts).toMatchObject({ get: 1, submit: 1, requests: 2, refused: 0 });
  expect((await registry.get(probePartition, probeRow)).row?.etag).not.toBe(first.row?.etag);
});

test("callers that ask at the same time share one probe", async () => {
  const { account, probe } = world();
  await probe();
  account.reset();
  laterMs += 1_000;
  await Promise.all([probe(), probe(), probe()]);
  expect(account.counts.requests).toBe(2);
});

test("a probe is good for a second, however often it is asked for, and one that failed too", async () => {
  let denied = false;
  const { account, probe } = world((request) =>
    request.kind === "get" && denied ? faults.failed({ kind: "denied" }, 1) : undefined,
  );
  await probe();
  account.reset();
  denied = true;
  for (let ask = 0; ask < 100; ask += 1) await probe();
  expect(account.counts.requests).toBe(0);
  laterMs += 1_000;
  for (let ask = 0; ask < 100; ask += 1) await expect(probe()).rejects.toMatchObject({ code: "storage_unavailable" });
  expect(account.counts.requests).toBe(1);
});

test("two instances that probe at the same moment are both told that it is well", async () => {
  const { registry, probe } = world();
  await probe();
  await Promise.all([createProbe(registry, clock)(), createProbe(registry, clock)()]);
});

test("storage that reads but does not write is not well, and the next probe asks again", async () => {
  let denied = true;
  const { probe } = world((request) =>
    request.kind === "submit" && denied ? faults.failed({ kind: "denied" }, 1) : undefined,
  );
  await expect(probe()).rejects.toMatchObject({
    code: "storage_unavailable",
    message: "The storage account refuses this application. Check the connection and the roles of its identity.",
  });
  denied = false;
  laterMs += 1_000;
  await probe();
});
