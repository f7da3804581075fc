// Streams that end by themselves: their entries are removed when their time is over, of that life alone.

import { randomUUID } from "node:crypto";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Clock } from "../../../src/core/clock.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { durableStream } from "../../../src/server/durable-streams.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { clock as system, openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const store = parseStoreId(randomUUID());
const [space, segment] = [parseSpaceName("s"), parseSegmentName("answer")];

let service: Service;
let passed = 0;
const clock: Clock = { ...system, now: () => Date.now() + passed, elapsed: () => performance.now() + passed };
beforeEach(async () => {
  passed = 0;
  service = await openService({ clock, serviceClock: clock });
});
afterEach(() => service.dispose());

async function call(method: string, headers: Record<string, string> = {}, body?: string): Promise<number> {
  const url = `http://127.0.0.1/v1/stores/${store}/spaces/${space}/streams/${segment}?offset=-1`;
  const request = { method, url, headers: new Headers(headers), body: new Response(body).body };
  return (await durableStream(service.services, request, unseenConnection())).status;
}
const text = { "content-type": "text/plain" };
const status = () => service.services.stores.open(store).getSegmentStatus!(space, segment);
/** A minute after the end at the earliest. */
const afterEnd = 1_100 * 100 + 61_000;

async function made(): Promise<void> {
  expect(await call("PUT", { ...text, "stream-ttl": "100" })).toBe(201);
  expect(await call("POST", text, "one")).toBe(204);
  expect(await call("POST", text, "two")).toBe(204);
}

test("its entries are there until it ends, and removed by the turn that is due then", async () => {
  await made();
  passed = 90_000;
  expect((await service.runSchedule()).done).toBe(0);
  expect(await status()).toMatchObject({ firstSequence: 1, lastSequence: 2 });
  passed = afterEnd;
  expect(await call("GET")).toBe(404);
  expect(await status()).toMatchObject({ firstSequence: 1 });
  expect((await service.runSchedule()).done).toBe(1);
  expect(await status()).toMatchObject({ firstSequence: 3, lastSequence: 2 });
});

test("one that was used since lasts until its new end", async () => {
  await made();
  passed = 80_000;
  expect(await call("GET")).toBe(200);
  passed = afterEnd;
  expect(await call("GET")).toBe(200);
  expect(await service.runSchedule()).toMatchObject({ done: 0, again: 1 });
  expect(await status()).toMatchObject({ firstSequence: 1 });
  passed = 2 * afterEnd + 80_000;
  expect((await service.runSchedule()).done).toBe(1);
  expect(await status()).toMatchObject({ firstSequence: 3 });
});

test("one that was made anew under the name keeps its entries", async () => {
  await made();
  passed = 115_000;
  expect(await call("PUT", text)).toBe(201);
  expect(await call("POST", text, "three")).toBe(204);
  passed = afterEnd;
  expect((await service.runSchedule()).done).toBe(1);
  // Those of the life that ended are gone.
  expect(await status()).toMatchObject({ firstSequence: 3, lastSequence: 3 });
  expect(await call("GET")).toBe(200);
});

test("a call that failed before the row was written is repeated until it is", async () => {
  const { schedule } = service.services;
  let fails = true;
  Object.assign(service.services, {
    schedule: { put: (due: never) => (fails ? Promise.reject(new Error("away")) : schedule.put(due)) },
  });
  const make = () => call("PUT", { ...text, "stream-ttl": "100" });
  expect(await make()).toBe(500);
  fails = false;
  expect(await make()).toBe(200);
  expect(await call("POST", text, "one")).toBe(204);
  passed = afterEnd;
  expect((await service.runSchedule()).done).toBe(1);
  expect(await status()).toMatchObject({ firstSequence: 2 });
});
