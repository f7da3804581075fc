// An application with a queue trigger of its own hears of changes, and reads everything that was committed, once.

import { randomUUID } from "node:crypto";
import { join } from "node:path";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { installApp } from "../azurite.ts";
import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const queue = `sub-${randomUUID()}`;
let streamkit: RunningApp;
let application: RunningApp;
beforeAll(async () => {
  streamkit = await startApp({
    env: { AzureFunctionsJobHost__extensions__queues__maxPollingInterval: "00:00:00.2" },
  });
  const appRoot = join(inject("runFolder"), "subscriber");
  await installApp(join(import.meta.dirname, "fixture-apps/subscriber"), appRoot);
  application = await startApp({ appRoot, env: { STATUS_QUEUE: queue, STREAMKIT_URL: streamkit.url } });
});
afterAll(() => Promise.all([streamkit.stop(), application.stop()]));

test("every entry arrives at an application that subscribes with its own queue", async () => {
  const at = `${streamkit.url}/v1/stores/${randomUUID()}`;
  const headers = { "content-type": "application/json" };
  const subscribed = await fetch(`${at}/subscriptions/application`, {
    method: "PUT",
    headers,
    body: JSON.stringify({ space: "orders", segment: "*", target: { queue } }),
  });
  expect(subscribed.status).toBe(201);
  const produced: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    const payload = `event ${index}`;
    const body = JSON.stringify({ records: [{ payload }] });
    const url = `${at}/spaces/orders/segments/order-${index % 3}/records?encoding=json`;
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
    produced.push(payload);
  }
  const arrived = async (): Promise<unknown[]> =>
    (await (await fetch(`${application.url}/payloads`)).json()) as unknown[];
  await until("all have arrived", async () => (await arrived()).length >= produced.length, 20_000);
  expect(await arrived()).toEqual(produced);
});
