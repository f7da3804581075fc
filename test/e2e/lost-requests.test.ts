// Calls whose invocation and request do not meet: on Azure, without a cure, one of them ends the whole process after
// functionTimeout.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { send } from "./fixtures.ts";
import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp({ env: { STREAMKIT_HEARTBEAT_SECONDS: "1" } });
});
afterAll(() => app.stop());

const failed = (): number => app.logs().match(/\(failed, id=\S+\): NoArguments/g)?.length ?? 0;

test.for([
  ["an id of its own in the header of invocations", { "x-ms-invocation-id": randomUUID() }],
  ["an id that is none", { "x-ms-invocation-id": "error" }],
  ["an empty id", { "x-ms-invocation-id": "" }],
  ["20 KB of headers", { x: "a".repeat(20_000) }],
] as const)("a call with %s is answered, and others' streams go on", async ([, headers]) => {
  const before = failed();
  const live = await send(app.url, `/v1/stores/${randomUUID()}/spaces/s/entries`, {
    headers: { accept: "text/event-stream" },
  });
  let heard = "";
  live.setEncoding("utf8").on("data", (piece: string) => (heard += piece));
  const answer = await send(app.url, "/health", { headers });
  expect([answer.statusCode, await text(answer)]).toEqual([500, ""]);
  expect(failed()).toBe(before + 1);
  const beats = (): number => heard.split("event: heartbeat").length;
  const then = beats();
  await until("the stream goes on", () => beats() > then);
  live.destroy();
  expect((await fetch(`${app.url}/health`)).status).toBe(200);
});

test("of calls with one id each is answered, and a later one with an id of the host's", async () => {
  const headers = { "x-ms-invocation-id": randomUUID() };
  const answers = await Promise.all([1, 2, 3].map(() => send(app.url, "/health", { headers })));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([500, 500, 500]);
  expect((await fetch(`${app.url}/health`)).status).toBe(200);
});

test("a call whose body begins later than a request is waited for is answered as any", async () => {
  const path = `/v1/stores/${randomUUID()}/spaces/s/segments/g/records?encoding=json`;
  const headers = { "content-type": "application/json" };
  const request = openRequest(app.url + path, { method: "POST", headers });
  request.flushHeaders();
  await sleep(6_500);
  request.end('{"records":[{"payload":1}]}');
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  expect([answer.statusCode, await text(answer)]).toEqual([200, expect.stringContaining("lastSequence")]);
});
