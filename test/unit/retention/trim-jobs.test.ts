// Trims that take longer than a call may: they become jobs, and end as the call would have.

import { expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { JobRequest } from "../../../src/jobs/job.ts";
import { createJobs, jobTurns, jobWhat } from "../../../src/jobs/jobs.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import { segmentTrimJob, spaceTrimJob, trimWorks } from "../../../src/retention/trim-jobs.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import type { Store } from "../../../src/store/store.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../system.ts";

const id = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const space = "orders" as SpaceName;
const segment = "order-1" as SegmentName;

/** A store where a call removes two rows of a log, or one block, in each of two transactions. */
async function world(entries: number) {
  const account = new SimulatedAccount({ clock });
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
    options: { batchOperations: 4, trimTransactionsMax: 2, settleDelayMs: 0 },
  });
  const store = stores.open(id);
  for (let index = 0; index < entries; index += 1) await append(store);
  const registry = account.table("streamkitregistry");
  const schedule = createSchedule({
    ...{ registry, clock, serviceClock: clock, logger: silentLogger, telemetry: silentTelemetry },
  });
  const deps = { registry, schedule, clock, serviceClock: clock, random, logger: silentLogger };
  const jobs = createJobs(deps);
  const run = async (request: JobRequest) => {
    const job = await jobs.start(id, request);
    await schedule.run({ [jobWhat]: jobTurns(deps, trimWorks(stores)) }, { deadlineMs: 60_000 });
    return jobs.get(id, job.id);
  };
  return { store, run };
}

async function append(store: Store): Promise<void> {
  const records = [{ payload: Buffer.from("x"), metadata: new Map<string, string>() }];
  for await (const chunk of store.produce(space, segment, records))
    expect(chunk.status.lastSequence).toBeGreaterThan(0);
}

async function sequences(store: Store): Promise<readonly number[]> {
  const read: number[] = [];
  for await (const entry of store.consumeSegment(space, segment)) read.push(entry.sequence);
  return read;
}

test("a job ends the trim of a segment that one call has begun", async () => {
  const { store, run } = await world(12);
  const status = await store.trimSegment(space, segment, 10);
  expect(status.firstSequence).toBeLessThan(10);
  const job = await run(segmentTrimJob(status, 10, "anyone"));
  expect(job).toMatchObject({ kind: "trimSegment", state: "done", progress: { firstSequence: 10 } });
  expect(await sequences(store)).toEqual([10, 11, 12]);
});

test("a trim beyond the end takes what there was when it was asked for, and nothing that came later", async () => {
  const { store, run } = await world(8);
  const status = await store.trimSegment(space, segment, 1_000);
  await append(store);
  await run(segmentTrimJob(status, 1_000, "anyone"));
  expect(await sequences(store)).toEqual([9]);
});

test("a job of a segment of which all that it was made for is gone touches nothing", async () => {
  const { store, run } = await world(3);
  const former = { space, segment, firstSequence: 1, firstTimestamp: 1, lastSequence: 3, lastTimestamp: 5 };
  const job = await run(segmentTrimJob(former, 3, "anyone"));
  expect(job).toMatchObject({ state: "done" });
  expect(await sequences(store)).toEqual([1, 2, 3]);
});

test("a job ends the trim of a space", async () => {
  const { store, run } = await world(12);
  const all: { readonly timestamp: number }[] = [];
  for await (const entry of store.consumeSpace(space)) all.push(entry);
  const { timestamp } = all[9]!;
  let first = await store.trimSpace(space, { timestamp });
  // What was committed last may still wait for its end.
  while (first.state === "pending") first = await store.trimSpace(space, { timestamp });
  expect(first.state).toBe("more");
  const job = await run(spaceTrimJob(space, { timestamp }, "anyone"));
  expect(job).toMatchObject({ kind: "trimSpace", state: "done", progress: { state: "done" } });
  expect(await sequences(store)).toEqual([10, 11, 12]);
});

test("a job that names no space cannot be done", async () => {
  const { run } = await world(1);
  expect(await run({ kind: "trimSpace", asked: { timestamp: 1 }, caller: "anyone" })).toMatchObject({
    state: "failed",
  });
});
