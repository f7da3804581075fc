// Jobs on the simulated table: they are told of, worked on in turns, and survive whoever works on them.

import { expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import type { JobId, SpaceName, StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import { schedulePartition } from "../../../src/jobs/due.ts";
import { jobRow, jobsPartition, newJobId } from "../../../src/jobs/job.ts";
import type { JobRequest } from "../../../src/jobs/job.ts";
import { createJobs, jobTurns, jobWhat } from "../../../src/jobs/jobs.ts";
import type { JobWork } from "../../../src/jobs/jobs.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../doubles/simulated-table.ts";
import { systemRandom as random } from "../../system.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const store = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const other = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4e" as StoreId;
const weekMs = 7 * 24 * 3_600_000;
const request: JobRequest = {
  ...{ kind: "count", space: "orders" as SpaceName, asked: { to: 3 }, caller: "key abc" },
};

function world(plan?: FaultPlan) {
  const clock = new VirtualClock();
  const account = new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) });
  const registry = account.table("streamkitregistry");
  const schedule = createSchedule({
    ...{ registry, clock, serviceClock: clock, logger: silentLogger, telemetry: silentTelemetry },
  });
  const deps = { registry, schedule, clock, serviceClock: clock, random, logger: silentLogger };
  return {
    clock,
    registry,
    jobs: createJobs(deps),
    /** One run of the monitor, with these works. */
    run: (works: Readonly<Record<string, JobWork>>) =>
      schedule.run({ [jobWhat]: jobTurns(deps, works) }, { deadlineMs: 60_000 }),
    due: async () => (await registry.query({ partition: schedulePartition, from: "0", to: "g" })).rows,
  };
}

/** Counts to what was asked for, one a turn, a minute apart. */
const counting: JobWork = ({ asked, progress }) => {
  const at = Number(progress["at"] ?? 0) + 1;
  return Promise.resolve({ kind: at === asked["to"] ? "done" : "more", progress: { at }, pauseMs: 60_000 });
};

test("a job is told of from its start, with who asked for it, and after each turn how far it is", async () => {
  const { jobs, run, clock } = world();
  const job = await jobs.start(store, request);
  expect(await jobs.get(store, job.id)).toEqual(job);
  expect(job).toMatchObject({ ...request, state: "waiting", createdAt: clock.now(), workedAt: 0, turns: 0 });
  for (const turns of [1, 2, 3]) {
    await run({ count: counting });
    const state = turns === 3 ? "done" : "running";
    expect(await jobs.get(store, job.id)).toMatchObject({
      state,
      turns,
      progress: { at: turns },
      workedAt: clock.now(),
    });
    await clock.pass(60_000);
  }
  await run({ count: counting });
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "done", turns: 3 });
});

test("a job that has ended is told of for a week, and then nothing is left of it", async () => {
  const { jobs, run, clock, due } = world();
  const job = await jobs.start(store, { ...request, asked: { to: 1 } });
  await run({ count: counting });
  await clock.pass(weekMs - 1);
  await run({ count: counting });
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "done" });
  await clock.pass(1);
  await run({ count: counting });
  expect(await jobs.get(store, job.id)).toBeUndefined();
  expect(await due()).toEqual([]);
});

test("what a turn fails of is told, and the job goes on from where it was", async () => {
  const { jobs, run, clock } = world();
  const job = await jobs.start(store, request);
  await run({ count: counting });
  await clock.pass(60_000);
  const failing: JobWork = () => Promise.reject(new StoreError("throttled", "Too much."));
  expect(await run({ count: failing })).toMatchObject({ failed: 1 });
  const lastError = { code: "throttled", message: "Too much.", at: clock.now() };
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "running", progress: { at: 1 }, turns: 2, lastError });
  await clock.pass(60_000);
  await run({ count: counting });
  const now = await jobs.get(store, job.id);
  expect(now).toMatchObject({ state: "running", progress: { at: 2 }, turns: 3 });
  expect(now?.lastError).toBeUndefined();
});

