// Subscriptions of which one cannot be read: the others are listed and delivered to, and that one can be removed.

import { expect, test } from "vitest";

import { hexKey } from "../../../src/codec/lexkey.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { Properties } from "../../../src/table/port.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { id, policy, store, wanted } from "./given.ts";

const partition = hexKey("SUB");

async function open() {
  const clock = new VirtualClock();
  const table = new SimulatedAccount({ clock }).table("streamkit");
  await table.create();
  const logged: unknown[] = [];
  const subscriptions = createSubscriptions({
    table: () => table,
    policy,
    notifies: true,
    serviceClock: new ServiceClock(clock),
    clock,
    random: { uuid: () => "", fraction: () => 0 },
    newSecret: () => "whsec_1",
    logger: { ...silentLogger, error: (_, fields) => void logged.push(fields) },
  });
  for (const name of ["a", "b", "c"]) {
    await subscriptions.put(store, id(name), wanted("orders", "*", { webhook: "https://example.com/hook" }));
  }
  const spoil = async (row: string, changes: Properties): Promise<void> => {
    const { row: stored } = await table.get(partition, hexKey("b"));
    const properties = { ...stored?.properties, ...changes };
    await table.submit(partition, [{ kind: "upsert", row, properties }]);
  };
  return { subscriptions, spoil, logged };
}

test.each<[string, Properties]>([
  ["of a later format", { v: 2n }],
  ["without a number where one is due", { created: "then" }],
  ["whose target is no URL", { webhook: "nowhere" }],
  ["of a space that cannot be", { space: "%" }],
  ["of another's id", { id: "a" }],
])("one %s is logged and left out, the others are listed, and it can be removed", async (_, changes) => {
  const { subscriptions, spoil, logged } = await open();
  await spoil(hexKey("b"), changes);
  expect((await subscriptions.list(store)).map((one) => one.id)).toEqual(["a", "c"]);
  expect(logged).toMatchObject([{ store, row: hexKey("b") }]);
  expect((await subscriptions.listAll(store)).unreadable).toMatchObject([{ id: "b" }]);
  expect(await subscriptions.remove(store, id("b"))).toBe("removed");
  expect(await subscriptions.listAll(store)).toMatchObject({
    subscriptions: [{ id: "a" }, { id: "c" }],
    unreadable: [],
  });
});

test("a row whose key is no id is logged and left out", async () => {
  const { subscriptions, spoil, logged } = await open();
  await spoil("ff", {});
  expect((await subscriptions.listAll(store)).unreadable).toEqual([]);
  expect((await subscriptions.list(store)).map((one) => one.id)).toEqual(["a", "b", "c"]);
  expect(logged).toHaveLength(2);
});
