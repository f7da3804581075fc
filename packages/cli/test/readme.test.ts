// The program in the README, as it stands, with what the package gives out.

import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, inject, test } from "vitest";

test("the README's program for tests runs from its first line to its last", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const pieces = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  const folder = join(inject("runFolder"), "cli-readme");
  await mkdir(folder);
  const source = join(folder, "program.ts");
  await writeFile(source, pieces.join("\n"));
  // As it lies in the package: the server beside the module that starts it.
  await symlink(dirname(inject("localServer")), join(folder, "local"));
  const alias = { streamkit: join(import.meta.dirname, "../src/index.ts") };
  const outfile = join(folder, "program.mjs");
  await build({ entryPoints: [source], outfile, bundle: true, format: "esm", platform: "node", alias });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile]);
  expect(stdout).toBe("{ type: 'placed', item: 'book' }\n");
});