test("a job that cannot be done is not tried again", async () => {
  const { jobs, run, clock } = world();
  const job = await jobs.start(store, request);
  const refusing: JobWork = () => Promise.reject(new StoreError("invalid_argument", "No."));
  await run({ count: refusing });
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "failed", lastError: { code: "invalid_argument" } });
  await clock.pass(3_600_000);
  expect(await run({ count: counting })).toMatchObject({ done: 0, again: 0 });
});

test("a job of a kind that this version does not know waits for one that does", async () => {
  const { jobs, run, clock } = world();
  const job = await jobs.start(store, request);
  await run({});
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "waiting", turns: 0 });
  await clock.pass(60_000);
  await run({ count: counting });
  expect(await jobs.get(store, job.id)).toMatchObject({ turns: 1 });
});

test("who dies before the job is written leaves a row of the schedule that goes by itself, and no job", async () => {
  let dies = false;
  const { jobs, run, clock, due } = world((one) =>
    dies && one.kind === "submit" && one.partition === jobsPartition(store)
      ? { arrivesAtMs: [], outcome: { kind: "nothing" } }
      : undefined,
  );
  dies = true;
  void jobs.start(store, request);
  await clock.pass(0);
  dies = false;
  expect(await due()).toHaveLength(1);
  for (let minutes = 0; minutes < 15; minutes += 1) {
    await run({ count: counting });
    await clock.pass(60_000);
  }
  expect(await due()).toEqual([]);
  expect((await jobs.list(store, { limit: 10 })).jobs).toEqual([]);
});

test("who dies after a turn and before it is kept does that turn again", async () => {
  let dies = false;
  const { jobs, run, clock } = world((one) =>
    dies && one.kind === "submit" && one.partition === jobsPartition(store)
      ? { arrivesAtMs: [], outcome: { kind: "nothing" } }
      : undefined,
  );
  const job = await jobs.start(store, request);
  dies = true;
  void run({ count: counting });
  await clock.pass(10);
  dies = false;
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "waiting", turns: 0 });
  await run({ count: counting });
  expect(await jobs.get(store, job.id)).toMatchObject({ progress: { at: 1 }, turns: 1 });
});

test("a turn that ends late does not wake a job that has ended", async () => {
  const { jobs, run, clock } = world();
  const job = await jobs.start(store, request);
  const { promise: ends, resolve } = Promise.withResolvers<undefined>();
  const late = run({
    count: async () => {
      await ends;
      return { kind: "more", progress: { at: 1 } };
    },
  });
  await clock.pass(0);
  await run({ count: () => Promise.resolve({ kind: "done", progress: { at: 3 } }) });
  resolve(undefined);
  await clock.pass(0);
  await late;
  expect(await jobs.get(store, job.id)).toMatchObject({ state: "done", progress: { at: 3 } });
});

test("the list is of one store, in the order the jobs were started, page by page", async () => {
  const { jobs, clock } = world();
  const ids: JobId[] = [];
  for (let index = 0; index < 5; index += 1) {
    ids.push((await jobs.start(store, request)).id);
    await clock.pass(1);
  }
  await jobs.start(other, request);
  const first = await jobs.list(store, { limit: 2 });
  expect([first.jobs.map(({ id }) => id), first.isMore]).toEqual([ids.slice(0, 2), true]);
  const rest = await jobs.list(store, { limit: 3, after: ids[1] });
  expect([rest.jobs.map(({ id }) => id), rest.isMore]).toEqual([ids.slice(2), false]);
});

test("a row that no version has written is damage that names the row", async () => {
  const { jobs, registry } = world();
  const job = await jobs.start(store, request);
  const { row } = await registry.get(jobsPartition(store), jobRow(job.id));
  for (const properties of [{ asked: "{" }, { state: "lost" }, { progress: '{"a":[]}' }, { turns: -1n }]) {
    await registry.submit(jobsPartition(store), [
      { kind: "upsert", row: jobRow(job.id), properties: { ...row!.properties, ...properties } },
    ]);
    await expect(jobs.get(store, job.id)).rejects.toMatchObject({ code: "corrupt_data" });
  }
});

test("an id is a UUID of version 7, and sorts by its time", () => {
  const id = newJobId(1_767_225_600_000, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
  expect(id).toBe("019b76da-a800-71d0-a765-00a0c91e6bf6");
});
