import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { presentedKey, readKeyRing } from "../../../scripts/local/keys.ts";

const keys = { master: "m", host: { default: "h" }, functions: { Produce: { default: "p" } } };

test.for([
  ["anonymous", undefined, true],
  ["function", undefined, false],
  ["function", "wrong", false],
  ["function", "p", true],
  ["function", "h", true],
  ["function", "m", true],
  ["admin", "p", false],
  ["admin", "h", false],
  ["admin", "m", true],
] as const)("level %s with the key %s: %s", ([level, key, expected]) => {
  expect(readKeyRing(JSON.stringify(keys)).allows(level, "produce", key)).toBe(expected);
});

test("a function's key does not open another function", () => {
  expect(readKeyRing(JSON.stringify(keys)).allows("function", "consume", "p")).toBe(false);
});

test("without keys everything is open", () => {
  expect(readKeyRing(undefined).allows("admin", "produce", undefined)).toBe(true);
});

test("keys may be in a file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keys-"));
  try {
    await writeFile(join(folder, "keys.json"), JSON.stringify(keys));
    expect(readKeyRing(join(folder, "keys.json")).allows("admin", undefined, "m")).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.for(["{}", '{"master":""}', '{"master":"m","hosts":{}}'])("the keys %s are refused", (setting) => {
  expect(() => readKeyRing(setting)).toThrow();
});

test("the header comes before the query, even when it is wrong", () => {
  const query = new URLSearchParams("code=q");
  expect(presentedKey("h", query)).toBe("h");
  expect(presentedKey(undefined, query)).toBe("q");
  expect(presentedKey(undefined, new URLSearchParams())).toBeUndefined();
});
