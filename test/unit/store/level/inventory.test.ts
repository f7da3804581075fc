import { expect, test } from "vitest";
import { parseSegmentName, parseSpaceName } from "../../../../src/core/ids.ts";
import { inventoryExpiryMs, KnownNames } from "../../../doubles/level/inventory.ts";
import { VirtualClock } from "../../../virtual-clock.ts";

const orders = parseSpaceName("orders");
const first = parseSegmentName("order-1");

test("a name is known from when it was added, for 97 s", async () => {
  const clock = new VirtualClock();
  const known = new KnownNames(clock);
  expect([known.has(orders), known.has(orders, first)]).toEqual([false, false]);
  known.add(orders, [first]);
  expect([known.has(orders), known.has(orders, first)]).toEqual([true, true]);
  await clock.pass(inventoryExpiryMs);
  expect([known.has(orders), known.has(orders, first)]).toEqual([true, true]);
  await clock.pass(1);
  expect([known.has(orders), known.has(orders, first)]).toEqual([false, false]);
});

test("asking does not keep a name, adding it again does", async () => {
  const clock = new VirtualClock();
  const known = new KnownNames(clock);
  known.add(orders, [first]);
  await clock.pass(60_000);
  expect(known.has(orders, first)).toBe(true);
  known.add(orders, []);
  await clock.pass(60_000);
  expect([known.has(orders), known.has(orders, first)]).toEqual([true, false]);
});

test("a segment is known in its own space only", () => {
  const known = new KnownNames(new VirtualClock());
  known.add(orders, [first]);
  expect(known.has(parseSpaceName("orders2"), first)).toBe(false);
  expect(known.has(orders, parseSegmentName("order-10"))).toBe(false);
});
