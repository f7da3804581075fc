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
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

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

  test.each(["", "&&limit=1&", "%6cimit=%31", "encoding=js%6Fn", "code=%ff", "code=a&code=b"])(
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
  bodies.take(bodies.max);
  expect((await service.call("GET", "/openapi.json")).json).toMatchObject({ openapi: "3.1.0" });
  bodies.give(bodies.max);
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
