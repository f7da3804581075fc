// What a client makes of a bad way to the app: lost answers, broken connections, gateways, an instance that is killed.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { StreamkitClient, text } from "streamkit-client";
import type { RetryOptions, SegmentClient, SpaceClient, StreamkitError } from "streamkit-client";
import { startApp, until } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";
import { FaultyWay, first } from "./faulty-way.ts";
import type { Fault } from "./faulty-way.ts";

let apps: RunningApp[];
let way: FaultyWay;
beforeAll(async () => {
  apps = await Promise.all([startApp(), startApp()]);
});
afterAll(() => Promise.all(apps.map((app) => app.stop())));
beforeEach(async () => {
  way = await FaultyWay.open(...apps.map(({ url }) => url));
});
afterEach(() => way.close());

const storeId = randomUUID();
const quick: RetryOptions = { deadlineInMs: 20_000, retryDelayInMs: 5, maxRetryDelayInMs: 50 };

function space(retryOptions = quick): SpaceClient<number> {
  return new StreamkitClient(way.url, undefined, { retryOptions })
    .getStoreClient(storeId)
    .getSpaceClient<number>(randomUUID());
}

const segment = (retryOptions = quick): SegmentClient<number> => space(retryOptions).getSegmentClient("numbers");

async function numbers(entries: AsyncIterable<{ readonly payload: number }>): Promise<readonly number[]> {
  const all: number[] = [];
  for await (const { payload } of entries) all.push(payload);
  return all;
}

const failure = (promise: Promise<unknown>): Promise<StreamkitError> =>
  promise.then(
    () => Promise.reject(new Error("It did not fail.")),
    (error: unknown) => error as StreamkitError,
  );

const lost: readonly (readonly [string, Fault])[] = [
  ["a connection that breaks before the request arrives", { kind: "reset", when: "before" }],
  ["a connection that breaks when the answer was to come", { kind: "reset", when: "after" }],
  ["a gateway's 502 for a request that never arrived", { kind: "answer", status: 502, when: "before" }],
  ["a gateway's 504 for a request that took effect", { kind: "answer", status: 504, when: "after" }],
  ["an answer that breaks off in its body", { kind: "cut", afterBytes: 10 }],
];

test.each(lost)("after %s an append is written once, whatever it expected", async (_, fault) => {
  const one = segment();
  await one.append({ payload: 1 }, { expected: "none" });
  way.plan = first(fault, fault, fault);
  expect(await one.append({ payload: 2 }, { expected: 1 })).toMatchObject({ firstSequence: 2, lastSequence: 2 });
  way.plan = first(fault, fault);
  expect(await one.append([{ payload: 3 }, { payload: 4 }])).toMatchObject({ firstSequence: 3, lastSequence: 4 });
  expect(await numbers(one.read())).toEqual([1, 2, 3, 4]);
});

test.each(lost)("after %s a transaction is written once to each of its segments", async (_, fault) => {
  const several = space();
  way.plan = first(fault, fault);
  const records = [{ payload: 1 }];
  const results = await several.transact([
    { segment: "a", records, expected: "none" },
    { segment: "b", records },
  ]);
  expect(results.map(({ lastSequence }) => lastSequence)).toEqual([1, 1]);
  expect(await numbers(several.read())).toEqual([1, 1]);
});

test("an append of many chunks that breaks off in the middle is completed, and nothing of it is doubled", async () => {
  const one = segment();
  way.plan = first({ kind: "reset", when: "after" }, { kind: "reset", when: "before" });
  const records = Array.from({ length: 2_500 }, (_, payload) => ({ payload }));
  expect(await one.append(records)).toMatchObject({ firstSequence: 1, lastSequence: 2_500, duplicate: true });
  expect(await numbers(one.read())).toEqual(records.map(({ payload }) => payload));
});

test("of an append that lost its place while its first request was lost nothing happened, and it says so", async () => {
  const one = segment({ ...quick, retryDelayInMs: 1_000, maxRetryDelayInMs: 1_000 });
  way.plan = first({ kind: "reset", when: "before" });
  const waiting = failure(one.append({ payload: 1 }, { expected: "none" }));
  await until("the request was lost", () => way.seen.length > 0);
  const store = new StreamkitClient(apps[1]!.url).getStoreClient(storeId);
  await store.getSpaceClient<number>(one.spaceName).getSegmentClient("numbers").append({ payload: 9 });
  expect(await waiting).toMatchObject({ code: "sequence_mismatch", effect: "none" });
  expect(await numbers(one.read())).toEqual([9]);
});

