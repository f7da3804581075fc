// A log that answers reads and takes no commits: what waits for it is bounded, and nothing is made twice when it is
// over.

import { expect, test } from "vitest";
import { logPartition } from "../../src/store/azure/rows/keys.ts";
import { faults } from "../doubles/fault.ts";
import type { SimulatedRequest } from "../doubles/simulated-table.ts";
import { feeling, Lab, space, stuck } from "./lab.ts";

const isCommit = (request: SimulatedRequest): boolean =>
  request.kind === "submit" && request.partition === logPartition(space) && request.writes.length === 2;

test("attempts whose outcome is open are kept in memory, and so are few, however long it lasts", async () => {
  const lab = new Lab("refused log");
  const { store } = lab.instance();
  await lab.finish(lab.neighbours(store, 200));
  await lab.pass(5_000);
  const attempts = new Set<unknown>();
  lab.fault = (request) => {
    if (!isCommit(request) || request.kind !== "submit") return undefined;
    const [, record] = request.writes;
    if (record !== undefined && "properties" in record) attempts.add(String(record.properties["id"]));
    return faults.failed({ kind: "unavailable" }, 8);
  };
  const outage = feeling(await lab.finish(lab.neighbours(store, 300_000), 400_000));
  expect(outage.failed).toEqual(["storage_unavailable"]);
  expect(attempts.size).toBeLessThanOrEqual(8);
  lab.fault = () => undefined;
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "ok" });
  expect(feeling(await lab.finish(lab.neighbours(store, 2_000))).failed).toEqual([]);
  await lab.pass(5_000);
  expect(await lab.fsck()).toMatchObject({ findings: [], unapplied: 0 });
});

test("a Retry-After of an hour, told once, stops nobody for an hour", async () => {
  const lab = new Lab("long pause");
  const { store } = lab.instance();
  await lab.produce(store, stuck);
  let isFirst = true;
  lab.fault = (request) => {
    if (!isFirst || !isCommit(request)) return undefined;
    isFirst = false;
    return faults.throttled(8, 3_600_000);
  };
  const { outcome, latencyMs } = await lab.produce(store, stuck);
  expect(outcome).toBe("ok");
  expect(latencyMs).toBeLessThan(6_000);
});
