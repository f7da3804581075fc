// Consumers by way of the client: what is set and seen, and workers that die, fail, are slow and are lost.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { json, StreamkitClient } from "streamkit-client";
import type { ConsumerClient, Parked, RunOptions, StoreClient } from "streamkit-client";
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

const retryOptions = { retryDelayInMs: 5, maxRetryDelayInMs: 50 };
const newStore = (url = app.url): StoreClient =>
  new StreamkitClient(url, undefined, { retryOptions }).getStoreClient(randomUUID());

async function write(store: StoreClient, segments: number, each: number): Promise<void> {
  const jobs = store.getSpaceClient<number>("jobs");
  const records = Array.from({ length: each }, (_, at) => ({ payload: at + 1 }));
  for (let at = 1; at <= segments; at += 1) await jobs.getSegmentClient(`job-${at}`).append(records);
}

const rules = { spaces: ["jobs"], from: "start", backoffSeconds: [0], leaseSeconds: 1 } as const;
const run: RunOptions = { waitInSeconds: 1 };

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Works until so many entries were done, and returns them as `segment/payload`. */
async function workUntil(
  consumer: ConsumerClient<number>,
  count: number,
  handle: (name: string) => Promise<void> | void = () => undefined,
): Promise<readonly string[]> {
  const ending = new AbortController();
  const done: string[] = [];
  await consumer.run(
    async ({ payload, segment }) => {
      const name = `${segment}/${payload}`;
      await handle(name);
      done.push(name);
      if (done.length === count) ending.abort();
    },
    { ...run, abortSignal: ending.signal },
  );
  return done;
}

test("a consumer is made, changed, shown, listed, set back and removed, also when answers are lost", async () => {
  const store = newStore(way.url);
  const consumer = store.getConsumerClient("billing/eu");
  expect(await consumer.get()).toBeUndefined();
  way.plan = first({ kind: "reset", when: "after" });
  expect(await consumer.put({ ...rules, partitions: 2 })).toMatchObject({ name: "billing/eu", partitions: 2 });
  expect(await consumer.put({ ...rules, partitions: 2, paused: true })).toMatchObject({ paused: true, generation: 1 });
  expect((await store.listConsumers()).map(({ name, spaces }) => [name, spaces])).toEqual([["billing/eu", ["jobs"]]]);
  const state = await consumer.reset({ timestamp: 0 });
  expect(state).toMatchObject({ generation: 2 });
  expect(state.state.map(({ partition, lagMs, parked }) => [partition, lagMs, parked])).toEqual([
    [0, 0, 0],
    [1, 0, 0],
  ]);
  way.plan = first({ kind: "reset", when: "after" });
  await consumer.delete();
  await consumer.delete();
  await expect(consumer.run(() => undefined, run)).rejects.toMatchObject({ code: "not_found" });
});

test("a worker does all that there is, each segment in order, and the next one goes on behind it", async () => {
  const store = newStore();
  await write(store, 3, 20);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put(rules);
  const done = await workUntil(consumer, 60);
  for (const segment of ["job-1", "job-2", "job-3"]) {
    const own = done.filter((name) => name.startsWith(segment));
    expect(own).toEqual(Array.from({ length: 20 }, (_, at) => `${segment}/${at + 1}`));
  }
  await store.getSpaceClient("jobs").getSegmentClient("job-9").append({ payload: 1 });
  expect(await workUntil(consumer, 1)).toEqual(["job-9/1"]);
  const { state = [] } = (await consumer.get()) ?? {};
  expect(state.filter(({ holder }) => holder !== undefined)).toEqual([]);
  expect(state.map(({ lagMs }) => lagMs)).toEqual([0, 0, 0, 0]);
});

test("an entry that fails comes again, with what is behind it, and nothing before it does", async () => {
  const store = newStore();
  await write(store, 1, 5);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ ...rules, maxDeliveries: 5 });
  let failed = 0;
  const seen: string[] = [];
  const done = await workUntil(consumer, 5, (name) => {
    seen.push(name);
    if (name === "job-1/3" && (failed += 1) <= 2) throw new Error("The bank does not answer.");
  });
  expect(done).toEqual([1, 2, 3, 4, 5].map((payload) => `job-1/${payload}`));
  expect(seen.map((name) => name.at(-1)).join("")).toBe("1233345");
});

