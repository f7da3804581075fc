// HEAD: what GET answers, without the body, and without anything that stays behind for it.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { unseenConnection } from "../../../src/server/http.ts";
import { LivePlaces } from "../../../src/server/live-place.ts";
import { Budget } from "../../../src/server/overload.ts";
import type { Operation } from "../../../src/wire/operation.ts";
import { operations } from "../../../src/wire/operations.ts";
import { formatPath } from "../../../src/wire/operation.ts";
import { recordedTelemetry } from "../telemetry/recorded.ts";
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const names = {
  ...{ store: randomUUID(), space: "s", segment: "g", id: "billing" },
  ...{ job: randomUUID(), consumer: "c" },
};
const telemetry = recordedTelemetry();
/** Two at a time: the third of those that stayed behind would be refused. */
const streams = new Budget("streams", 2);

let service: Service;
beforeAll(async () => {
  const livePlaces = new LivePlaces(streams, new Budget("watched spaces", 2));
  service = await openService({ streams, livePlaces, telemetry, options: { streamMs: 60_000, heartbeatMs: 10 } });
  const records = Array.from({ length: 200 }, () => ({ payload: "x".repeat(2_000) }));
  await service.call("POST", segmentPath(names.store, "s", "g", "/records?encoding=text"), json({ records }));
  const subscription = json({ space: "s", segment: "*", target: { queue: "sub-billing" } });
  await service.call("PUT", `/v1/stores/${names.store}/subscriptions/billing`, subscription);
});
afterAll(() => service.dispose());

const held = () => {
  const { bodies, watches, livePlaces } = service.services;
  return [bodies.used, streams.used, watches.size, livePlaces.spaces];
};

const read = operations.filter(({ method }) => method === "GET");
const forms = read.flatMap((operation) => Object.keys(operation.answer).map((accept) => ({ operation, accept })));

test("every call that reads is asked in each of its forms", () => {
  expect(read.length).toBeGreaterThan(8);
  expect(forms.filter(({ accept }) => accept === "text/event-stream").length).toBeGreaterThan(2);
});

describe.each(forms)("of $operation.id as $accept", ({ operation, accept }) => {
  const path = formatPath(operation.path, names);
  const init = { headers: { accept, "x-request-id": "same" } };

  test("it has the status and the headers of GET, no body, and holds nothing", async () => {
    for (let time = 0; time < 3; time += 1) {
      const head = await service.open("HEAD", path, init);
      expect(head).not.toHaveProperty("body");
      expect(held()).toEqual([0, 0, 0, 0]);
      expect(head).toEqual(await statusAndHeaders(operation, path, init));
    }
  });
});

async function statusAndHeaders(operation: Operation, path: string, init: RequestInit) {
  const leaving = new AbortController();
  const connection = { ...unseenConnection(), signal: leaving.signal };
  const { body, ...rest } = await service.open(operation.method, path, init, connection);
  leaving.abort();
  if (body !== undefined && typeof body !== "string")
    for await (const piece of body) expect(piece).toBeTypeOf("string");
  return rest;
}

test("it waits for nothing", async () => {
  const startedAt = performance.now();
  for (const path of [
    segmentPath(names.store, "s", "none", "/entries?wait=20"),
    `/v1/stores/${names.store}/spaces/none/entries?wait=20`,
  ]) {
    expect(await service.call("HEAD", path), path).toMatchObject({ status: 200, text: "" });
  }
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("it is refused as GET is, without the problem, and its parameters are looked at all the same", async () => {
  const path = segmentPath(names.store, "s", "g", "/entries");
  for (const query of ["?limt=1", "?wait=x"]) {
    const { status, headers, text } = await service.call("HEAD", `${path}${query}`);
    expect([status, headers["content-type"], text], query).toEqual([400, "application/problem+json", ""]);
  }
  expect(await service.call("HEAD", "/nope")).toMatchObject({ status: 404, text: "" });
});

test("it is measured and logged as what it is", async () => {
  await service.call("HEAD", "/health", { headers: { "x-request-id": "head-1" } });
  expect(telemetry.attributes("http.server.request.duration").at(-1)).toMatchObject({
    "http.request.method": "HEAD",
    "http.route": "/health",
  });
  expect(telemetry.spans.at(-1)!.name).toBe("HEAD /health");
  const line = service.logged.find((text) => text.includes("head-1")) ?? "{}";
  expect(JSON.parse(line)).toMatchObject({ status: 200, characters: 0 });
});
