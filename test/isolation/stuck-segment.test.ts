// One segment whose partition refuses everything: its callers are told, everyone else does not notice.

import { describe, expect, test } from "vitest";
import type { SegmentName } from "../../src/core/ids.ts";
import { parseSpaceName } from "../../src/core/ids.ts";
import { segmentPartition } from "../../src/store/azure/keys.ts";
import type { Fate } from "../../src/table/fate.ts";
import { fates } from "../../src/table/fate.ts";
import type { Feeling } from "./lab.ts";
import { feeling, Lab, neighbours, space, stuck } from "./lab.ts";

const partition = segmentPartition(space, stuck);
const forMs = 10_000;
// So that what waits reaches every bound within the time.
const settings = { produceTimeoutMs: 5_000, queuedProducesMax: 500 };

interface Offence {
  readonly segments: readonly SegmentName[];
  readonly everyMs: number;
  readonly together: boolean;
}

const refusals: readonly (readonly [string, Fate])[] = [
  ["is unavailable", fates.failed({ kind: "unavailable" }, 8)],
  ["throttles", fates.throttled(8)],
  ["does not answer", fates.timedOut(5_000)],
];
const offences: readonly (readonly [string, Offence])[] = [
  ["by few", { segments: [stuck], everyMs: 100, together: false }],
  ["by many", { segments: [stuck], everyMs: 8, together: false }],
  ["together with a neighbour", { segments: [stuck, neighbours[0] ?? stuck], everyMs: 100, together: true }],
];

interface Feelings {
  readonly sameSpace: Feeling;
  readonly otherSpace: Feeling;
  readonly own: Feeling;
}

/** What all feel on an instance that has just started, or knows its segments. */
async function feel(
  fate: Fate | undefined,
  start: "cold" | "warm",
  { segments, ...often }: Offence,
): Promise<Feelings> {
  const lab = new Lab(`stuck ${start}`);
  const first = lab.instance({ settings });
  await lab.produce(first.store, stuck);
  await lab.finish(lab.neighbours(first.store, 500));
  lab.fault = (request) => (request.kind !== "create" && request.partition === partition ? fate : undefined);
  const { store } = start === "warm" ? first : lab.instance({ settings });
  const own = lab.load(store, segments, { ...often, forMs });
  const otherSpace = lab.load(store, neighbours, { everyMs: 50, forMs, in: parseSpaceName("other") });
  const sameSpace = lab.neighbours(store, forMs);
  return {
    sameSpace: feeling(await lab.finish(sameSpace)),
    otherSpace: feeling(await lab.finish(otherSpace)),
    own: feeling(await lab.finish(own)),
  };
}

describe.each(["warm", "cold"] as const)("on a %s instance", (start) => {
  describe.each(offences)("a segment written to %s", (_, offence) => {
    test.each(refusals)("that %s costs its neighbours neither rate nor latency", async (_name, fate) => {
      const usual = await feel(undefined, start, offence);
      const now = await feel(fate, start, offence);
      expect(usual.own.failed).toEqual([]);
      expect(now.own.failed).not.toEqual([]);
      for (const outcome of now.own.failed) expect(outcome).toMatch(/^(overloaded|storage_unavailable|throttled)$/);
      for (const place of ["sameSpace", "otherSpace"] as const) {
        expect(now[place].failed).toEqual([]);
        expect(now[place].count).toBe(usual[place].count);
        expect(now[place].p50).toBeLessThanOrEqual(usual[place].p50);
        // Two requests more at the most, for one in a hundred.
        expect(now[place].p99).toBeLessThanOrEqual(usual[place].p99 + 16);
      }
    });
  });
});

test("the segment goes on when its partition does", async () => {
  const lab = new Lab("healed");
  const { factory, store } = lab.instance({ settings: { ...settings, walGraceMs: 0 } });
  await lab.produce(store, stuck);
  lab.fault = (request) => {
    return request.kind !== "create" && request.partition === partition ? fates.throttled(8) : undefined;
  };
  await lab.finish(lab.load(store, [stuck], { everyMs: 50, forMs: 2_000 }));
  lab.fault = () => undefined;
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "ok" });
  await lab.pass(5_000);
  await lab.finish(factory.recover({ deadlineMs: 10_000 }));
  expect(await lab.fsck()).toMatchObject({ unapplied: 0, findings: [] });
});

test("a run of the monitor ends in time though logs hang, and the next goes on behind them", async () => {
  const lab = new Lab("monitor");
  const spaces = Array.from({ length: 8 }, (_, index) => parseSpaceName(`space ${index}`));
  for (const of of spaces) {
    const dying = lab.instance({ settings });
    // It dies after its commit: that is the write of a head and a record.
    const stop = lab.account.observe(({ changes, client }) => {
      if (client === dying.client.name && changes.length === 2) dying.client.crash();
    });
    lab.produceTo(dying.store, of, stuck).catch(() => undefined);
    await lab.pass(1_000);
    stop();
  }
  const hanging = new Set(spaces.slice(0, 4).map((of) => segmentPartition(of, stuck)));
  lab.fault = (request) => {
    return request.kind !== "create" && hanging.has(request.partition) ? fates.timedOut(10_000) : undefined;
  };
  const { factory, store } = lab.instance({ settings: { ...settings, walGraceMs: 0 } });
  const startedAt = lab.clock.elapsed();
  expect(await lab.finish(factory.recover({ deadlineMs: 3_000 }))).toMatchObject({ logs: 4, complete: false });
  expect(lab.clock.elapsed() - startedAt).toBeLessThan(3_100);
  expect(await lab.finish(factory.recover({ deadlineMs: 3_000 }))).toMatchObject({ logs: 4, applied: 4 });
  for (const of of spaces.slice(4)) expect((await lab.finish(store.peek(of, stuck)))?.sequence).toBe(1);
});