test("what fails for good is parked with its reason, and done when it is replayed", async () => {
  const store = newStore();
  await write(store, 2, 3);
  const consumer = store.getConsumerClient<number>("work", { codec: json(Number) });
  await consumer.put({ ...rules, maxDeliveries: 2 });
  const reason = "ü".repeat(1_000);
  const isBad = (name: string): void => {
    if (name === "job-2/2") throw new Error(reason);
  };
  const ending = new AbortController();
  const done: string[] = [];
  const working = consumer.run(
    ({ payload, segment }) => {
      isBad(`${segment}/${payload}`);
      done.push(`${segment}/${payload}`);
    },
    { ...run, abortSignal: ending.signal },
  );
  let parked: readonly Parked[] = [];
  await until("the segment is parked", async () => (parked = await all(consumer.listParked())).length === 1);
  await until("the others are done", () => done.length === 4);
  ending.abort();
  await working;
  expect(parked).toMatchObject([{ space: "jobs", segment: "job-2", sequence: 2, failures: 2 }]);
  expect(parked[0]?.reason).toBe("ü".repeat(512));
  expect(await consumer.replayParked({ ids: parked.map(({ id }) => id) })).toEqual({ changed: 1, more: false });
  expect(await workUntil(consumer, 2)).toEqual(["job-2/2", "job-2/3"]);
  expect(await consumer.dropParked({ all: true })).toEqual({ changed: 0, more: false });
});

test("a payload that the codec does not take fails alone, as the caller says", async () => {
  const store = newStore();
  await write(store, 1, 3);
  const parse = (value: unknown): number => {
    if (value === 2) throw new Error("No two.");
    return Number(value);
  };
  const consumer = store.getConsumerClient("work", { codec: json(parse) });
  await consumer.put(rules);
  const ending = new AbortController();
  const done: number[] = [];
  const codes: unknown[] = [];
  await consumer.run(
    ({ payload }) => {
      done.push(payload);
      if (payload === 3) ending.abort();
    },
    {
      ...run,
      abortSignal: ending.signal,
      onFailure: (error) => {
        codes.push((error as { readonly code?: unknown }).code);
        return { action: "skip" };
      },
    },
  );
  expect(done).toEqual([1, 3]);
  expect(codes).toEqual(["undecodable_payload"]);
});

test("work that takes longer than the lease is kept, and is ended before the run is", async () => {
  const store = newStore();
  await write(store, 1, 2);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ ...rules, partitions: 1 });
  const ending = new AbortController();
  const done: number[] = [];
  await consumer.run(
    async ({ payload }, { signal }) => {
      await sleep(3_500);
      expect(signal.aborted).toBe(false);
      done.push(payload);
      ending.abort();
    },
    { ...run, abortSignal: ending.signal },
  );
  expect(done).toEqual([1]);
  const [state] = (await consumer.get())?.state ?? [];
  expect(state).toMatchObject({ token: 1, outstanding: false });
  expect(await workUntil(consumer, 1)).toEqual(["job-1/2"]);
});

test("a worker that was lost is told, and another does what it left", async () => {
  const store = newStore();
  await write(store, 1, 2);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ ...rules, partitions: 1 });
  const ending = new AbortController();
  let wasTold: unknown;
  const slow = consumer.run(
    async (_, { signal }) => {
      await consumer.reset("start");
      await until("the partition is lost", () => signal.aborted);
      wasTold ??= signal.reason;
      ending.abort();
      throw new Error("Stopped.");
    },
    { ...run, abortSignal: ending.signal },
  );
  await slow;
  expect(wasTold).toMatchObject({ code: "lease_lost" });
  expect(await workUntil(consumer, 2)).toEqual(["job-1/1", "job-1/2"]);
});

test("several workers share the partitions, and concurrency bounds what one does at once", async () => {
  const store = newStore();
  await write(store, 12, 4);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ ...rules, partitions: 6 });
  const ending = new AbortController();
  const workers = new Set<number>();
  const done = new Set<string>();
  const work = async (worker: number): Promise<void> => {
    let atOnce = 0;
    await consumer.run(
      async ({ payload, segment }) => {
        atOnce += 1;
        expect(atOnce).toBeLessThanOrEqual(2);
        await sleep(20);
        atOnce -= 1;
        workers.add(worker);
        done.add(`${segment}/${payload}`);
        if (done.size === 48) ending.abort();
      },
      { ...run, concurrency: 2, maxEntries: 2, abortSignal: ending.signal },
    );
  };
  await Promise.all([work(1), work(2)]);
  expect(done.size).toBe(48);
});

test("a failure of what the caller gave ends the run, and what is held is given up", async () => {
  const store = newStore();
  await write(store, 1, 1);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ ...rules, leaseSeconds: 600 });
  const broken = consumer.run(() => Promise.reject(new Error("Failed.")), {
    ...run,
    onFailure: () => {
      throw new Error("As planned.");
    },
  });
  await expect(broken).rejects.toThrow("As planned.");
  expect(await workUntil(consumer, 1)).toEqual(["job-1/1"]);
});

test("answers that are lost cost nothing but time", async () => {
  const store = newStore(way.url);
  await write(store, 4, 10);
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put(rules);
  let calls = 0;
  way.plan = ({ method }) => {
    calls += method === "POST" ? 1 : 0;
    return method === "POST" && calls % 3 === 0 ? { kind: "reset", when: "after" } : { kind: "pass" };
  };
  const done = await workUntil(consumer, 40);
  way.plan = () => ({ kind: "pass" });
  expect(new Set(done).size).toBe(40);
  expect(calls).toBeGreaterThan(3);
});
