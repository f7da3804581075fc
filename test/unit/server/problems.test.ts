// What is told, and what is logged, when something is not there, not understood or not possible.

import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import { docsFile } from "../../../src/server/docs.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { json, openService, segmentPath, someone } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

describe("the answer", () => {
  test("to a wrong form, parameter or body names what was expected", async () => {
    const store = randomUUID();
    const entries = segmentPath(store, "s", "g", "/entries");
    const records = segmentPath(store, "s", "g", "/records");
    const inStore = `/v1/stores/${store}`;
    const cases: [string, string, RequestInit, object][] = [
      ["GET", entries, { headers: { accept: "image/png" } }, { status: 406, code: "not_acceptable" }],
      ["GET", `${entries}?limt=1`, {}, { status: 400, field: "limt" }],
      ["GET", `${entries}?limit=-1`, {}, { status: 400, field: "limit" }],
      ["GET", `${entries}?limit=1&limit=2`, {}, { status: 400, field: "limit" }],
      ["GET", `${entries}?from=9007199254740993`, {}, { status: 400, field: "from" }],
      ["GET", `${entries}?encoding=hex`, {}, { status: 400, field: "encoding" }],
      ["GET", "/v1/stores/nope/spaces", {}, { status: 400, field: "store" }],
      ["POST", records, { body: "{}", headers: { "content-type": "text/plain" } }, { status: 415 }],
      [
        "POST",
        records,
        { body: "{}", headers: { "content-type": "application/json", "content-encoding": "br" } },
        { status: 415 },
      ],
      ["POST", records, json({}), { status: 400, field: "records" }],
      ["POST", records, json({ records: {} }), { status: 400, field: "records" }],
      ["POST", records, json({ records: [{}] }), { status: 400, field: "records[0].payload" }],
      ["POST", records, json({ records: [{ payload: "???" }] }), { status: 400, field: "records[0].payload" }],
      ["POST", records, json({ records: [{ payload: "", x: 1 }] }), { status: 400, field: "records[0].x" }],
      [
        "POST",
        records,
        json({ records: [{ payload: "", sequence: 0 }] }),
        { status: 400, field: "records[0].sequence" },
      ],
      ["POST", records, json({ records: [], more: 1 }), { status: 400, field: "more" }],
      [
        "POST",
        records,
        json({ records: [] }, { "idempotency-key": "00000000-0000-0000-0000-000000000000" }),
        { status: 400, field: "Idempotency-Key" },
      ],
      ["POST", `${records}?ack=maybe`, json({ records: [] }), { status: 400, field: "ack" }],
      ["PUT", `${inStore}/leases/%25`, json({ holder: "a", ttlSeconds: 1 }), { status: 400, field: "key" }],
      ["PUT", `${inStore}/leases/k`, json({ holder: "", ttlSeconds: 1 }), { status: 400, field: "holder" }],
      ["GET", `${inStore}/subscriptions/%20`, {}, { status: 400, field: "id" }],
      ["POST", `${inStore}/consume`, json({ offsets: { "%": "" } }), { status: 400, field: "offsets" }],
      ["POST", `${inStore}/consume`, json({ offsets: { s: "zz" } }), { status: 400, field: "offsets.s" }],
      ["GET", `${inStore}/spaces/s/entries`, { headers: { "last-event-id": "zz" } }, { field: "Last-Event-ID" }],
    ];
    for (const [method, path, init, expected] of cases) {
      const answer = await service.call(method, path, init);
      expect(answer.json, `${method} ${path}`).toMatchObject(expected);
    }
  });

  test.each([
    ["segments[1].segment", { segment: "%", records: [] }],
    ["segments[1].segment", { segment: "a", records: [] }],
    ["segments[1].segment", { records: [] }],
    ["segments[1].records", { segment: "b" }],
    ["segments[1].x", { segment: "b", records: [], x: 1 }],
    ["segments[1].records[1].payload", { segment: "b", records: [{ payload: 1 }, {}] }],
    ["segments[1].records[1].sequence", { segment: "b", records: [{ payload: 1 }, { payload: 1, sequence: 1 }] }],
    ["segments[1].records[1]", { segment: "b", records: [{ payload: 1 }, { payload: "x".repeat(768 * 1024) }] }],
  ])("to a wrong segment among several says which: %s", async (field, wrong) => {
    const path = `/v1/stores/${randomUUID()}/spaces/s/transactions?encoding=json`;
    const answer = await service.call("POST", path, json({ segments: [{ segment: "a", records: [] }, wrong] }));
    expect(answer.json).toMatchObject({ field, retryable: false });
    expect([400, 413]).toContain(answer.status);
  });

  test("says in plain words what would fit, and what came", async () => {
    const path = `/v1/stores/${randomUUID()}`;
    const details: [string, string, RequestInit, string][] = [
      ["GET", `${path}/spaces?limit=x`, {}, 'limit: expected an integer from 0 to 10000; received "x".'],
      ["POST", `${path}/consume`, json({ offsets: { s: "" }, limit: -1 }), "limit: expected at least 0; received -1."],
      ["PUT", `${path}/leases/k`, json({ holder: 1, ttlSeconds: 1 }), "holder: expected string; received 1."],
      ["PUT", `${path}/leases/k`, json({ ttlSeconds: 1 }), "holder: expected string, but it is missing."],
      ["PUT", `${path}/leases/k`, json([]), 'body: expected a JSON object; received "[]".'],
    ];
    for (const [method, target, init, detail] of details) {
      expect((await service.call(method, target, init)).json).toMatchObject({ status: 400, detail });
    }
  });
});

