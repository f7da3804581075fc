// Pages of other origins: those that are set may call and read every answer, others get no leave.

import { randomUUID } from "node:crypto";

import type { HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { afterEach, describe, expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import { parseOrigins, withCors } from "../../../src/server/every-answer.ts";
import type { Origins } from "../../../src/server/every-answer.ts";
import { functionsHandler } from "../../../src/server/functions-http.ts";
import { methodsOf, formatPath } from "../../../src/wire/operation.ts";
import { operations } from "../../../src/wire/operations.ts";
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";
import { hiddenFromPages } from "./pages.ts";

const ours = "https://app.example.com";
const store = randomUUID();
const names = { store, space: "s", segment: "g", key: "k", id: "i", job: randomUUID(), consumer: "c" };

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});
async function start(origins: Origins, changes: Parameters<typeof openService>[0] = {}): Promise<Service> {
  const service = await openService({ origins, ...changes });
  open.push(service);
  return service;
}
const onlyOurs = new Set([ours]);
const allowOf = (headers: Readonly<Record<string, string>>) => headers["access-control-allow-origin"];
const variesByOrigin = ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
  (headers["vary"] ?? "").split(", ").includes("Origin");
const preflight = (method: string, origin: string, headers = "content-type") => ({
  headers: { origin, "access-control-request-method": method, "access-control-request-headers": headers },
});

describe("the setting", () => {
  test.each([
    ["", []],
    [" , ", []],
    ["https://app.example.com", ["https://app.example.com"]],
    ["https://App.Example.com:443/, http://localhost:5173", ["https://app.example.com", "http://localhost:5173"]],
    ["capacitor://localhost,http://[::1]:8080", ["capacitor://localhost", "http://[::1]:8080"]],
  ])("%j is the origins %j", (text, origins) => {
    expect(parseOrigins(text)).toEqual(new Set(origins));
  });

  test("* is all of them", () => {
    expect(parseOrigins(" * ")).toBe("*");
  });

  test.each([
    "app.example.com",
    "https://app.example.com/page",
    "https://app.example.com?x=1",
    "https://*.example.com",
    "*,https://app.example.com",
    "https://user@app.example.com",
    "https://app.example.com https://b.example",
    "https://app.example.com:99999",
    "null",
    "https://",
  ])("%j is refused", (text) => {
    expect(parseOrigins(text)).toBeUndefined();
  });
});

describe("a preflight", () => {
  test("passes on every path, and tells what the path takes and what may be sent", async () => {
    const service = await start(onlyOurs, { access: { authenticate: () => Promise.reject(new Error("not asked")) } });
    for (const path of new Set(operations.map((operation) => operation.path))) {
      const here = operations.filter((operation) => operation.path === path);
      const sent = preflight(here[0]!.method, ours);
      const { status, headers, text } = await service.call("OPTIONS", formatPath(path, names), sent);
      expect([status, text, allowOf(headers)], path).toEqual([204, "", ours]);
      expect(headers["vary"]).toBe("Origin");
      expect(headers["access-control-max-age"]).toBe("7200");
      const methods = headers["access-control-allow-methods"]!.split(", ");
      expect(methods.toSorted()).toEqual([...here.flatMap((one) => methodsOf(one) as string[]), "OPTIONS"].sort());
      const allowed = headers["access-control-allow-headers"]!.split(", ");
      const read = here.flatMap((one) => Object.keys(one.headers.shape)).map((name) => name.toLowerCase());
      const always = ["authorization", "x-functions-key", "content-type", "accept", "x-request-id", "traceparent"];
      expect(allowed).toEqual(expect.arrayContaining([...always, ...read]));
      expect(new Set(allowed).size).toBe(allowed.length);
    }
  });

  test("lets headers pass that a page's own libraries add, and nothing that is no name", async () => {
    const service = await start(onlyOurs);
    const asked = preflight("GET", ours, "Request-Id,x-datadog-trace-id, a b,é,");
    const { headers } = await service.call("OPTIONS", "/health", asked);
    const allowed = headers["access-control-allow-headers"]!.split(", ");
    expect(allowed).toEqual(expect.arrayContaining(["request-id", "x-datadog-trace-id"]));
    expect(allowed.filter((name) => !/^[a-z-]+$/.test(name))).toEqual([]);
  });

  test("of a path that is none passes, so that the page can read the 404", async () => {
    const service = await start(onlyOurs);
    const { status, headers } = await service.call("OPTIONS", "/nope", preflight("PUT", ours));
    expect([status, allowOf(headers), headers["allow"]]).toEqual([204, ours, undefined]);
    expect(headers["access-control-allow-methods"]!.split(", ")).toContain("PUT");
    const answer = await service.call("PUT", "/nope", { headers: { origin: ours } });
    expect([answer.status, allowOf(answer.headers)]).toEqual([404, ours]);
  });

  test.each(["https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com", "null"])(
    "of an origin that is not set gets no leave: %s",
    async (origin) => {
      const service = await start(onlyOurs);
      const { status, headers } = await service.call("OPTIONS", "/health", preflight("GET", origin));
      expect([status, headers["vary"]]).toEqual([204, "Origin"]);
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    },
  );
});

