// One segment whose partition refuses everything: its callers are told, everyone else does not notice.

import { describe, expect, test } from "vitest";
import type { SegmentName } from "../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import { logPartition, segmentPartition } from "../../src/store/azure/rows/keys.ts";
import type { Fault } from "../doubles/fault.ts";
import { faults } from "../doubles/fault.ts";
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

const refusals: readonly (readonly [string, Fault])[] = [
  ["is unavailable", faults.failed({ kind: "unavailable" }, 8)],
  ["throttles", faults.throttled(8)],
  ["does not answer", faults.timedOut(5_000)],
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
  fault: Fault | undefined,
  start: "cold" | "warm",
  { segments, ...often }: Offence,
): Promise<Feelings> {
  const lab = new Lab(`stuck ${start}`);
  const first = lab.instance({ settings });
  await lab.produce(first.store, stuck);
  await lab.finish(lab.neighbours(first.store, 500));
  lab.fault = (request) => (request.kind !== "create" && request.partition === partition ? fault : undefined);
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
    test.each(refusals)("that %s costs its neighbours neither rate nor latency", async (_name, fault) => {
      const usual = await feel(undefined, start, offence);
      const now = await feel(fault, start, offence);
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

// As when a server of the service is lost: it holds many partitions.
describe.each(["warm", "cold"] as const)("forty segments that do not answer, on a %s instance", (start) => {
  test("hold up their neighbours for a turn at the most, and their neighbours' neighbours too", async () => {
    const lab = new Lab(`many stuck ${start}`);
    const many = Array.from({ length: 40 }, (_, index) => parseSegmentName(`stuck ${index}`));
    const first = lab.instance({ settings });
    await lab.finish(lab.load(first.store, many, { everyMs: 5, forMs: 200 }));
    await lab.finish(lab.neighbours(first.store, 500));
    const partitions = new Set(many.map((one) => segmentPartition(space, one)));
    lab.fault = (request) =>
      request.kind !== "create" && partitions.has(request.partition) ? faults.timedOut(10_000) : undefined;
    const { store } = start === "warm" ? first : lab.instance({ settings });
    const own = lab.load(store, many, { everyMs: 100, forMs: 20_000 });
    const otherSpace = lab.load(store, neighbours, { everyMs: 50, forMs: 20_000, in: parseSpaceName("other") });
    const felt = [feeling(await lab.finish(lab.neighbours(store, 20_000))), feeling(await lab.finish(otherSpace))];
    await lab.finish(own);
    for (const { failed, p50, p99 } of felt) {
      expect(failed).toEqual([]);
      expect(p50).toBeLessThan(30);
      expect(p99).toBeLessThan(1_100);
    }
  });
});

test("the segment goes on when its partition does", async () => {
  const lab = new Lab("healed");
  const { factory, store } = lab.instance({ settings: { ...settings, walGraceMs: 0 } });
  await lab.produce(store, stuck);
  lab.fault = (request) => {
    return request.kind !== "create" && request.partition === partition ? faults.throttled(8) : undefined;
  };
  await lab.finish(lab.load(store, [stuck], { everyMs: 50, forMs: 2_000 }));
  lab.fault = () => undefined;
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "ok" });
  await lab.pass(5_000);
  await lab.finish(factory.recover({ deadlineMs: 10_000 }));
  expect(await lab.fsck()).toMatchObject({ unapplied: 0, findings: [] });
});

test("logs that hang keep the monitor from none of the others, and a run from ending in none of its time", async () => {
  const lab = new Lab("monitor");
  const spaces = Array.from({ length: 20 }, (_, index) => parseSpaceName(`space ${index}`));
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
  const hanging = new Set(spaces.filter((_, index) => index % 2 === 0).map((of) => segmentPartition(of, stuck)));
  lab.fault = (request) => {
    return request.kind !== "create" && hanging.has(request.partition) ? faults.timedOut(10_000) : undefined;
  };
  const { factory, store } = lab.instance({ settings: { ...settings, walGraceMs: 0 } });
  const startedAt = lab.clock.elapsed();
  const deadlineMs = 15_000;
  expect(await lab.finish(factory.recover({ deadlineMs }))).toMatchObject({ logs: 20, applied: 10, complete: false });
  expect(lab.clock.elapsed() - startedAt).toBeLessThan(deadlineMs + 100);
  for (const [index, of] of spaces.entries()) {
    if (index % 2 === 1) expect((await lab.finish(store.peek(of, stuck)))?.sequence).toBe(1);
  }
});

test("a run of the monitor that is out of time is gone on with by the next", async () => {
  const lab = new Lab("long monitor");
  const writer = lab.instance({ settings });
  const spaces = Array.from({ length: 40 }, (_, index) => parseSpaceName(`space ${index}`));
  for (const of of spaces) await lab.finish(lab.produceTo(writer.store, of, stuck));
  await lab.pass(5_000);
  const { factory } = lab.instance({ settings: { ...settings, walGraceMs: 0 } });
  const left = new Set(spaces.map(logPartition));
  lab.fault = (request) => {
    if (request.kind === "get") left.delete(request.partition);
    return undefined;
  };
  // Each log is read in 8 ms, four at a time: a run sees some.
  for (let runs = 0; runs < 20; runs += 1) {
    const { complete, logs } = await lab.finish(factory.recover({ deadlineMs: 40 }));
    expect({ complete, isMost: logs > 20 }).toEqual({ complete: false, isMost: false });
    if (left.size === 0) return;
  }
  expect(left).toEqual(new Set());
});
