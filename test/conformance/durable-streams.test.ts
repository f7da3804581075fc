// The Durable Streams protocol, judged by its own conformance suite against the compiled app on Azurite.
//
// The suite runs in a process of its own, with the vitest that it brings. What it may find wrong is what
// docs/durable-streams.md says is not there, and nothing else.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { startApp } from "../e2e/harness.ts";
import type { RunningApp } from "../e2e/harness.ts";

interface Judged {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

/** All but the topics that docs/durable-streams.md names as not there. */
const wanted = "^(?!Fork - |Reserved subscription )";
const suite = join(import.meta.dirname, "suite");
const suiteTimeoutMs = 400_000;

let app: RunningApp;

beforeAll(async () => {
  app = await startApp({ env: { STREAMKIT_CORS_ORIGINS: "*" } });
}, 60_000);

afterAll(() => app.stop());

test(
  "every test of the protocol's suite passes, but of what is said not to be there",
  { timeout: suiteTimeoutMs },
  async () => {
    const judged = (await judge()).filter(({ fullName }) => new RegExp(wanted).test(fullName));
    const failed = judged.filter(({ status }) => status !== "passed");
    expect(
      failed.map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0] ?? "did not run"}`),
    ).toEqual([]);
    expect(judged.length).toBeGreaterThanOrEqual(250);
  },
);

async function judge(): Promise<readonly Judged[]> {
  const packages = createRequire(createRequire(import.meta.url).resolve("@durable-streams/server-conformance-tests"));
  const cli = join(packages.resolve("vitest/package.json"), "../vitest.mjs");
  const report = join(inject("runFolder"), `conformance-${process.pid}.json`);
  const args = [
    cli,
    "run",
    "--root",
    suite,
    "--config",
    "config.js",
    `--testNamePattern=${wanted}`,
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], CONFORMANCE_URL: app.url },
    stdio: "ignore",
  });
  await once(child, "exit");
  const { testResults } = JSON.parse(await readFile(report, "utf8")) as {
    readonly testResults: readonly { readonly assertionResults: readonly Judged[] }[];
  };
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}
