// A machine whose clock is an hour off: it neither drags the log into the future nor costs those it shares a space
// with.

import { describe, expect, test } from "vitest";
import { logPartition, storeTableName, timestampOfRow } from "../../src/store/azure/rows/keys.ts";
import { MachineClock } from "../simulation/timeline.ts";
import type { Feeling, Instance } from "./lab.ts";
import { feeling, Lab, neighbours, space, storeId, stuck } from "./lab.ts";

const hourMs = 3_600_000;
const forMs = 10_000;

/** How far the timestamps of records are from the service's time of their commit, at the most. */
function watchTimestamps(lab: Lab): () => number {
  let farthestMs = 0;
  lab.account.observe(({ at, changes, partition }) => {
    if (partition !== logPartition(space)) return;
    for (const { row } of changes) {
      if (row.length === 16) farthestMs = Math.max(farthestMs, Math.abs(timestampOfRow(row) - at));
    }
  });
  return () => farthestMs;
}

interface Felt {
  readonly right: Feeling;
  readonly wrong: Feeling;
  readonly farthestMs: number;
}

/** An instance with a right clock beside one that is off, from its start or from its first produces on. */
async function feel(offMs: number, when: "from the start" | "later", start: "warm" | "cold"): Promise<Felt> {
  const lab = new Lab(`clock ${start}`);
  const farthestMs = watchTimestamps(lab);
  const clock = new MachineClock(lab.timeline, when === "later" ? 0 : offMs);
  const off = lab.instance({ clock });
  const right = lab.instance();
  const both = (forMsEach: number, instances: readonly Instance[]) =>
    Promise.all(instances.map(({ store }) => lab.finish(lab.neighbours(store, forMsEach))));
  await both(500, start === "warm" ? [off, right] : [right]);
  if (when === "later") clock.step(offMs);
  const own = lab.neighbours(off.store, forMs);
  const theirs = await lab.finish(lab.neighbours(right.store, forMs));
  return { right: feeling(theirs), wrong: feeling(await lab.finish(own)), farthestMs: farthestMs() };
}

describe.each(["warm", "cold"] as const)("beside a %s instance", (start) => {
  const cases = [
    ["an hour ahead from the start", hourMs, "from the start"],
    ["an hour behind from the start", -hourMs, "from the start"],
    ["set an hour ahead", hourMs, "later"],
    ["set back an hour", -hourMs, "later"],
  ] as const;
  test.each(cases)("whose clock is %s nothing is slower, and timestamps are the service's", async (_, offMs, when) => {
    const usual = await feel(0, when, start);
    const now = await feel(offMs, when, start);
    for (const place of ["right", "wrong"] as const) {
      expect(now[place].failed).toEqual([]);
      expect(now[place].count).toBe(usual[place].count);
      expect(now[place].p50).toBeLessThanOrEqual(usual[place].p50 * 1.2 + 8);
      expect(now[place].p99).toBeLessThanOrEqual(usual[place].p99 * 1.2 + 16);
    }
    // The service tells whole seconds, and its answers take their time.
    expect(now.farthestMs).toBeLessThan(5_000);
  });
});

test("a log whose last record is an hour ahead takes records at the usual rate, in order, and the monitor finishes them", async () => {
  const feelAfter = async (backMs: number): Promise<{ felt: Feeling; lab: Lab }> => {
    const lab = new Lab("service clock");
    const { store } = lab.instance();
    await lab.finish(lab.neighbours(store, 500));
    const dying = lab.instance();
    const stop = lab.account.observe(({ client }) => {
      if (client === dying.client.name) dying.client.crash();
    });
    lab.produceTo(dying.store, space, stuck).catch(() => undefined);
    await lab.pass(2_000);
    stop();
    lab.clock.step(-backMs);
    return { felt: feeling(await lab.finish(lab.neighbours(store, forMs))), lab };
  };
  const usual = await feelAfter(0);
  const { felt, lab } = await feelAfter(hourMs);
  expect(felt.failed).toEqual([]);
  expect(felt.p50).toBeLessThanOrEqual(usual.felt.p50 + 8);
  expect(felt.p99).toBeLessThanOrEqual(usual.felt.p99 + 16);
  const { factory, store } = lab.instance();
  // A record written in the future is due now, not in an hour.
  expect(await lab.finish(factory.recover({ deadlineMs: 60_000 }))).toMatchObject({ logs: 1, failed: 0 });
  expect((await lab.finish(store.peek(space, stuck)))?.sequence).toBe(1);
  await lab.pass(5_000);
  expect((await lab.fsck()).findings).toEqual([]);
  const partition = logPartition(space);
  const rows = lab.account.rows(storeTableName("streamkit", storeId)).filter((row) => row.partition === partition);
  expect(rows.length).toBeGreaterThan(neighbours.length);
});
