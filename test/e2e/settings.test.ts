// What cannot work still starts: callers and operators are told, where an app that does not start is an empty 404 on
// Azure.

import { expect, test } from "vitest";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

/** That every call is answered 503 without a word of what is wrong, which the log says. */
async function expectMisconfigured(app: RunningApp, sentence: string): Promise<void> {
  try {
    const store = "/v1/stores/0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";
    const calls = [
      ["GET", "/health"],
      ["GET", "/openapi.json"],
      ["GET", "/docs"],
      ["GET", `${store}/spaces`],
      ["POST", `${store}/spaces/s/segments/g/records`],
      ["GET", "/nowhere"],
    ] as const;
    for (const [method, path] of calls) {
      const answer = await fetch(app.url + path, { method });
      expect(answer.status, path).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("60");
      const problem = (await answer.json()) as Record<string, unknown>;
      expect(problem).toMatchObject({ code: "misconfigured", effect: "none" });
      expect(JSON.stringify(problem)).not.toContain(sentence);
    }
    expect(app.logs()).toContain(JSON.stringify(sentence).slice(1, -1));
    // Neither what runs without a caller, which would have to guess its settings.
    const functions = (await (await fetch(`${app.url}/admin/functions`)).json()) as { name: string }[];
    expect(functions.map(({ name }) => name)).not.toContain("walMonitor");
    expect(functions.map(({ name }) => name)).not.toContain("dispatchStatus");
    expect(functions.map(({ name }) => name)).not.toContain("retryStatus");
  } finally {
    await app.stop();
  }
}

const realAccount = "AccountName=example;AccountKey=MDEyMw==;EndpointSuffix=core.windows.net";

test.each([
  {
    claim: "no storage account",
    env: { AzureWebJobsStorage: "" },
    sentence:
      "STREAMKIT_STORAGE: no storage account is configured; set STREAMKIT_STORAGE or AzureWebJobsStorage to a connection string, or STREAMKIT_STORAGE__accountName to its name.",
  },
  {
    claim: "a storage account that is not a connection string",
    env: { STREAMKIT_STORAGE: "my account" },
    sentence: "STREAMKIT_STORAGE: not a connection string; expected Name=value pairs with semicolons between them.",
  },
  {
    claim: "no access control with a real account",
    env: { STREAMKIT_STORAGE: realAccount, STREAMKIT_AUTH: "none" },
    sentence: "STREAMKIT_AUTH: none is for the storage emulator only; set it to key or jwt.",
  },
  {
    claim: "tokens without their issuer",
    env: { STREAMKIT_AUTH: "jwt" },
    sentence: "STREAMKIT_AUTH is jwt: set STREAMKIT_JWT_ISSUER, STREAMKIT_JWT_AUDIENCE and STREAMKIT_JWT_JWKS_URL.",
  },
  {
    claim: "a number that is too great",
    env: { STREAMKIT_BATCH_OPERATIONS: "101" },
    sentence: "STREAMKIT_BATCH_OPERATIONS: expected an integer from 4 to 100.",
  },
  {
    claim: "a connection string for telemetry that is none",
    env: { APPLICATIONINSIGHTS_CONNECTION_STRING: "somewhere" },
    sentence:
      "APPLICATIONINSIGHTS_CONNECTION_STRING: expected a connection string of Application Insights, with its InstrumentationKey.",
  },
  {
    claim: "a queue that cannot be",
    env: { STREAMKIT_NOTIFICATIONS_QUEUE: "Status_Queue" },
    sentence:
      "STREAMKIT_NOTIFICATIONS_QUEUE: expected 3 to 50 lower-case letters, digits and single dashes, or - for none.",
  },
])("with $claim every call is 503, and one sentence of the log says what to set", async ({ env, sentence }) => {
  await expectMisconfigured(await startApp({ env }), sentence);
});

test("with a Node.js that has no Zstd every call is 503, and the log says which version has", async () => {
  const without = [
    'import zlib from "node:zlib"; import { syncBuiltinESMExports } from "node:module";',
    "delete zlib.zstdCompressSync; delete zlib.zstdDecompressSync; syncBuiltinESMExports();",
  ];
  const app = await startApp({
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(without.join(""))}` },
  });
  await expectMisconfigured(app, `Node.js: expected 22.15 or newer; received "${process.version}".`);
});
