import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StoreError } from "../../../src/core/errors.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { recordedTelemetry, type Recorded } from "../telemetry/recorded.ts";
import { json, openService, segmentPath, type Service } from "./in-process.ts";

let telemetry: Recorded;
let service: Service;
beforeEach(async () => {
  telemetry = recordedTelemetry();
  service = await openService({
    telemetry,
    probe: () => Promise.reject(new StoreError("storage_unavailable", "It is down.")),
  });
});
afterEach(() => service.dispose());

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("a request is measured under its route, without names, and continues its caller's trace", async () => {
  const path = segmentPath(randomUUID(), "secret space", "secret segment", "/records");
  const headers = { traceparent: `00-${traceId}-${spanId}-01`, "x-request-id": "request-1" };
  expect((await service.call("POST", path, json({ records: [] }, headers))).status).toBe(200);
  const route = "/v1/stores/{store}/spaces/{space}/segments/{segment}/records";
  const attributes = { "http.request.method": "POST", "http.route": route, "http.response.status_code": 200 };
  expect(telemetry.attributes("http.server.request.duration")).toEqual([attributes]);
  expect(telemetry.spans).toMatchObject([
    {
      name: `POST ${route}`,
      parent: { traceId, spanId, sampled: true },
      attributes: { ...attributes, "streamkit.request_id": "request-1" },
      failure: undefined,
    },
  ]);
  const { startedAt, ms } = telemetry.spans[0]!;
  expect(Math.abs(Date.now() - (startedAt + ms))).toBeLessThan(10_000);
});

test.each([
  { header: `00-${traceId}-${spanId}-00`, parent: { traceId, spanId, sampled: false } },
  { header: `00-${"0".repeat(32)}-${spanId}-01`, parent: undefined },
  { header: `ff-${traceId}-${spanId}-01`, parent: undefined },
  { header: "no trace", parent: undefined },
])("of the traceparent $header the span's parent is $parent", async ({ header, parent }) => {
  await service.call("GET", "/health", { headers: { traceparent: header } });
  expect(telemetry.spans.map((span) => span.parent)).toEqual([parent]);
});

test("a failure of ours or the storage's is named; a caller's mistake is a status alone", async () => {
  await service.call("GET", "/health?deep=true");
  await service.call("GET", "/health?deep=perhaps");
  expect(telemetry.attributes("http.server.request.duration")).toEqual([
    {
      "http.request.method": "GET",
      "http.route": "/health",
      "http.response.status_code": 503,
      "error.type": "storage_unavailable",
    },
    { "http.request.method": "GET", "http.route": "/health", "http.response.status_code": 400 },
  ]);
  expect(telemetry.spans.map(({ failure }) => failure)).toEqual(["storage_unavailable", undefined]);
});

test.each([
  ["GET", "/entries?wait=30", {}],
  ["GET", "/segments/g/entries?wait=30", {}],
  ["GET", "/status?wait=30&cursor=c0", {}],
  ["POST", "", { body: '{"offsets":{"s":""}}', headers: { "content-type": "application/json" } }],
])("a caller that leaves while it waits (%s %s) is no error of the log and no 5xx", async (method, rest, init) => {
  const left = new AbortController();
  const store = `/v1/stores/${randomUUID()}`;
  const path = method === "POST" ? `${store}/consume?wait=30` : `${store}/spaces/s${rest}`;
  const waiting = service.call(method, path, init, { ...unseenConnection(), signal: left.signal });
  while (service.services.watches.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  left.abort(new Error("The caller is gone."));
  expect((await waiting).text).toBe("");
  expect(telemetry.attributes("http.server.request.duration")).toMatchObject([{ "http.response.status_code": 499 }]);
  expect(telemetry.attributes("http.server.request.duration")[0]).not.toHaveProperty("error.type");
  expect(telemetry.spans.map(({ failure }) => failure)).toEqual([undefined]);
  expect(service.logged.join("")).not.toMatch(/"level":"(warn|error)"|"stack"/);
});

test("a caller that left before its read began is none either", async () => {
  const signal = AbortSignal.abort(new Error("The caller is gone."));
  const path = segmentPath(randomUUID(), "s", "g");
  for (const rest of ["/entries", "/last", ""]) {
    const { status } = await service.call("GET", `${path}${rest}`, {}, { ...unseenConnection(), signal });
    expect(status, rest).toBe(499);
  }
  expect(service.logged.join("")).not.toContain('"level":"error"');
});

test.each([
  ["JSON", "application/json", '{"records":['],
  ["lines that were not committed", "application/x-ndjson", '{"payload":"YQ=="}\n'],
])(
  "a caller that leaves in the middle of its body has left: it made no mistake, and nothing failed: %s",
  async (_, type, text) => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from(text)),
      pull: (controller) => controller.error(new Error("ECONNRESET")),
    });
    const init = { body, headers: { "content-type": type } };
    const answer = await service.call("POST", segmentPath(randomUUID(), "s", "g", "/records"), init);
    expect(answer).toMatchObject({ status: 499, text: "" });
    const [measured] = telemetry.attributes("http.server.request.duration");
    expect(measured).toMatchObject({ "http.response.status_code": 499 });
    expect(measured).not.toHaveProperty("error.type");
    expect(service.logged.join("")).not.toMatch(/"level":"(info|warn|error)"/);
  },
);

test("a mistake of ours is one also when the caller is gone by then", async () => {
  const signal = AbortSignal.abort(new Error("The caller is gone."));
  const broken = await openService({ telemetry, probe: () => Promise.reject(new Error("a mistake")) });
  await broken.call("GET", "/health?deep=true", {}, { ...unseenConnection(), signal });
  expect(broken.logged.join("")).toContain("a mistake");
  await broken.dispose();
});

test("the metrics count what consumers read: pages, entries and the bytes of their content", async () => {
  const store = randomUUID();
  const path = segmentPath(store, "s", "g");
  const records = ["aa", "bbb"].map((payload) => ({ payload }));
  await service.call("POST", `${path}/records?encoding=text`, json({ records }));
  await service.call("GET", `${path}/entries`);
  expect(telemetry.values("streamkit.consume.entries")).toEqual([2]);
  expect(telemetry.values("streamkit.consume.bytes")).toEqual([5]);
  expect(telemetry.values("streamkit.consume.pages")).toEqual([1]);
  await service.call("GET", `${path}/entries`, { headers: { accept: "application/x-ndjson" } });
  expect(telemetry.sum("streamkit.consume.entries")).toBe(4);
});
