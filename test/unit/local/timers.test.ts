import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSchedule, planRun, timerData } from "../../../scripts/local/timers.ts";

const at = (iso: string): number => Date.parse(iso);
const next = (schedule: string, from: string, env = {}): string | undefined => {
  const ms = parseSchedule(schedule, env).nextAfter(at(from));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

describe("a schedule", () => {
  test.for([
    ["*/15 * * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:15.000Z"],
    ["0 */5 * * * *", "2026-01-01T00:04:59.900Z", "2026-01-01T00:05:00.000Z"],
    ["0 30 9 * * Mon-Fri", "2026-01-02T09:30:00Z", "2026-01-05T09:30:00.000Z"],
    // Both the day of the month and the day of the week have to fit.
    ["0 0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00.000Z"],
    ["30 4 * * *", "2026-01-01T00:00:00Z", "2026-01-01T04:30:00.000Z"],
    ["00:00:30", "2026-01-01T00:00:00Z", "2026-01-01T00:00:30.000Z"],
  ] as const)("%s after %s is %s", ([schedule, from, expected]) => {
    expect(next(schedule, from)).toBe(expected);
  });

  test("may come from a setting, and its times from a time zone", () => {
    const env = { WHEN: "0 0 12 * * *", WEBSITE_TIME_ZONE: "Europe/Berlin" };
    expect(next("%WHEN%", "2026-07-01T00:00:00Z", env)).toBe("2026-07-01T10:00:00.000Z");
  });

  test.for(["", "* * * *", "@daily", "0 0 0 L * *", "0 0 0 1W * *", "0 0 0 * * 5#2", "0 0 25 * * *", "00:00:00.5"])(
    "%s, which Azure does not know, is refused",
    (schedule) => {
      expect(() => parseSchedule(schedule, {})).toThrow();
    },
  );
});

describe("the next run", () => {
  const schedule = parseSchedule("*/10 * * * * *", {});

  test("is at the schedule's next time, when that is to come", () => {
    expect(planRun(schedule, 10_000, 12_000)).toEqual({ at: 20_000, pastDue: false });
  });

  test("is at once and past due, when a time has passed", () => {
    expect(planRun(schedule, 10_000, 20_000)).toEqual({ at: 20_000, pastDue: true });
    expect(planRun(schedule, 10_000, 57_000)).toEqual({ at: 57_000, pastDue: true });
  });

  test("is one, however many times have passed", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 0, max: 1e6 }), (due, late) => {
        const plan = planRun(schedule, due, due + late)!;
        const after = planRun(schedule, plan.at, plan.at)!;
        expect(plan.at).toBeGreaterThan(due);
        expect(after).toEqual({ at: expect.any(Number) as number, pastDue: false });
        expect(after.at).toBeGreaterThan(plan.at);
      }),
    );
  });
});

test("a timer function is handed what Azure hands over", () => {
  expect(JSON.parse(timerData(undefined, true).json!)).toEqual({
    ...{ Schedule: { AdjustForDST: true }, ScheduleStatus: null, IsPastDue: true },
  });
  expect(JSON.parse(timerData({ last: 0, next: 1000 }, false).json!)).toEqual({
    Schedule: { AdjustForDST: true },
    ScheduleStatus: {
      Last: "1970-01-01T00:00:00.000Z",
      Next: "1970-01-01T00:00:01.000Z",
      LastUpdated: "1970-01-01T00:00:00.000Z",
    },
    IsPastDue: false,
  });
});
