// The programs in the README, as they stand, against the app.

import { readFile, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startApp } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";

const root = join(import.meta.dirname, "../../..");

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

test("the README's program runs from its first line to its last", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const pieces = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  const source = join(inject("runFolder"), "client-readme.ts");
  await writeFile(source, pieces.join("\n").replace("http://127.0.0.1:7071", app.url));
  const program = source.replace(".ts", ".mjs");
  const alias = { "streamkit-client": join(root, "packages/client/src/index.ts") };
  await build({ entryPoints: [source], outfile: program, bundle: true, format: "esm", platform: "node", alias });
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  expect(stdout).toContain("1 placed\n2 shipped\n");
  expect(stdout).toContain("up to date\n");
  expect(stdout).toContain("0 entries of 0 segments would go\n");
  expect(stdout).toMatch(/kind: 'deleteSpace'/);
});
