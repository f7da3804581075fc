import { expect, test } from "vitest";
import { createHostLog, describeError, parseLogLevel } from "../../../scripts/local/log.ts";
import type { LogLevel } from "../../../scripts/local/settings.ts";

function printed(levels: Record<string, LogLevel>, lines: readonly (readonly [LogLevel, string])[]): string[] {
  const out: string[] = [];
  const log = createHostLog({
    levels: new Map(Object.entries(levels)),
    print: (line) => out.push(line),
    now: () => new Date(Date.UTC(2026, 0, 1, 12, 34, 56, 789)),
  });
  for (const [level, category] of lines) log.write(level, category, "said");
  return out;
}

test("a line shows when, how grave and from where", () => {
  expect(printed({}, [["warning", "Host.Startup"]])).toEqual(["12:34:56.789 warn  Host.Startup: said"]);
});

test("the longest prefix of the category, in whole parts, says from which level on it is shown", () => {
  const levels = { default: "error", Function: "information", "Function.noisy": "none" } as const;
  const shown = printed(levels, [
    ["information", "Function.produce"],
    ["debug", "Function.produce"],
    ["critical", "Function.noisy.User"],
    ["warning", "Functional"],
    ["error", "Host"],
  ]);
  expect(shown.map((line) => line.slice(13))).toEqual(["info  Function.produce: said", "ERROR Host: said"]);
});

test("without a word about it information is shown, and less is not", () => {
  expect(printed({}, [["information", "Host"]])).toHaveLength(1);
  expect(printed({}, [["debug", "Host"]])).toHaveLength(0);
});

test("a level may be in any case, and an unknown one is information", () => {
  expect(parseLogLevel("Warning")).toBe("warning");
  expect(parseLogLevel("loud")).toBe("information");
});

test("an error is shown with its causes", () => {
  const error = new Error("outer", { cause: new Error("inner") });
  expect(describeError(error)).toMatch(/Error: outer[\s\S]*caused by Error: inner/);
  expect(describeError("text")).toBe("text");
});
