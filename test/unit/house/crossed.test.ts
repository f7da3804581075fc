// How many files a call crosses: docs/architecture.md says it, and nobody adds to it unseen.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { projectFile } from "../infra/deployed.ts";

test("a warm call crosses as many files as docs/architecture.md says", async () => {
  // In a process of its own: what a test runner loads has other names.
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "crossed.ts")]);
  const found = JSON.parse(stdout) as { readonly produce: readonly string[]; readonly consume: readonly string[] };
  const said = /A warm produce crosses (\d+) files of `src\/`, a warm consume (\d+)/.exec(
    projectFile("docs/architecture.md").replaceAll("\n", " "),
  );
  expect([found.produce.length, found.consume.length]).toEqual([Number(said?.[1]), Number(said?.[2])]);
});
