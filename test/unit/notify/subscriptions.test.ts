// Subscriptions on the simulated table: what is kept, what is told once, what happens when two change one at the same
// time.

import { expect, test } from "vitest";

import { limits } from "../../../src/core/limits.ts";
import { noNews, nothingDelivered } from "../../../src/notify/health.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import type { Subscriptions } from "../../../src/notify/subscriptions.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { faults } from "../../doubles/fault.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { systemClock } from "../../system.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { id, policy, store, wanted, wantedBy } from "./given.ts";

function open(clock = new VirtualClock(), notifies = true) {
  const account = new SimulatedAccount({ clock });
  void account.table("streamkit").create();
  let secrets = 0;
  const subscriptions: Subscriptions = createSubscriptions({
    logger: silentLogger,
    table: () => account.table("streamkit"),
    policy,
    notifies,
    clock,
    serviceClock: new ServiceClock(clock),
    random: { uuid: () => "", fraction: () => 0 },
    newSecret: () => `whsec_${(secrets += 1)}`,
  });
  return { account, clock, subscriptions };
}

const hook = { webhook: "https://example.com/hook" };
const queue = { queue: "sub-billing" };

test("a subscription is there under its id until it is removed", async () => {
  const { clock, subscriptions } = open();
  expect(await subscriptions.get(store, id("a"))).toBeUndefined();
  const made = await subscriptions.put(store, id("a"), wanted("orders", "*", hook));
  expect(made).toMatchObject({ kind: "created", newSecret: "whsec_1" });
  expect(await subscriptions.get(store, id("a"))).toEqual(made.subscription);
  expect(made.subscription).toEqual({
    ...{ id: "a", space: "orders", segment: "*", target: hook, createdAt: clock.now() },
    secret: { current: "whsec_1", former: undefined },
    report: nothingDelivered,
  });
  await subscriptions.put(store, id("A"), wanted("*", "order-1", queue));
  expect((await subscriptions.list(store)).map((one) => one.id)).toEqual(["A", "a"]);
  expect(await subscriptions.remove(store, id("a"))).toBe("removed");
  expect(await subscriptions.remove(store, id("a"))).toBe("missing");
  expect((await subscriptions.list(store)).map((one) => one.id)).toEqual(["A"]);
});

test("a repeat writes nothing, and tells no secret", async () => {
  const { account, subscriptions } = open();
  await subscriptions.put(store, id("a"), wanted("orders", "*", hook));
  let writes = 0;
  account.observe(() => (writes += 1));
  expect(await subscriptions.put(store, id("a"), wanted("orders", "*", hook))).toMatchObject({
    kind: "unchanged",
    newSecret: undefined,
  });
  expect(writes).toBe(0);
});

test("a change keeps the secret with the same receiver, and the counts with the same target", async () => {
  const { clock, subscriptions } = open();
  const { subscription: first } = await subscriptions.put(store, id("a"), wanted("orders", "*", hook));
  await subscriptions.report(store, id("a"), { ...noNews, delivered: 3, lastDeliveredAt: 7 });
  await clock.pass(1_000);
  const narrowed = await subscriptions.put(store, id("a"), wanted("orders", "order-1", hook));
  expect(narrowed).toMatchObject({ kind: "changed", newSecret: undefined });
  expect(narrowed.subscription).toMatchObject({
    ...{ createdAt: first.createdAt, secret: first.secret },
    report: { delivered: 3, lastDeliveredAt: 7 },
  });
  const elsewhere = { webhook: "https://example.com/other" };
  const moved = await subscriptions.put(store, id("a"), wanted("orders", "order-1", elsewhere));
  expect(moved.subscription).toMatchObject({ secret: first.secret, report: nothingDelivered });
  const stranger = { webhook: "https://other.example.com/other" };
  const given = await subscriptions.put(store, id("a"), wanted("orders", "order-1", stranger));
  expect(given).toMatchObject({ newSecret: "whsec_2", subscription: { secret: { former: undefined } } });
  const queued = await subscriptions.put(store, id("a"), wanted("orders", "order-1", queue));
  expect(queued.subscription.secret).toBeUndefined();
  expect(await subscriptions.put(store, id("a"), wanted("orders", "order-1", hook))).toMatchObject({
    newSecret: "whsec_3",
  });
});

test("a new secret leaves the former one valid for a day", async () => {
  const { clock, subscriptions } = open();
  await subscriptions.put(store, id("a"), wanted("orders", "*", hook));
  const rotated = await subscriptions.put(store, id("a"), wanted("orders", "*", hook, true));
  expect(rotated).toMatchObject({ kind: "changed", newSecret: "whsec_2" });
  const secret = { current: "whsec_2", former: { secret: "whsec_1", until: clock.now() + 86_400_000 } };
  expect((await subscriptions.get(store, id("a")))?.secret).toEqual(secret);
  const again = await subscriptions.put(store, id("a"), wanted("orders", "*", hook, true));
  expect(again.subscription.secret).toMatchObject({ current: "whsec_3", former: { secret: "whsec_2" } });
  await expect(subscriptions.put(store, id("b"), wanted("orders", "*", queue, true))).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "rotateSecret" },
  });
});

