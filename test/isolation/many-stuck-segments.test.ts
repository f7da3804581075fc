// Any number of segments that cannot be applied: their callers are told early, and the others' produces go on at their
// rate.

import { describe, expect, test } from "vitest";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import { segmentPartition } from "../../src/store/azure/rows/keys.ts";
import type { Fault } from "../doubles/fault.ts";
import { faults } from "../doubles/fault.ts";
import { feeling, Lab, neighbours, space, stuck } from "./lab.ts";

const other = parseSpaceName("other");
const refusals: readonly (readonly [string, Fault])[] = [
  ["refuse every write", faults.failed({ kind: "unavailable" }, 8)],
  ["do not answer", faults.timedOut(10_000)],
];

describe.each(["warm", "cold"] as const)("on a %s instance", (start) => {
  describe.each([17, 40, 1_000])("%i segments", (count) => {
    test.each(refusals)(
      "that %s cost their neighbours nothing, for three minutes",
      async (_, fault) => {
        const lab = new Lab(`${count} stuck ${start}`);
        const many = Array.from({ length: count }, (_unused, index) => parseSegmentName(`stuck ${index}`));
        const first = lab.instance();
        await lab.finish(lab.load(first.store, many, { everyMs: 2, forMs: 2 * count }));
        await lab.finish(lab.neighbours(first.store, 500));
        await lab.pass(2_000);
        const partitions = new Set(many.map((one) => segmentPartition(space, one)));
        lab.fault = (request) => (request.kind === "submit" && partitions.has(request.partition) ? fault : undefined);
        const { store } = start === "warm" ? first : lab.instance();
        const forMs = 180_000;
        const own = lab.load(store, many, { everyMs: 20, forMs });
        const theirs = [
          lab.load(store, neighbours, { everyMs: 40, forMs }),
          lab.load(store, neighbours, { everyMs: 100, forMs, in: other }),
        ];
        for (const { failed, p50, p99 } of (await lab.finish(Promise.all(theirs), 400_000)).map(feeling)) {
          expect(failed).toEqual([]);
          expect(p50).toBeLessThan(40);
          expect(p99).toBeLessThan(200);
        }
        // A segment that refuses is asked again now and then; who comes in between is told at once, and took no place.
        const early = await lab.produce(store, many[0] ?? stuck);
        expect(early).toMatchObject({ outcome: "storage_unavailable", effect: "none" });
        expect(early.latencyMs).toBeLessThan(100);
        expect((await lab.finish(own)).map(({ outcome }) => outcome)).not.toContain("ok");
        lab.fault = () => undefined;
        await lab.pass(15_000);
        expect((await lab.produce(store, many[0] ?? stuck)).outcome).toBe("ok");
      },
      120_000,
    );
  });
});

test.each(refusals)(
  "more than the log lists that answered a moment ago, and %s together, leave room for their neighbours",
  async (_, fault) => {
    const lab = new Lab("more than the log lists");
    const many = Array.from({ length: 80 }, (_unused, index) => parseSegmentName(`stuck ${index}`));
    const { store } = lab.instance({ settings: { pendingPerLogMax: 32 } });
    await lab.finish(lab.load(store, many, { everyMs: 20, forMs: 20 * many.length }));
    await lab.finish(lab.neighbours(store, 500));
    const partitions = new Set(many.map((one) => segmentPartition(space, one)));
    lab.fault = (request) => (request.kind === "submit" && partitions.has(request.partition) ? fault : undefined);
    void lab.load(store, many, { everyMs: 20, forMs: 1_600 });
    const { failed, p50, p99 } = feeling(await lab.finish(lab.load(store, neighbours, { everyMs: 40, forMs: 4_000 })));
    expect(failed).toEqual([]);
    expect(p50).toBeLessThan(40);
    expect(p99).toBeLessThan(200);
  },
);

test("a segment that failed once waits for none of those that hang", async () => {
  for (const count of [8, 40, 200]) {
    const lab = new Lab(`failed once ${count}`);
    const { store } = lab.instance();
    const many = Array.from({ length: count }, (_, index) => parseSegmentName(`stuck ${index}`));
    await lab.finish(lab.load(store, many, { everyMs: 5, forMs: 5 * count }));
    await lab.finish(lab.produceTo(store, other, stuck));
    await lab.pass(3_000);
    const partitions = new Set(many.map((one) => segmentPartition(space, one)));
    const healthy = segmentPartition(other, stuck);
    let fails = 0;
    lab.fault = (request) => {
      if (request.kind === "create") return undefined;
      if (partitions.has(request.partition)) return faults.timedOut(10_000);
      if (request.kind !== "submit" || request.partition !== healthy || fails > 0) return undefined;
      fails += 1;
      return faults.failed({ kind: "unavailable" }, 8);
    };
    const own = lab.load(store, many, { everyMs: 20, forMs: 20_000 });
    await lab.pass(15_000);
    for (let turn = 0; turn < 2; turn += 1) {
      const startedAt = lab.clock.elapsed();
      expect(await lab.finish(lab.produceTo(store, other, stuck))).toBe(1);
      expect(lab.clock.elapsed() - startedAt).toBeLessThan(300);
    }
    expect(fails).toBe(1);
    await lab.finish(own);
  }
});
