// The compiled app in the local host, on the storage emulator, over HTTP.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const at = (store: string, space: string, segment: string, rest: string) =>
  `${app.url}/v1/stores/${store}/spaces/${encodeURIComponent(space)}/segments/${encodeURIComponent(segment)}${rest}`;

async function produce(store: string, space: string, segment: string, payloads: readonly unknown[]): Promise<Response> {
  return fetch(at(store, space, segment, "/records?encoding=json"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ records: payloads.map((payload) => ({ payload })) }),
  });
}

/** Those that are the same for each request, and of the answer rather than of how it is sent. */
function headersOf({ headers }: Response): Readonly<Record<string, string>> {
  const others = new Set([
    "x-request-id",
    "x-ms-invocation-id",
    "date",
    "connection",
    "keep-alive",
    "transfer-encoding",
  ]);
  return Object.fromEntries([...headers].filter(([name]) => !others.has(name)));
}

describe("an application over HTTP", () => {
  test("produces records and reads them back by segment, by space and from the end", async () => {
    const store = randomUUID();
    const produced = await produce(store, "orders", "order-1", [{ item: "book" }, { item: "pen" }]);
    expect(produced.status).toBe(200);
    expect(await produced.json()).toMatchObject({ status: { firstSequence: 1, lastSequence: 2 } });

    const bySegment = await fetch(at(store, "orders", "order-1", "/entries?encoding=json"));
    expect(await bySegment.json()).toMatchObject({
      entries: [
        { sequence: 1, payload: { item: "book" } },
        { sequence: 2, payload: { item: "pen" } },
      ],
      next: 3,
    });
    const bySpace = await fetch(`${app.url}/v1/stores/${store}/spaces/orders/entries?encoding=json`);
    expect(await bySpace.json()).toMatchObject({ entries: [{ sequence: 1 }, { sequence: 2 }] });
    const last = await fetch(at(store, "orders", "order-1", "/last?encoding=json"));
    expect(await last.json()).toMatchObject({ sequence: 2, payload: { item: "pen" } });
  });

  test("finds names with slashes, quotes, spaces and emoji identical", async () => {
    const store = randomUUID();
    const names = ["a/b", "a b", "q?x=1&y", "#1", "+", "\\", "'\"", "😀", "ключ"];
    for (const name of names) {
      expect((await produce(store, name, name, [name])).status, name).toBe(200);
      const answer = await fetch(at(store, name, name, "/entries?encoding=json"));
      expect(await answer.json()).toMatchObject({ entries: [{ space: name, segment: name, payload: name }] });
    }
    const answer = (await (await fetch(`${app.url}/v1/stores/${store}/spaces`)).json()) as { spaces: string[] };
    expect(new Set(answer.spaces)).toEqual(new Set(names));
  });

  test("is told of conflicts, unknown paths and wrong methods by problems", async () => {
    const store = randomUUID();
    const conflict = await fetch(at(store, "s", "g", "/records"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"records":[{"sequence":5,"payload":""}]}',
    });
    expect(conflict.status).toBe(409);
    expect(conflict.headers.get("content-type")).toBe("application/problem+json");
    expect(await conflict.json()).toMatchObject({ code: "sequence_mismatch", expected: 1, received: 5 });
    const read = "GET, HEAD, OPTIONS";
    for (const [method, path, status, allow] of [
      ["GET", "/v1", 404, null],
      ["PUT", "/", 405, read],
      ["POST", "/health", 405, read],
      ["POST", "/docs", 405, read],
      ["PUT", `/v1/stores/${store}/spaces`, 405, read],
      ["GET", `/v1/stores/${store}/consume`, 405, "POST, OPTIONS"],
      ["HEAD", `/v1/stores/${store}/consume`, 405, "POST, OPTIONS"],
      ["PATCH", `/v1/stores/${store}/subscriptions/s`, 405, "PUT, GET, HEAD, DELETE, OPTIONS"],
    ] as const) {
      const answer = await fetch(`${app.url}${path}`, { method });
      expect([answer.status, answer.headers.get("allow")], `${method} ${path}`).toEqual([status, allow]);
      const code = status === 404 ? "not_found" : "method_not_allowed";
      if (method === "HEAD") expect(await answer.text()).toBe("");
      else expect(await answer.json()).toMatchObject({ code, requestId: answer.headers.get("x-request-id") });
      const options = await fetch(`${app.url}${path}`, { method: "OPTIONS" });
      expect([options.status, options.headers.get("allow")], path).toEqual([allow === null ? 404 : 204, allow]);
    }
  });

  test("asks by HEAD, of what is there, of a live stream and of pages: the headers of GET and no body", async () => {
    const store = randomUUID();
    await produce(store, "s", "g", [1]);
    const live = { accept: "text/event-stream" };
    for (const [path, headers] of [
      ["/health", {}],
      ["/openapi.json", {}],
      ["/docs", {}],
      ["/docs/start.js", {}],
      [`/v1/stores/${store}/spaces/s/entries`, {}],
      [`/v1/stores/${store}/spaces/s/entries`, live],
      [`/v1/stores/${store}/spaces/s/status`, live],
    ] as const) {
      const [head, get] = await Promise.all(
        ["HEAD", "GET"].map((method) => fetch(`${app.url}${path}`, { method, headers })),
      );
      expect([head!.status, await head!.text()], path).toEqual([200, ""]);
      expect(headersOf(head!), path).toEqual(headersOf(get!));
      await get!.body?.cancel();
    }
    const { location } = headersOf(await fetch(`${app.url}/`, { method: "HEAD", redirect: "manual" }));
    expect(location).toBe("/docs");
  });

  test("asks whether the service and its storage are well, and for its description", async () => {
    expect(await (await fetch(`${app.url}/health?deep=true`)).json()).toEqual({
      status: "ok",
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      storage: "ok",
      ms: expect.any(Number) as number,
    });
    expect(await (await fetch(`${app.url}/openapi.json`)).json()).toMatchObject({ openapi: "3.1.0" });
  });
});
