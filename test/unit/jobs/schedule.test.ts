// The schedule on the simulated table: what is due, what becomes of it, and what is left where a run dies.

import { expect, test } from "vitest";

import type { SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { Due } from "../../../src/jobs/due.ts";
import { decodeDue, dueKey, dueRange, encodeDue, schedulePartition } from "../../../src/jobs/due.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import type { Next, Schedule, Works } from "../../../src/jobs/schedule.ts";
import type { Row } from "../../../src/table/port.ts";
import { countingAccount } from "../../doubles/counting.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../doubles/simulated-table.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const store = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d" as StoreId;
const space = "orders" as SpaceName;
const deadlineMs = 60_000;

function world(plan?: FaultPlan) {
  const clock = new VirtualClock();
  const account = countingAccount(new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) }));
  const registry = account.table("streamkitregistry");
  const instance = (): Schedule =>
    createSchedule({ registry, clock, serviceClock: clock, logger: silentLogger, telemetry: silentTelemetry });
  const rows = async (): Promise<readonly Row[]> =>
    (await registry.query({ partition: schedulePartition, from: "0", to: "g" })).rows;
  const due = (inMs: number, changes: Partial<Due> = {}): Due => ({
    ...{ at: clock.now() + inMs, what: "test", store, space, life: "1" },
    ...changes,
  });
  return { clock, account, registry, schedule: instance(), instance, rows, due };
}

/** A work that remembers what it was given, and answers so. */
function remembering(answer: (due: Due) => Next = () => ({ kind: "done" })): { works: Works; given: Due[] } {
  const given: Due[] = [];
  return {
    given,
    works: {
      test: (due) => {
        given.push(due);
        return Promise.resolve(answer(due));
      },
    },
  };
}

test("what is due is done once, in the order of its time, and is gone; what is later stays", async () => {
  const { schedule, due, rows, clock } = world();
  for (const life of ["c", "a", "b"]) await schedule.put(due(life.charCodeAt(0), { life }));
  await schedule.put(due(3_600_000, { life: "later" }));
  await clock.pass(1_000);
  const { works, given } = remembering();
  const report = await schedule.run(works, { deadlineMs });
  expect(given.map(({ life }) => life)).toEqual(["a", "b", "c"]);
  expect(report).toMatchObject({ done: 3, again: 0, failed: 0, complete: true });
  expect((await rows()).map((row) => decodeDue(row).life)).toEqual(["later"]);
  expect(await schedule.run(works, { deadlineMs })).toMatchObject({ done: 0 });
});

test("a run with nothing due is one request, however much is in the schedule", async () => {
  const { account, schedule, due } = world();
  for (let index = 0; index < 300; index += 1) await schedule.put(due(60_000 + index));
  account.reset();
  await schedule.run(remembering().works, { deadlineMs });
  expect(account.counts).toMatchObject({ requests: 1, rowsRead: 0 });
});

test("more than a page that is due is done in one run", async () => {
  const { schedule, due, rows } = world();
  for (let index = 0; index < 450; index += 1) await schedule.put(due(-index));
  const { works, given } = remembering();
  expect(await schedule.run(works, { deadlineMs })).toMatchObject({ done: 450 });
  expect(new Set(given.map(({ at }) => at)).size).toBe(450);
  expect(await rows()).toEqual([]);
});

test("the same twice is one, and another life, space or segment is another", async () => {
  const { schedule, due, rows } = world();
  const one = due(0, { segment: "a" as SegmentName });
  for (const each of [one, one, { ...one, life: "2" }, { ...one, space: "b" as SpaceName }]) await schedule.put(each);
  await schedule.put({ ...one, segment: "b" as SegmentName });
  expect(await rows()).toHaveLength(4);
});

