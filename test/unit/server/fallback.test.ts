// What no call takes: other methods, OPTIONS, and paths that are none, of which some are one slash away from what was
// meant.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { fallback } from "../../../src/server/fallback.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { methodsOf, formatPath } from "../../../src/wire/operation.ts";
import { operations } from "../../../src/wire/operations.ts";
import { openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const store = randomUUID();
const names = { store, space: "s", segment: "g", key: "k", id: "i", job: store, consumer: "c" };
let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

describe.each([...new Set(operations.map(({ path }) => path))])("%s", (path) => {
  const methods: readonly string[] = operations.filter((one) => one.path === path).flatMap(methodsOf);

  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].filter((method) => !methods.includes(method)))(
    "%s is 405, with what the path takes in Allow",
    async (method) => {
      const { status, headers, text } = await service.call(method, formatPath(path, names));
      expect(status).toBe(405);
      const allowed = headers["allow"]!.split(", ");
      expect(allowed.toSorted()).toEqual([...methods, "OPTIONS"].sort());
      if (method === "HEAD") expect(text).toBe("");
      else expect(JSON.parse(text)).toMatchObject({ code: "method_not_allowed", allowed, retryable: false });
    },
  );

  test("OPTIONS tells what it takes", async () => {
    const { status, headers, text } = await service.call("OPTIONS", formatPath(path, names));
    expect([status, text]).toEqual([204, ""]);
    expect(headers["allow"]!.split(", ").sort()).toEqual([...methods, "OPTIONS"].sort());
    expect(headers["x-request-id"]).toBeTypeOf("string");
  });
});

describe("a path that does not exist", () => {
  const detailOf = async (path: string) => {
    const { json } = await service.call("GET", path);
    expect(json).toMatchObject({ status: 404, code: "not_found" });
    return (json as unknown as { detail: string }).detail;
  };

  test.each([
    [`/v1/stores/${store}/spaces/a/b/entries`, "/v1/stores/{store}/spaces/{space}/entries"],
    [`/v1/stores/${store}/spaces/a/b/c/entries/`, "/v1/stores/{store}/spaces/{space}/entries"],
    [
      `/v1/stores/${store}/spaces/a/segments/b/c/entries`,
      "/v1/stores/{store}/spaces/{space}/segments/{segment}/entries",
    ],
    [
      `/v1/stores/${store}/spaces/a/b/segments/c/records`,
      "/v1/stores/{store}/spaces/{space}/segments/{segment}/records",
    ],
    [`/v1/stores/${store}/leases/a/b`, "/v1/stores/{store}/leases/{key}"],
  ])("hints at %%2F when a name was sent with a /: %s", async (path, meant) => {
    expect(await detailOf(path)).toContain(`It has more parts than ${meant}: a / in a name is sent as %2F.`);
    // What it hints at is there.
    const { status } = await service.call("OPTIONS", formatPath(meant as `/${string}`, { ...names, space: "a/b" }));
    expect(status).toBe(204);
  });

  test.each(["/nope", "/health/x", "/docs/a/b", "/v1/stores/a/b/spaces", `/v1/stores/${store}/spaces//entries`])(
    "hints at nothing else: %s",
    async (path) => {
      expect(await detailOf(path)).not.toContain("%2F");
    },
  );

  test("is one that does not exist for OPTIONS, too", async () => {
    expect((await service.call("OPTIONS", "/nope")).json).toMatchObject({ status: 404, code: "not_found" });
  });

  test("is that of a function which the operator has disabled, and no wrong method", async () => {
    const request = new Request("http://streamkit.test/health");
    const { status, headers } = await fallback(service.services, request, unseenConnection());
    expect(status).toBe(404);
    expect(headers).not.toHaveProperty("allow");
  });
});
