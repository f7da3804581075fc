// The client library as it is published, on each Node.js that it is for, from ESM and from CommonJS: the binaries come
// from npm. The smaller form in `npm test` takes those that are at hand.

import { join } from "node:path";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { installClient, runProgram, used } from "../../packages/client/test/installed.ts";
import type { Installed } from "../../packages/client/test/installed.ts";
import { command } from "../clients/generated.ts";
import { startApp } from "../e2e/harness.ts";
import type { RunningApp } from "../e2e/harness.ts";
import { installNode } from "./node-binary.ts";

let app: RunningApp;
let installed: Installed;
beforeAll(async () => {
  app = await startApp();
  installed = await installClient(join(inject("runFolder"), "client-versions"));
});
afterAll(() => app.stop());

test.for(["20.3.0", "20", "22", "24"])("on Node.js %s it works from ESM and from CommonJS", async (range) => {
  const node = await installNode(installed.project, range);
  expect(`${(await command(node, ["--version"], installed.project)).trim()}.`).toContain(`v${range}.`);
  for (const form of ["mjs", "cjs"] as const) {
    expect(await runProgram(installed, form, node, { url: app.url, key: "none is asked for" })).toBe(used);
  }
});