test("an append whose time is over says that it may have happened, when it may", async () => {
  const one = segment({ ...quick, deadlineInMs: 200 });
  way.plan = () => ({ kind: "reset", when: "after" });
  expect(await failure(one.append({ payload: 1 }))).toMatchObject({ code: "connection_failed", effect: "unknown" });
  way.plan = first({ kind: "reset", when: "after" });
  const refused = await failure(one.append({ payload: 2 }, { lease: { key: "none", token: 1 } }));
  expect(refused).toMatchObject({ code: "invalid_argument", effect: "unknown" });
  way.plan = () => ({ kind: "pass" });
  expect(await numbers(one.read())).toEqual([1]);
});

test("an attempt that is not answered in time is given up, and the next one is answered", async () => {
  const one = segment();
  way.plan = first({ kind: "silence", afterBytes: 5 });
  const result = await one.append({ payload: 1 }, { requestOptions: { timeoutInMs: 500 } });
  expect(result).toMatchObject({ lastSequence: 1, duplicate: true });
});

test("a gateway that asks for a pause gets it", async () => {
  const one = segment();
  for (const status of [429, 503]) {
    way.plan = first({ kind: "answer", status, when: "before", retryAfter: "1" });
    const startedAt = performance.now();
    await one.append({ payload: status });
    expect(performance.now() - startedAt).toBeGreaterThan(950);
  }
  way.plan = () => ({ kind: "answer", status: 429, when: "before", retryAfter: "3600" });
  const startedAt = performance.now();
  expect(await failure(one.append({ payload: 1 }))).toMatchObject({ statusCode: 429, retryable: true });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("an append with a record that is too large is refused as a whole, however many come before it", async () => {
  const texts = space().getSegmentClient("texts", { codec: text() });
  const records = Array.from({ length: 1_500 }, (_, index) => ({ payload: `${index + 1}` }));
  const large = { payload: "x".repeat(800_000) };
  const error = await failure(texts.append([...records, large, { payload: "never" }]));
  expect(error).toMatchObject({ code: "record_too_large", effect: "none" });
  expect(await texts.getStatus()).toMatchObject({ firstSequence: 0, lastSequence: 0 });
});

test("what a repeat does not cure is not repeated", async () => {
  const one = segment();
  way.plan = () => ({ kind: "answer", status: 404, when: "before" });
  expect(await failure(one.getStatus())).toMatchObject({ code: "not_found", statusCode: 404 });
  expect(way.seen).toHaveLength(1);
});

test("a read whose connection breaks, anywhere, goes on with the next entry", async () => {
  const one = segment();
  const expected = Array.from({ length: 3_000 }, (_, payload) => payload);
  await one.append(expected.map((payload) => ({ payload })));
  way.plan = ({ path }) => ({ kind: "cut", afterBytes: 1_000 + (Number(/from=(\d+)/.exec(path)?.[1] ?? 0) % 997) });
  expect(await numbers(one.read())).toEqual(expected);
  expect(way.seen.length).toBeGreaterThan(10);
  expect(await numbers(one.read({ last: 900 }))).toEqual(expected.slice(-900));
  expect(await numbers(one.read({ from: 11, limit: 500 }))).toEqual(expected.slice(10, 510));
});

test("a read that never gets on fails when its time is over", async () => {
  const one = segment();
  await one.append({ payload: 1 });
  way.plan = () => ({ kind: "cut", afterBytes: 3 });
  const hopeless = new StreamkitClient(way.url, undefined, { retryOptions: { ...quick, deadlineInMs: 200 } });
  const entries = hopeless.getStoreClient(storeId).getSpaceClient<number>(one.spaceName).read();
  expect(await failure(numbers(entries))).toMatchObject({ code: "connection_failed", retryable: true });
});

test("a follower whose connections break, anywhere, repeats none and skips none", async () => {
  const several = space();
  const ending = new AbortController();
  const seen: number[] = [];
  way.plan = ({ headers }) =>
    headers.accept === "text/event-stream"
      ? { kind: "cut", afterBytes: 400 + ((way.seen.length * 131) % 3_000) }
      : { kind: "pass" };
  const following = (async () => {
    for await (const { payload } of several.follow({ abortSignal: ending.signal })) {
      seen.push(payload);
      if (payload === 59) ending.abort();
    }
  })();
  for (let payload = 0; payload < 60; payload += 1)
    await several.getSegmentClient(`s${payload % 7}`).append({ payload });
  await following;
  expect(seen).toEqual(Array.from({ length: 60 }, (_, payload) => payload));
});

test(
  "a filtered reader whose connections break, also where all is hidden, repeats none and skips none",
  { timeout: 60_000 },
  async () => {
    const several = space();
    const kinds = ["shown", "hidden", "hidden", "hidden"];
    const isShown = (payload: number): boolean => payload % kinds.length === 0;
    const written = Array.from({ length: 160 }, (_, payload) => payload);
    for (let from = 0; from < written.length; from += 20) {
      const records = written.slice(from, from + 20).map((payload) => ({
        payload,
        metadata: { kind: kinds[payload % kinds.length]!, filler: "x".repeat(100) },
      }));
      await several.getSegmentClient("a").append(records);
      await several.getSegmentClient("b").append(records);
    }
    const filter = { prefix: "a", where: { kind: "shown" } };
    way.plan = () => ({ kind: "cut", afterBytes: 500 + ((way.seen.length * 131) % 900) });
    expect(await numbers(several.read(filter))).toEqual(written.filter(isShown));
    expect(await numbers(several.read({ ...filter, limit: 9 }))).toEqual(written.filter(isShown).slice(0, 9));
    const seen: number[] = [];
    for await (const { payload } of several.follow(filter)) {
      seen.push(payload);
      if (payload === 156) break;
    }
    expect(seen).toEqual(written.filter(isShown));
    expect(way.seen.length).toBeGreaterThan(30);
  },
);

test(
  "an instance that is killed, and a rolling restart, cost neither writers nor a follower anything",
  { timeout: 60_000 },
  async () => {
    const several = space();
    const ending = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { payload } of several.follow({ abortSignal: ending.signal })) seen.push(payload);
    })();
    let stopped = false;
    const written: number[] = [];
    const writer = async (name: string, base: number): Promise<void> => {
      for (let count = 0; !stopped; count += 1) {
        await several
          .getSegmentClient(name)
          .append({ payload: base + count }, { expected: count === 0 ? "none" : count });
        written.push(base + count);
      }
    };
    const writing = Promise.all([writer("a", 0), writer("b", 1_000_000)]);
    const restart = async (index: number, signal: NodeJS.Signals): Promise<void> => {
      const old = apps[index]!;
      await old.stop(signal);
      apps[index] = await startApp();
      way.instances = apps.map(({ url }) => url);
      await sleep(200);
    };
    await sleep(300);
    await restart(0, "SIGKILL");
    await restart(0, "SIGTERM");
    await restart(1, "SIGTERM");
    stopped = true;
    await writing;
    await until("the follower has seen all", () => seen.length >= written.length);
    ending.abort();
    await following;
    expect(seen.filter((payload) => payload < 1_000_000)).toEqual(written.filter((payload) => payload < 1_000_000));
    expect(seen.filter((payload) => payload >= 1_000_000)).toEqual(written.filter((payload) => payload >= 1_000_000));
    expect(seen.length).toBe(written.length);
  },
);

