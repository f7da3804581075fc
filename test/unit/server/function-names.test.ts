// The names of functions, which operators meet in settings, logs and metrics.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { operations } from "../../../src/wire/operations.ts";

const root = join(import.meta.dirname, "../../..");
const registered = ["src/functions-app.ts", ...globSync("functions/*.ts", { cwd: root })].flatMap((file) =>
  [...readFileSync(join(root, file), "utf8").matchAll(/(?:app\.\w+|registerOpen)\("([^"]+)"/g)].map(([, name]) => name),
);
const names = [...operations.map(({ id }) => id), ...registered].map(String);

test("each function can be disabled by a setting, on Linux too, where names of settings have no dashes", () => {
  expect(names).toEqual(expect.arrayContaining(["produce", "walMonitor", "dispatchStatus"]));
  expect(names.filter((name) => !/^[a-z][A-Za-z0-9]*$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
});

test("the one that takes what no other takes comes last, by whatever rule letters are sorted", () => {
  expect(names.toSorted().at(-1)).toBe("zzFallback");
  expect(names.toSorted((a, b) => a.localeCompare(b, "en")).at(-1)).toBe("zzFallback");
});