test.each([
  { queue: "orders" },
  { queue: "sub-own" },
  { queue: "sub-x-poison" },
  { queue: "sub-" },
  { webhook: "http://example.com/" },
  { webhook: "https://10.0.0.1/" },
  { webhook: "https://example.com/#part" },
  { webhook: `https://example.com/${"x".repeat(2_048)}` },
])("a target that must not be is refused before anything is read: %j", async (target) => {
  const { account, subscriptions } = open();
  await expect(subscriptions.put(store, id("a"), wanted("orders", "*", target))).rejects.toMatchObject({
    code: "invalid_argument",
  });
  // The creation of the table.
  expect(account.requests).toBe(1);
});

test("a store has so many subscriptions and no more; those that there are can be changed", async () => {
  const { subscriptions } = open();
  for (let index = 0; index < limits.subscriptionsPerStoreMax; index += 1) {
    await subscriptions.put(store, id(`s${index}`), wanted("orders", "*", queue));
  }
  await expect(subscriptions.put(store, id("more"), wanted("orders", "*", queue))).rejects.toMatchObject({
    code: "invalid_argument",
  });
  expect(await subscriptions.put(store, id("s7"), wanted("payments", "*", queue))).toMatchObject({ kind: "changed" });
  expect(await subscriptions.list(store)).toHaveLength(limits.subscriptionsPerStoreMax);
});

test("counts that are added while the subscription is changed lose neither the change nor the counts", async () => {
  const { account, subscriptions } = open();
  const real = createSubscriptions({
    logger: silentLogger,
    table: () => account.table("streamkit"),
    policy,
    notifies: true,
    clock: systemClock,
    serviceClock: new ServiceClock(systemClock),
    random: { uuid: () => "", fraction: () => Math.random() },
    newSecret: () => "whsec_x",
  });
  await subscriptions.put(store, id("a"), wanted("orders", "*", hook));
  const report = { ...noNews, delivered: 1, failed: 2, lastError: { at: 5, reason: "It answered 500." } };
  await Promise.all([
    real.report(store, id("a"), report),
    real.put(store, id("a"), wanted("payments", "*", hook)),
    real.report(store, id("a"), report),
  ]);
  expect(await subscriptions.get(store, id("a"))).toMatchObject({
    space: "payments",
    report: { delivered: 2, failed: 4, lastError: { at: 5, reason: "It answered 500." } },
  });
  await real.report(store, id("gone"), report);
  expect(await subscriptions.get(store, id("gone"))).toBeUndefined();
});

test("a prefix is kept, is a change, and is no name to a version that knows none", async () => {
  const { account, subscriptions } = open();
  await subscriptions.put(store, id("a"), wanted("orders", "*", queue));
  const { kind, subscription } = await subscriptions.put(store, id("a"), wantedBy("orders", "order-", queue));
  expect([kind, subscription]).toEqual(["changed", expect.objectContaining({ segment: "*", prefix: "order-" })]);
  expect(await subscriptions.get(store, id("a"))).toEqual(subscription);
  expect(account.rows("streamkit")[0]?.properties["segment"]).toBe("order-*");
  expect(await subscriptions.put(store, id("a"), wantedBy("orders", "order-", queue))).toMatchObject({
    kind: "unchanged",
  });
});

test("while notifications are off none is made or changed, and what to set is said; those that there are can be removed", async () => {
  const { account, clock, subscriptions } = open();
  await subscriptions.put(store, id("a"), wanted("orders", "*", queue));
  const off = createSubscriptions({
    ...{ table: () => account.table("streamkit"), policy, notifies: false, clock, logger: silentLogger },
    serviceClock: new ServiceClock(clock),
    random: { uuid: () => "", fraction: () => 0 },
    newSecret: () => "whsec_x",
  });
  for (const name of ["a", "b"]) {
    const refused = off.put(store, id(name), wanted("payments", "*", queue));
    await expect(refused).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("Set STREAMKIT_NOTIFICATIONS_QUEUE") as string,
    });
  }
  expect((await off.list(store)).map((one) => [one.id, one.space])).toEqual([["a", "orders"]]);
  expect(await off.remove(store, id("a"))).toBe("removed");
});

test("a list is complete however the service cuts its pages", async () => {
  const { account, subscriptions } = open();
  for (const name of ["a", "b", "c", "d", "e"]) await subscriptions.put(store, id(name), wanted("s", "*", queue));
  account.follow((request) => (request.kind === "query" ? faults.cut(2, 0, 0) : undefined));
  expect((await subscriptions.list(store)).map((one) => one.id)).toEqual(["a", "b", "c", "d", "e"]);
});

test("a failing table is told as such", async () => {
  const { account, clock, subscriptions } = open();
  account.follow(() => faults.failed({ kind: "unavailable" }, 1));
  const told = Promise.all(
    [
      subscriptions.get(store, id("a")),
      subscriptions.list(store),
      subscriptions.remove(store, id("a")),
      subscriptions.put(store, id("a"), wanted("s", "*", queue)),
    ].map((work) => expect(work).rejects.toMatchObject({ code: "storage_unavailable", effect: "none" })),
  );
  await clock.pass(10);
  await told;
});