test("a call that its signal ends rejects with the signal's reason, wherever it is", async () => {
  const one = segment();
  await one.append([{ payload: 1 }, { payload: 2 }]);
  const reason = new Error("Enough.");
  const already = await failure(one.getStatus({ abortSignal: AbortSignal.abort(reason) }));
  expect(already).toBe(reason);
  const aborted = async (plan: Fault): Promise<unknown> => {
    const ending = new AbortController();
    way.plan = () => plan;
    setTimeout(() => ending.abort(reason), 100);
    return failure(one.append({ payload: 3 }, { abortSignal: ending.signal }));
  };
  expect(await aborted({ kind: "silence", afterBytes: 0 })).toBe(reason);
  expect(await aborted({ kind: "answer", status: 503, when: "before", retryAfter: "5" })).toBe(reason);
  way.plan = () => ({ kind: "silence", afterBytes: 5 });
  const ending = new AbortController();
  setTimeout(() => ending.abort(reason), 100);
  expect(await failure(numbers(one.read({ abortSignal: ending.signal })))).toBe(reason);
});

test("whoever leaves a read or a follower ends its request", async () => {
  const one = segment();
  await one.append(Array.from({ length: 1_000 }, (_, payload) => ({ payload, metadata: { filler: "x".repeat(500) } })));
  for await (const { sequence } of one.read()) if (sequence === 1) break;
  for await (const { sequence } of one.follow()) if (sequence === 1) break;
  const follower = one.follow({ from: "end" });
  const waiting = follower[Symbol.asyncIterator]().next();
  await until("the follower waits", () => way.seen.some(({ path }) => path.includes("from=end")));
  await follower.close();
  expect(await waiting).toMatchObject({ done: true });
  await until("no request is left", () => way.answering === 0);
});

test("a reader that takes nothing is sent no more than buffers hold", async () => {
  const one = segment();
  const filler = "x".repeat(50_000);
  for (let part = 0; part < 8; part += 1) {
    await one.append(
      Array.from({ length: 60 }, (_, payload) => ({ payload, metadata: { filler: `${filler}${part}` } })),
    );
  }
  way.bytes = 0;
  const iterator = one.read()[Symbol.asyncIterator]();
  await iterator.next();
  await sleep(1_000);
  expect(way.bytes).toBeLessThan(12_000_000);
  await iterator.return?.();
});
