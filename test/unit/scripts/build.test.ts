import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { buildFunctions } from "../../../scripts/build.ts";

let root: string;
beforeEach(async () => {
  // Inside of the project, so that its libraries are found.
  root = await mkdtemp(join(inject("runFolder"), "build-"));
  await mkdir(join(root, "functions"));
});
afterEach(() => rm(root, { recursive: true }));

const write = (file: string, text: string): Promise<void> => writeFile(join(root, file), text);
const build = (): ReturnType<typeof buildFunctions> => buildFunctions(root, join(root, "dist"));
const functionFile = (name: string): string =>
  `import { app } from "@azure/functions"; app.http("${name}", { handler: async () => (await import("../late.ts")).late });`;

test("each function file comes out under its name; the library once, beside them; what is loaded late, apart", async () => {
  await write("functions/one.ts", functionFile("one"));
  await write("functions/two.ts", functionFile("two"));
  await write("late.ts", 'export const late = { body: "late-text" };');
  await build();
  expect((await readdir(join(root, "dist/functions"))).sort()).toEqual([
    "one.js",
    "one.js.map",
    "two.js",
    "two.js.map",
  ]);
  const chunks = (await readdir(join(root, "dist/chunks"))).filter((name) => name.endsWith(".js"));
  const texts = await Promise.all(chunks.map((name) => readFile(join(root, "dist/chunks", name), "utf8")));
  expect(texts.filter((text) => text.includes("setupHttpProxy"))).toHaveLength(1);
  expect(texts.filter((text) => text.includes("late-text"))).toHaveLength(1);
  expect(texts.some((text) => text.includes("late-text") && text.includes("setupHttpProxy"))).toBe(false);
});

test("an app without functions yet is built", async () => {
  expect((await build()).outputs).toEqual({});
});

test("a second build leaves alone what did not change and removes what is gone", async () => {
  await write("functions/one.ts", "export const one = 1;");
  await write("functions/two.ts", "export const two = 2;");
  await build();
  const before = await stat(join(root, "dist/functions/one.js"));
  await rm(join(root, "functions/two.ts"));
  await build();
  const after = await stat(join(root, "dist/functions/one.js"));
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  expect(await readdir(join(root, "dist/functions"))).toEqual(["one.js", "one.js.map"]);
});

test("a file that must not be deployed cannot be bundled", async () => {
  await mkdir(join(root, "test/doubles/level"), { recursive: true });
  await write("test/doubles/level/level.ts", "export const level = 1;");
  await write("functions/one.ts", 'export { level } from "../test/doubles/level/level.ts";');
  await expect(build()).rejects.toThrow("nothing of test/ may be deployed");
});
