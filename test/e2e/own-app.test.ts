// The project's own app, as it is deployed, starts in the local host and keeps what it is given.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { startApp } from "./harness.ts";

test("records of one instance are consumed through another, after the first is gone; neither complains", async () => {
  const segment = `/v1/stores/${randomUUID()}/spaces/orders/segments/${encodeURIComponent("Größe 1/2 #?")}`;
  const first = await startApp();
  const produced = await fetch(`${first.url}${segment}/records?encoding=json`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ records: [{ payload: { event: "placed" } }, { payload: { event: "paid" } }] }),
  });
  expect(produced.status).toBe(200);
  await first.stop();
  expect(await first.exited).toBe(0);

  const second = await startApp();
  const consumed = await fetch(`${second.url}${segment}/entries?encoding=json`);
  expect(await consumed.json()).toMatchObject({
    entries: [
      { sequence: 1, payload: { event: "placed" }, segment: "Größe 1/2 #?" },
      { sequence: 2, payload: { event: "paid" }, segment: "Größe 1/2 #?" },
    ],
  });
  await second.stop();
  for (const app of [first, second]) {
    const said = app.logs().replace(/^\S+ info {2}Host\.Startup: Timers run in every local instance, .*\n/, "");
    expect(said).toBe(`The app answers on ${app.url}\n`);
  }
});