interface Answer {
  readonly what: string;
  readonly status: number;
  readonly method: string;
  readonly path: string;
  readonly init?: RequestInit;
}
const entries = segmentPath(store, "s", "g", "/entries");
const answers: readonly Answer[] = [
  { what: "with entries", status: 200, method: "GET", path: entries },
  {
    what: "with lines",
    status: 200,
    method: "GET",
    path: entries,
    init: { headers: { accept: "application/x-ndjson" } },
  },
  { what: "to HEAD", status: 200, method: "HEAD", path: entries },
  {
    ...{ what: "of a produce", status: 200, method: "POST", path: segmentPath(store, "s", "g", "/records") },
    init: json({ records: [{ payload: "" }] }),
  },
  { what: "with the description", status: 200, method: "GET", path: "/openapi.json" },
  { what: "that leads elsewhere", status: 302, method: "GET", path: "/" },
  { what: "with a mistake", status: 400, method: "GET", path: `${entries}?limt=1` },
  { what: "of no path", status: 404, method: "GET", path: "/nope" },
  { what: "of another method", status: 405, method: "PATCH", path: "/health" },
  { what: "with a time to come back", status: 503, method: "GET", path: "/health?deep=true" },
];
const failing = {
  probe: () => Promise.reject(new StoreError("storage_unavailable", "It is down.", { retryAfterMs: 1 })),
};

describe.each(answers)("an answer $what", ({ status, method, path, init = {} }) => {
  const withOrigin = (origin: string): RequestInit => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), origin },
  });

  test("can be read by a page of an origin that is set, with its headers", async () => {
    const service = await start(onlyOurs, failing);
    const answer = await service.call(method, path, withOrigin(ours));
    expect([answer.status, allowOf(answer.headers), variesByOrigin(answer)]).toEqual([status, ours, true]);
    expect(hiddenFromPages(answer.headers)).toEqual([]);
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
  });

  test("is no other page's, and whoever keeps it is told that it differs by origin", async () => {
    const service = await start(onlyOurs, failing);
    for (const sent of [withOrigin("https://evil.example"), init]) {
      const answer = await service.call(method, path, sent);
      expect([answer.status, allowOf(answer.headers), variesByOrigin(answer)]).toEqual([status, undefined, true]);
    }
  });

  test("can be read by every page with *", async () => {
    const service = await start("*", failing);
    const answer = await service.call(method, path, withOrigin("null"));
    expect([answer.status, allowOf(answer.headers), variesByOrigin(answer)]).toEqual([status, "*", false]);
    expect(hiddenFromPages(answer.headers)).toEqual([]);
  });

  test("says nothing of origins when none is set", async () => {
    const service = await start(new Set(), failing);
    const answer = await service.call(method, path, withOrigin(ours));
    expect([answer.status, variesByOrigin(answer)]).toEqual([status, false]);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});

describe("an answer", () => {
  test("that differs by something else keeps saying so", () => {
    const request = new Request("http://streamkit.test/", { headers: { origin: ours } });
    const { vary } = withCors(onlyOurs, request, { vary: "Accept-Encoding" });
    expect(vary).toBe("Accept-Encoding, Origin");
  });

  test("of an app whose parts cannot be made can be read, too", async () => {
    const broken = () => {
      throw new StoreError("internal", "It is broken.");
    };
    const handler = functionsHandler(() => Promise.reject(new Error("not called")), broken, onlyOurs);
    const request = new Request("http://streamkit.test/health", { headers: { origin: ours } });
    const context = { invocationId: "i", error: () => undefined } as unknown as InvocationContext;
    const { status, headers } = (await handler(request as unknown as HttpRequest, context)) as HttpResponseInit;
    expect([status, allowOf(headers as Record<string, string>)]).toEqual([500, ours]);
  });
});
