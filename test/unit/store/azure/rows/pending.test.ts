// The lists of a log's head: never without a record that is pending, whatever overflows.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addPending,
  decodePending,
  doneThrough,
  encodePending,
  hasPending,
  isPending,
  nothingPending,
  withoutDone,
} from "../../../../../src/store/azure/rows/pending.ts";
import type { Pending } from "../../../../../src/store/azure/rows/pending.ts";

const none: ReadonlySet<number> = new Set();
const add = (pending: Pending, ...timestamps: number[]): Pending =>
  timestamps.reduce((before, timestamp) => addPending(before, timestamp, 3), pending);

describe("a list of three", () => {
  test("holds three, one by one", () => {
    expect(add(nothingPending, 10, 20, 30)).toEqual({ from: 0, to: 0, listed: [10, 20, 30] });
  });

  test("becomes a range with the fourth, and lists what comes after", () => {
    const pending = add(nothingPending, 10, 20, 30, 40, 50);
    expect(pending).toEqual({ from: 9, to: 40, listed: [50] });
    expect([9, 10, 35, 40, 45, 50].map((timestamp) => isPending(pending, timestamp))).toEqual([
      ...[false, true, true, true, false, true],
    ]);
  });

  test("that overflows again makes the range longer", () => {
    expect(add(nothingPending, 10, 20, 30, 40, 50, 60, 70, 80)).toEqual({ from: 9, to: 80, listed: [] });
  });

  test("is exact again once the range is done", () => {
    const pending = add(nothingPending, 10, 20, 30, 40, 50);
    const half = withoutDone(pending, { records: none, through: 20 });
    expect(half).toEqual({ from: 20, to: 40, listed: [50] });
    const whole = withoutDone(half, { records: none, through: 40 });
    expect(whole).toEqual({ from: 40, to: 40, listed: [50] });
    expect(hasPending(whole)).toBe(true);
    expect(hasPending(withoutDone(whole, { records: new Set([50]), through: 0 }))).toBe(false);
    expect(add(whole, 60, 70, 80)).toEqual({ from: 49, to: 80, listed: [] });
  });

  test("tells up to when nothing is pending", () => {
    expect(doneThrough(nothingPending, 90)).toBe(90);
    expect(doneThrough(add(nothingPending, 10, 20), 90)).toBe(9);
    expect(doneThrough(add(nothingPending, 10, 20, 30, 40, 50), 90)).toBe(9);
  });
});

test("whatever is added, done and written, a record that is pending is never missing", () => {
  const step = fc.oneof(
    fc.constant({ kind: "add" as const }),
    fc.record({ kind: fc.constant("done" as const), which: fc.nat(100) }),
    fc.record({ kind: fc.constant("through" as const), share: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (steps, max) => {
      let pending = nothingPending;
      let last = 0;
      const open = new Set<number>();
      for (const one of steps) {
        if (one.kind === "add") {
          last += 10;
          open.add(last);
          pending = addPending(pending, last, max);
        } else if (one.kind === "done") {
          const timestamp = 10 * (1 + (one.which % Math.max(1, last / 10)));
          open.delete(timestamp);
          pending = withoutDone(pending, { records: new Set([timestamp]), through: 0 });
        } else {
          const through = Math.floor((last * one.share) / 100);
          for (const timestamp of open) if (timestamp <= through) open.delete(timestamp);
          pending = withoutDone(pending, { records: none, through });
        }
        expect(decodePending(encodePending(pending), last)).toEqual(pending);
        expect(pending.listed.length).toBeLessThanOrEqual(max);
        for (const timestamp of open) expect(isPending(pending, timestamp)).toBe(true);
        for (const timestamp of pending.listed) expect(open.has(timestamp)).toBe(true);
        const through = doneThrough(pending, last);
        for (const timestamp of open) expect(timestamp).toBeGreaterThan(through);
      }
    }),
  );
});
