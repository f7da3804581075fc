// The app on the oldest Node.js at hand: what is too old for it gets as far as saying so.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const run = promisify(execFile);

/** What npm runs on, which is the system's; the tests run on that of the dev dependency. */
const systemNode = process.env["npm_node_execpath"] ?? process.execPath;

test("the app answers its health on the Node.js of the system, or says which one it needs", async () => {
  const { stdout: version } = await run(systemNode, ["--version"]);
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  const { stdout } = await run(systemNode, [join(import.meta.dirname, "bare-worker.cjs"), inject("appRoot")], {
    env: { AzureWebJobsStorage: inject("azurite"), STREAMKIT_AUTH: "none" },
  });
  const lines = stdout.trim().split("\n");
  const answer = JSON.parse(lines.at(-1)!) as unknown;
  if (major > 22 || (major === 22 && minor >= 15)) {
    expect(answer).toEqual({ status: 200, body: { status: "ok", version: manifest.version } });
  } else {
    expect(answer).toMatchObject({ status: 503, body: { code: "misconfigured" } });
    expect(lines[0]).toContain("Node.js: expected 22.15 or newer; received");
  }
});
