// Status messages of a space that is written to all the time: few, and nothing is missing in them. In virtual time.

import { expect, test } from "vitest";

import { sleep } from "../../../../../src/core/clock.ts";
import { StoreError } from "../../../../../src/core/errors.ts";
import type { SegmentName } from "../../../../../src/core/ids.ts";
import { parseSpaceName } from "../../../../../src/core/ids.ts";
import type { StatusNotification } from "../../../../../src/store/notifier.ts";
import { Lab, neighbours, space } from "../../../../isolation/lab.ts";

interface Message extends StatusNotification {
  readonly at: number;
}

function world(settings = {}) {
  const lab = new Lab("merged notifications");
  const messages: Message[] = [];
  const queue = { takesMs: 8, fails: false };
  const notifier = {
    notify: async (notification: StatusNotification): Promise<void> => {
      messages.push({ ...notification, at: lab.clock.elapsed() });
      await sleep(lab.clock, queue.takesMs);
      if (queue.fails) throw new StoreError("storage_unavailable", "The queue is dead.");
    },
  };
  return { lab, messages, queue, ...lab.instance({ settings, notifier }) };
}

/** The last that was told of each segment. */
function lastTold(messages: readonly Message[]): ReadonlyMap<SegmentName, number> {
  return new Map(messages.flatMap(({ statuses }) => statuses.map((one) => [one.segment, one.lastSequence] as const)));
}

/** The most messages of any second. */
function mostInASecond(messages: readonly Message[]): number {
  return Math.max(...messages.map(({ at }) => messages.filter((one) => one.at >= at && one.at < at + 1_000).length));
}

test("a space under load sends at most ten messages a second, and the last one tells where each segment is", async () => {
  const { lab, messages, store } = world();
  await lab.finish(lab.load(store, neighbours, { everyMs: 5, forMs: 10_000 }));
  // By then all is written off, too.
  await lab.pass(3_000);
  expect(mostInASecond(messages)).toBeLessThanOrEqual(10);
  expect(messages.length).toBeGreaterThan(90);
  expect(lastTold(messages)).toEqual(new Map(neighbours.map((segment) => [segment, 2_000 / neighbours.length])));
  expect(await lab.fsck()).toMatchObject({ unnotified: 0, unapplied: 0, findings: [] });
});

test("the first record of a space that was quiet is told of at once", async () => {
  const { lab, messages, store } = world();
  for (const of of ["orders", "bills"].map(parseSpaceName)) {
    const [startedAt, before] = [lab.clock.elapsed(), messages.length];
    const load = lab.load(store, neighbours.slice(0, 1), { everyMs: 1_000, forMs: 1_000, in: of });
    const [felt] = await lab.finish(load);
    expect(messages.slice(before).map(({ at }) => at - startedAt)).toEqual([felt?.latencyMs]);
  }
});

test("the pause is a setting, and without one a message holds what came while the one before was on its way", async () => {
  const slow = world({ notificationPauseMs: 2_000 });
  await slow.lab.finish(slow.lab.load(slow.store, neighbours, { everyMs: 20, forMs: 9_000 }));
  expect(slow.messages.length).toBe(5);
  const quick = world({ notificationPauseMs: 0 });
  quick.queue.takesMs = 50;
  await quick.lab.finish(quick.lab.load(quick.store, neighbours, { everyMs: 20, forMs: 2_000 }));
  await quick.lab.pass(500);
  expect(mostInASecond(quick.messages)).toBeLessThanOrEqual(21);
  expect(quick.messages.length).toBeGreaterThan(30);
  expect(lastTold(quick.messages)).toEqual(new Map(neighbours.map((segment) => [segment, 100 / neighbours.length])));
});

test("what an instance had not told of when it died, the monitor of another tells, record by record", async () => {
  const { client, lab, messages, store } = world({ notificationPauseMs: 60_000 });
  await lab.finish(lab.load(store, neighbours, { everyMs: 20, forMs: 1_000 }));
  client.crash();
  expect(messages.length).toBe(1);
  await lab.pass(60_000);
  const told: StatusNotification[] = [];
  const { factory } = lab.instance({
    settings: { walGraceMs: 1_000 },
    notifier: {
      notify: (notification) => {
        told.push(notification);
        return Promise.resolve();
      },
    },
  });
  await lab.finish(factory.recover({ deadlineMs: 60_000 }));
  const sequences = told.flatMap(({ statuses }) => statuses.map(({ lastSequence }) => lastSequence));
  expect(Math.max(...sequences)).toBe(50 / neighbours.length);
  expect(told.every((one) => one.space === space)).toBe(true);
  expect(await lab.fsck()).toMatchObject({ unnotified: 0 });
});
