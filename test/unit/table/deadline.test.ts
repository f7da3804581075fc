import { expect, test } from "vitest";
import { withDeadline } from "../../../src/table/deadline.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const never = (): Promise<never> => new Promise(() => undefined);

test("a result that comes in time is passed on", async () => {
  const clock = new VirtualClock();
  expect(await withDeadline(clock, 10, undefined, () => Promise.resolve(1))).toEqual({ kind: "done", value: 1 });
  const error = new Error("x");
  expect(await withDeadline(clock, 10, undefined, () => Promise.reject(error))).toEqual({ kind: "threw", error });
});

test("work that does not end is cut at the time-out, with an error that says so", async () => {
  const clock = new VirtualClock();
  let told: AbortSignal | undefined;
  const outcome = withDeadline(clock, 10, undefined, (signal) => {
    told = signal;
    return never();
  });
  await clock.pass(9);
  expect(told?.aborted).toBe(false);
  await clock.pass(1);
  expect(told?.aborted).toBe(true);
  expect(await outcome).toEqual({ kind: "timeout" });
});

test("a time-out is a time-out even when the work fails of it", async () => {
  const clock = new VirtualClock();
  const outcome = withDeadline(
    clock,
    10,
    undefined,
    (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true })),
  );
  await clock.pass(10);
  expect(await outcome).toEqual({ kind: "timeout" });
});

test("the caller's signal ends it, and tells whether anything had begun", async () => {
  const clock = new VirtualClock();
  const giveUp = new AbortController();
  const running = withDeadline(clock, 10, giveUp.signal, never);
  const reason = new Error("enough");
  giveUp.abort(reason);
  expect(await running).toEqual({ kind: "aborted", started: true, reason });
  let begun = false;
  const late = withDeadline(clock, 10, giveUp.signal, () => {
    begun = true;
    return never();
  });
  expect(await late).toEqual({ kind: "aborted", started: false, reason });
  expect(begun).toBe(false);
});
