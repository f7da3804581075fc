// The package as it is deployed, on the oldest Node.js that it takes and on the newest of each that Azure has: the
// binaries come from npm. What the smaller form in `npm test` does not see is all but the start: the storage's client,
// Zstd, streams.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import manifest from "../../package.json" with { type: "json" };
import { command } from "../clients/generated.ts";
import { startApp } from "../e2e/harness.ts";
import { unpackedApp } from "../e2e/unpacked.ts";
import type { Unpacked } from "../e2e/unpacked.ts";
import { installNode } from "./node-binary.ts";

const oldest = `${manifest.engines.node.replace(">=", "")}.0`;

let unpacked: Unpacked;
beforeAll(async () => {
  unpacked = await unpackedApp();
});
afterAll(() => unpacked.remove());

test.for([oldest, "22", "24"])(
  "on Node.js %s it takes records and gives them back, as JSON and as events",
  async (range) => {
    const node = await installNode(unpacked.folder, range);
    const version = (await command(node, ["--version"], unpacked.folder)).trim();
    expect(`${version}.`).toContain(`v${range}.`);
    const app = await startApp({ appRoot: unpacked.appRoot, node });
    try {
      expect(await (await fetch(`${app.url}/health?deep=true`)).json()).toMatchObject({ storage: "ok" });
      const segment = `${app.url}/v1/stores/${randomUUID()}/spaces/orders/segments/order-1`;
      // Long enough to be compressed.
      const payloads = Array.from({ length: 50 }, (_, at) => ({ at, text: "tea and milk ".repeat(200) }));
      const body = JSON.stringify({ records: payloads.map((payload) => ({ payload })) });
      const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
      for (const duplicate of [false, true]) {
        const produced = await fetch(`${segment}/records?encoding=json`, { method: "POST", headers, body });
        expect(await produced.json(), app.logs()).toMatchObject({ transactions: [{ lastSequence: 50, duplicate }] });
      }
      const consumed = (await (await fetch(`${segment}/entries?encoding=json`)).json()) as {
        readonly entries: readonly { readonly payload: unknown }[];
      };
      expect(consumed.entries.map(({ payload }) => payload)).toEqual(payloads);
      const events = await fetch(`${segment}/entries?encoding=json&to=50`, {
        headers: { accept: "text/event-stream" },
      });
      expect((await events.text()).match(/^data: .*"tea and milk/gm)).toHaveLength(50);
    } finally {
      await app.stop();
    }
    expect(await app.exited).toBe(0);
  },
);