describe("a path", () => {
  test.each(["/v1/stores//spaces", "/v1/stores/a/spaces//entries", `/v1/stores/${randomUUID()}/leases/`])(
    "with an empty name is one that does not exist, not one for another method: %s",
    async (path) => {
      const answer = await service.call("GET", path);
      expect(answer.json).toMatchObject({ status: 404, code: "not_found" });
      expect(answer.json).not.toHaveProperty("allowed");
    },
  );
});

describe("a query", () => {
  const ask = (query: string) => service.call("GET", segmentPath(randomUUID(), "s", "g", `/entries?${query}`));

  test.each([
    ["limit=%zz", "limit"],
    ["limit=%", "limit"],
    ["encoding=%ff", "encoding"],
    ["%e2%82=1", "query"],
    ["limit=1&%6cimit=2", "limit"],
    ["a=b=%c3", "a"],
  ])("of bytes that are no UTF-8, or of a parameter twice, is refused: %s", async (query, field) => {
    expect((await ask(query)).json).toMatchObject({ status: 400, code: "invalid_argument", field });
  });

  test.each(["", "&&limit=1&", "%6cimit=%31", "encoding=js%6Fn", "code=%ff", "code=a&code=b", "CODE=a&Code=b"])(
    "of anything else is read as ever: %s",
    async (query) => {
      expect((await ask(query)).status).toBe(200);
    },
  );

  test("has spaces as + or %20, and = in a value", async () => {
    const store = randomUUID();
    await service.call("PUT", `/v1/stores/${store}/leases/k`, json({ holder: "a b=c", ttlSeconds: 60 }));
    const released = await service.call("DELETE", `/v1/stores/${store}/leases/k?holder=a+b=c`);
    expect(released.status).toBe(204);
  });
});

test("a file of the documentation that cannot be read is an error of the log, and is read again when next asked for", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamkit-docs-"));
  const endpoint = docsFile(pathToFileURL(`${folder}/`));
  const ask = () => {
    const request = new Request("http://streamkit.test/docs/swagger-ui.css", { headers: { "x-request-id": "docs-1" } });
    return endpoint(service.services, request, unseenConnection());
  };
  expect(await ask()).toMatchObject({ status: 500 });
  const line = service.logged.find((text) => text.includes("docs-1")) ?? "";
  expect(JSON.parse(line)).toMatchObject({
    level: "error",
    code: "internal",
    error: { message: expect.stringContaining("ENOENT") as unknown },
  });
  await writeFile(join(folder, "swagger-ui.css"), "body {}");
  const { status, body } = await ask();
  expect([status, Array.from(body as Iterable<string>)]).toEqual([200, ["body {}"]]);
  await rm(folder, { recursive: true });
});

test("the description is sent to all from one text, whatever the instance holds for others", async () => {
  const { bodies } = service.services;
  const others = bodies.open(someone);
  others.take(bodies.max);
  expect((await service.call("GET", "/openapi.json")).json).toMatchObject({ openapi: "3.1.0" });
  others.close();
});

test("a segment without records in a transaction is answered without a transaction", async () => {
  const body = json({ segments: [{ segment: "a", records: [] }] });
  const answer = await service.call("POST", `/v1/stores/${randomUUID()}/spaces/s/transactions`, body);
  expect(answer.json.segments).toEqual([{ status: expect.objectContaining({ segment: "a" }) as unknown }]);
});

test.each(["overloaded", "throttled"] as const)("%s is a line of the log without a stack", async (code) => {
  const failing = await openService({
    access: {
      authenticate: () =>
        Promise.reject(new StoreError(code, "Come back later.", { cause: new Error("what was behind it") })),
    },
  });
  await failing.call("GET", `/v1/stores/${randomUUID()}/spaces`);
  const [line = ""] = failing.logged;
  expect(JSON.parse(line)).toMatchObject({
    level: "warn",
    code,
    reason: "Come back later.",
    cause: "what was behind it",
  });
  expect(line).not.toContain("stack");
  await failing.dispose();
});

test.each(["GET", "HEAD"])("%s of the root leads people to the page of the interface", async (method) => {
  const { status, headers } = await service.call(method, "/");
  expect([status, headers["location"]]).toEqual([302, "/docs"]);
});
