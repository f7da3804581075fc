// Many small appends by way of a producer, on a good way to the app and on a bad one.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { SpaceClient } from "streamkit-client";
import { startApp, until } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";
import { FaultyWay, first } from "./faulty-way.ts";

let app: RunningApp;
let way: FaultyWay;
beforeAll(async () => {
  app = await startApp();
  way = await FaultyWay.open(app.url);
});
afterAll(async () => {
  await way.close();
  await app.stop();
});
beforeEach(() => {
  way.plan = () => ({ kind: "pass" });
  way.seen.length = 0;
});

function space(): SpaceClient<number> {
  const retryOptions = { deadlineInMs: 10_000, retryDelayInMs: 5, maxRetryDelayInMs: 50 };
  return new StreamkitClient(way.url, undefined, { retryOptions })
    .getStoreClient(randomUUID())
    .getSpaceClient("numbers");
}

async function numbers(entries: AsyncIterable<{ readonly payload: number }>): Promise<readonly number[]> {
  const all: number[] = [];
  for await (const { payload } of entries) all.push(payload);
  return all;
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const writes = (): number => way.seen.filter(({ method }) => method === "POST").length;

test("records that are sent one by one become few requests, in order, each told its place", async () => {
  const segment = space().getSegmentClient("a");
  const producer = segment.createProducer();
  const acks: Promise<{ readonly sequence: number }>[] = [];
  for (const payload of upTo(2_500)) acks.push((await producer.send({ payload })).ack);
  await producer.close();
  expect((await Promise.all(acks)).map(({ sequence }) => sequence)).toEqual(upTo(2_500).map((index) => index + 1));
  expect(writes()).toBeLessThan(20);
  expect(await numbers(segment.read())).toEqual(upTo(2_500));
});

test("a producer of a space writes to a thousand segments by transactions of eighty", async () => {
  const several = space();
  await using producer = several.createProducer({ lingerInMs: 20 });
  const acks = await Promise.all(
    upTo(1_000).map(async (payload) => (await producer.send({ segment: `s${payload}`, payload })).ack),
  );
  await producer.flush();
  expect(writes()).toBe(13);
  expect(new Set(acks.map(({ sequence }) => sequence))).toEqual(new Set([1]));
  expect((await numbers(several.read())).toSorted((one, other) => one - other)).toEqual(upTo(1_000));
});

test("lost answers cost nothing: each record is written once, in order", async () => {
  const segment = space().getSegmentClient("a");
  const producer = segment.createProducer({ lingerInMs: 1 });
  way.plan = () =>
    writes() % 2 === 0 ? { kind: "pass" } : { kind: "reset", when: writes() % 3 === 0 ? "before" : "after" };
  for (const payload of upTo(60)) {
    await producer.send({ payload });
    if (payload % 5 === 0) await sleep(3);
  }
  await producer.close();
  way.plan = () => ({ kind: "pass" });
  expect(await numbers(segment.read())).toEqual(upTo(60));
});

test("a batch that is refused in the middle rejects all behind it with the first cause, and nothing of it is lost silently", async () => {
  const segment = space().getSegmentClient("a");
  const producer = segment.createProducer({ maxBatchRecords: 2, lingerInMs: 0 });
  const first2 = await Promise.all([producer.send({ payload: 0 }), producer.send({ payload: 1 })]);
  await Promise.all(first2.map(({ ack }) => ack));
  way.plan = first({ kind: "answer", status: 403, when: "before" });
  const behind = await Promise.all([2, 3, 4, 5, 6].map((payload) => producer.send({ payload })));
  const outcomes = await Promise.allSettled(behind.map(({ ack }) => ack));
  const causes = outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as Error) : undefined));
  expect(causes[0]).toMatchObject({ code: "permission_denied" });
  expect(new Set(causes).size).toBe(1);
  await expect(producer.send({ payload: 7 })).rejects.toBe(causes[0]);
  await expect(producer.flush()).rejects.toBe(causes[0]);
  await expect(producer.close()).rejects.toBe(causes[0]);
  expect(await numbers(segment.read())).toEqual([0, 1]);
});

test("backpressure holds senders back in order; an abort takes its own record out and spoils no count", async () => {
  const segment = space().getSegmentClient("a");
  const producer = segment.createProducer({ maxQueuedBytes: 40, lingerInMs: 0 });
  const ending = new AbortController();
  const sends = upTo(12).map((payload) =>
    producer.send({ payload }, payload === 5 ? { abortSignal: ending.signal } : {}).catch((error: unknown) => error),
  );
  ending.abort(new Error("Enough."));
  // It races with those that wait: closing waits for them, too.
  await producer.close();
  expect(await sends[5]).toMatchObject({ message: "Enough." });
  expect(await numbers(segment.read())).toEqual(upTo(12).filter((payload) => payload !== 5));
  await expect(producer.send({ payload: 99 })).rejects.toMatchObject({ code: "closed" });
});

test("as a stream it takes what is piped into it, and closes when all is durable", async () => {
  const segment = space().getSegmentClient("a");
  const source = ReadableStream.from(upTo(300).map((payload) => ({ payload })));
  await source.pipeTo(segment.createProducer().writable);
  expect(await numbers(segment.read())).toEqual(upTo(300));
  const broken = ReadableStream.from(
    (function* () {
      yield { payload: 1 };
      throw new Error("The source broke.");
    })(),
  );
  await expect(broken.pipeTo(segment.createProducer().writable)).rejects.toThrow("The source broke.");
});

test("a reader that is piped ends its request when the sink fails or is cancelled, and the sink's error is told", async () => {
  const segment = space().getSegmentClient("a");
  for (let part = 0; part < 4; part += 1) {
    const metadata = { filler: "x".repeat(10_000) };
    await segment.append(upTo(60).map((payload) => ({ payload, metadata })));
  }
  const failing = new WritableStream<unknown>({ write: () => Promise.reject(new Error("The sink broke.")) });
  await expect(ReadableStream.from(segment.read()).pipeTo(failing)).rejects.toThrow("The sink broke.");
  await until("no request is left", () => way.answering === 0);
  const reader = ReadableStream.from(segment.follow()).getReader();
  expect((await reader.read()).value).toMatchObject({ payload: 0 });
  await reader.cancel();
  await until("no request is left", () => way.answering === 0);
});

test("a stream that is aborted while a write waits for room ends at once, and gives up what is not on its way", async () => {
  const segment = space().getSegmentClient("a");
  const producer = segment.createProducer({ maxQueuedBytes: 1, lingerInMs: 0 });
  way.plan = () => ({ kind: "silence", afterBytes: 0 });
  const writer = producer.writable.getWriter();
  const outcomes = Promise.allSettled(upTo(3).map((payload) => writer.write({ payload })));
  await until("the first is on its way", () => writes() === 1);
  const reason = new Error("Enough.");
  const startedAt = performance.now();
  await writer.abort(reason);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  await expect(producer.send({ payload: 9 })).rejects.toBe(reason);
  await expect(producer.close()).rejects.toBe(reason);
});
