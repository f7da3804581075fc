import { expect, test } from "vitest";
import { isSchedule } from "../../src/schedule.ts";

test.each(["0 * * * * *", "*/10 * * * * *", "0 0,30 8-18/2 * * MON-fri", "59 59 23 31 Dec 0", " 0  0 0 1 1-6 * "])(
  "%j is a schedule",
  (text) => expect(isSchedule(text)).toBe(true),
);

test.each([
  "",
  "0 * * * *",
  "0 * * * * * *",
  "a b c d e f",
  "60 * * * * *",
  "0 0 0 0 * *",
  "0 0 0 1 13 *",
  "0 0 0 * * 7",
  "mon * * * * *",
  "*/0 * * * * *",
  "1-2-3 * * * * *",
  "1/2/3 * * * * *",
  ", * * * * *",
  "@hourly",
])("%j is none", (text) => expect(isSchedule(text)).toBe(false));
