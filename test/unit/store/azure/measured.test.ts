// What the store measures of its own work.

import { expect, test } from "vitest";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../src/core/ids.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { SimulatedAccount, type FaultPlan } from "../../../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../../../system.ts";
import { recordedTelemetry } from "../../telemetry/recorded.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("orders");
const segment = parseSegmentName("order-1");

function world(plan?: FaultPlan) {
  const account = new SimulatedAccount({ clock: systemClock, ...(plan === undefined ? {} : { plan }) });
  const instance = () => {
    const telemetry = recordedTelemetry();
    const factory = createAzureStoreFactory({
      account,
      notifier: undefined,
      compressor: plainCompressor,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      telemetry,
    });
    const store = factory.open(storeId);
    const produce = async (...payloads: string[]): Promise<void> => {
      const records = payloads.map((payload) => ({ payload: Buffer.from(payload), metadata: noMetadata }));
      for await (const { transaction } of store.produce(space, segment, records)) expect(transaction).toBeDefined();
    };
    return { factory, telemetry, produce };
  };
  return { instance };
}

test("a produce is counted once: its records, its bytes, its commit, its write to the segment and how long it was pending", async () => {
  const { produce, telemetry } = world().instance();
  await produce("one", "two", "three");
  expect(telemetry.values("streamkit.produce.records")).toEqual([3]);
  expect(telemetry.values("streamkit.commit.group_size")).toEqual([1]);
  expect(telemetry.sum("streamkit.produce.bytes")).toBeGreaterThan("onetwothree".length);
  expect(telemetry.attributes("streamkit.commit.duration")).toEqual([{ "streamkit.commit.outcome": "committed" }]);
  expect(telemetry.attributes("streamkit.apply.duration")).toEqual([{ "streamkit.apply.outcome": "applied" }]);
  const [delay, ...more] = telemetry.values("streamkit.apply.delay");
  expect(more).toEqual([]);
  expect(delay).toBeGreaterThanOrEqual(0);
  expect(delay).toBeLessThan(30);
});

test("produces that share a commit are a group of their number", async () => {
  const { produce, telemetry } = world().instance();
  await produce("first");
  await Promise.all([produce("a"), produce("b"), produce("c"), produce("d")]);
  const groups = telemetry.values("streamkit.commit.group_size");
  expect(groups.reduce((sum, size) => sum + size, 0)).toBe(5);
  expect(Math.max(...groups)).toBeGreaterThan(1);
  expect(telemetry.sum("streamkit.produce.records")).toBe(5);
});

test("a commit that another instance came before is a lost race, and its records are counted when they are committed", async () => {
  const { instance } = world();
  const [one, two] = [instance(), instance()];
  await one.produce("a");
  await two.produce("b");
  // Its version of the log is older than the other's commit.
  await one.produce("c");
  expect(one.telemetry.attributes("streamkit.commit.duration")).toContainEqual({
    "streamkit.commit.outcome": "lost_race",
  });
  expect(one.telemetry.sum("streamkit.produce.records")).toBe(2);
  expect(two.telemetry.sum("streamkit.produce.records")).toBe(1);
});

test("a run of the monitor tells how many logs it saw and what it could do; one that could not look has failed", async () => {
  const well = world().instance();
  await well.produce("a");
  await well.factory.recover({ deadlineMs: 10_000 });
  expect(well.telemetry.values("streamkit.monitor.logs")).toEqual([1]);
  expect(well.telemetry.attributes("streamkit.monitor.duration")).toEqual([
    { "streamkit.monitor.outcome": "complete" },
  ]);
  expect(well.telemetry.attributes("streamkit.monitor.records").map((one) => one["streamkit.monitor.outcome"])).toEqual(
    ["applied", "notified", "failed"],
  );
  expect(well.telemetry.sum("streamkit.monitor.oldest_pending")).toBe(0);
  const denied = world(() => ({ arrivesAtMs: [], outcome: { kind: "failure", atMs: 1, failure: { kind: "denied" } } }));
  const ill = denied.instance();
  await expect(ill.factory.recover({ deadlineMs: 10_000 })).rejects.toThrow();
  expect(ill.telemetry.attributes("streamkit.monitor.duration")).toEqual([{ "streamkit.monitor.outcome": "failed" }]);
});