test("what goes on later moves to its time, and what goes on at once has its next turn in the same run", async () => {
  const { schedule, due, rows, clock } = world();
  await schedule.put(due(0));
  let turns = 0;
  const { works, given } = remembering(() => {
    turns += 1;
    return { kind: "again", at: clock.now() + (turns < 3 ? 0 : 5_000) };
  });
  await schedule.run(works, { deadlineMs });
  expect(given).toHaveLength(3);
  expect((await rows()).map((row) => decodeDue(row).at)).toEqual([clock.now() + 5_000]);
});

test("what fails stays, is tried again after a minute and then after twice as long, and holds up nothing else", async () => {
  const { schedule, due, rows, clock } = world();
  await schedule.put(due(0, { life: "bad" }));
  await schedule.put(due(1, { life: "good" }));
  await clock.pass(10);
  const { works, given } = remembering((one) => {
    if (one.life === "bad") throw new Error("It fails.");
    return { kind: "done" };
  });
  expect(await schedule.run(works, { deadlineMs })).toMatchObject({ done: 1, failed: 1 });
  for (const pauseMs of [60_000, 120_000, 240_000]) {
    const [row] = await rows();
    expect(decodeDue(row!).at).toBe(clock.now() + pauseMs);
    await clock.pass(pauseMs);
    expect(await schedule.run(works, { deadlineMs })).toMatchObject({ failed: 1 });
  }
  expect(given.filter(({ life }) => life === "good")).toHaveLength(1);
});

test("a row of another version, and one that cannot be read, stay where they are", async () => {
  const { schedule, due, rows, registry } = world();
  await schedule.put(due(0, { what: "unheard" }));
  const damaged = due(-5);
  await registry.submit(schedulePartition, [
    { kind: "insert", row: dueKey(damaged), properties: { ...encodeDue(damaged), life: 7n } },
  ]);
  await schedule.put(due(0));
  expect(await schedule.run(remembering().works, { deadlineMs })).toMatchObject({ done: 1, failed: 1 });
  expect(await rows()).toHaveLength(2);
});

test("a run that dies after the work leaves the row, and the next one does it again", async () => {
  let dies = false;
  const { schedule, instance, due, rows } = world((request) =>
    dies && request.kind === "submit" ? { arrivesAtMs: [], outcome: { kind: "nothing" } } : undefined,
  );
  await schedule.put(due(0));
  dies = true;
  const first = remembering();
  void schedule.run(first.works, { deadlineMs });
  await new Promise((resolve) => setImmediate(resolve));
  dies = false;
  expect(first.given).toHaveLength(1);
  expect(await rows()).toHaveLength(1);
  const second = remembering();
  await instance().run(second.works, { deadlineMs });
  expect(second.given).toHaveLength(1);
  expect(await rows()).toEqual([]);
});

test("of two runs that have the same row at once one moves it, and neither brings it back", async () => {
  const { schedule, instance, due, rows, clock } = world();
  await schedule.put(due(0));
  const { promise: bothHaveIt, resolve } = Promise.withResolvers<undefined>();
  let turns = 0;
  const works = (next: Next): Works => ({
    test: async () => {
      turns += 1;
      if (turns === 2) resolve(undefined);
      await bothHaveIt;
      return next;
    },
  });
  await Promise.all([
    schedule.run(works({ kind: "done" }), { deadlineMs }),
    instance().run(works({ kind: "again", at: clock.now() + 5_000 }), { deadlineMs }),
  ]);
  expect(turns).toBe(2);
  expect((await rows()).length).toBeLessThanOrEqual(1);
  for (const row of await rows()) expect(decodeDue(row).at).toBe(clock.now() + 5_000);
});

test("the key of what is due now is in the range of now, and of nothing before", () => {
  const { due } = world();
  const one = due(0);
  const within = (now: number): boolean => dueKey(one) >= dueRange(now).from && dueKey(one) <= dueRange(now).to;
  expect([within(one.at - 1), within(one.at), within(one.at + 1)]).toEqual([false, true, true]);
});
