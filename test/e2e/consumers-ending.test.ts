// Consumers of data that ends: spaces and stores that are deleted and restored, and parked entries that are trimmed.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { ConsumerClient, Fetched, Parked, StoreClient } from "streamkit-client";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp({ env: { STREAMKIT_MANAGE: "true" } });
});
afterAll(() => app.stop());

const newStore = (): StoreClient => new StreamkitClient(app.url).getStoreClient(randomUUID());
const write = (store: StoreClient, space: string, segment: string, ...payloads: readonly number[]) =>
  store
    .getSpaceClient<number>(space)
    .getSegmentClient(segment)
    .append(payloads.map((payload) => ({ payload })));

async function manage(method: "DELETE" | "POST", path: string): Promise<void> {
  const { ok, status } = await fetch(`${app.url}/v1/stores/${path}`, { method });
  expect(ok, `${method} ${path}: ${status}`).toBe(true);
}

async function consumerOf(store: StoreClient, ...spaces: readonly string[]): Promise<ConsumerClient<number>> {
  const consumer = store.getConsumerClient<number>("work");
  await consumer.put({ spaces, from: "start", partitions: 1, backoffSeconds: [0] });
  return consumer;
}

/** What a worker gets next; all of it is acknowledged, and the partition given up. */
async function next(consumer: ConsumerClient<number>, maxEntries = 100): Promise<readonly number[]> {
  const fetched = await consumer.fetch("worker", { maxEntries, waitInSeconds: 1 });
  for (const { claim, entries } of fetched.deliveries) {
    await consumer.ack(claim, { offset: entries.at(-1)?.offset, release: true });
  }
  return payloads(fetched);
}

const payloads = ({ deliveries }: Fetched<number>): readonly number[] =>
  deliveries.flatMap(({ entries }) => entries.map((entry) => entry.decoded().payload));

async function park(consumer: ConsumerClient<number>): Promise<void> {
  const { deliveries } = await consumer.fetch("worker", { maxEntries: 1 });
  for (const { claim, entries } of deliveries) {
    const [first] = entries;
    if (first === undefined) continue;
    const answer = await consumer.nack(claim, { offset: first.offset, action: "park", reason: "Not now." });
    await consumer.ack(answer.claim ?? claim, { release: true });
  }
}

async function parked(consumer: ConsumerClient<number>): Promise<readonly Parked[]> {
  const list: Parked[] = [];
  for await (const one of consumer.listParked()) list.push(one);
  return list;
}

test("a consumer stands still while its space is deleted, and goes on where it was when that is restored", async () => {
  const store = newStore();
  await write(store, "orders", "a", 1, 2, 3);
  await write(store, "orders", "b", 4);
  const consumer = await consumerOf(store, "orders");
  expect(await next(consumer, 2)).toEqual([1, 2]);
  await park(consumer);
  await manage("DELETE", `${store.storeId}/spaces/orders?confirm=orders`);
  await expect(consumer.fetch("worker")).rejects.toMatchObject({ code: "deleted", statusCode: 410 });
  await expect(consumer.get()).rejects.toMatchObject({ code: "deleted" });
  await manage("POST", `${store.storeId}/spaces/orders/restore`);
  expect(await parked(consumer)).toMatchObject([{ segment: "a", sequence: 3, reason: "Not now." }]);
  expect(await next(consumer)).toEqual([4]);
  await consumer.replayParked({ all: true });
  expect(await next(consumer)).toEqual([3]);
});

test("a consumer of several spaces goes on with the others, and has what it missed when one is restored", async () => {
  const store = newStore();
  await write(store, "orders", "a", 1, 2);
  await write(store, "bills", "a", 3);
  const consumer = await consumerOf(store, "orders", "bills");
  expect(await next(consumer, 1)).toEqual([1]);
  await manage("DELETE", `${store.storeId}/spaces/orders?confirm=orders`);
  await write(store, "bills", "b", 4);
  expect(await next(consumer)).toEqual([3, 4]);
  expect(await next(consumer)).toEqual([]);
  expect(await consumer.get()).toMatchObject({ state: [{ lagMs: 0 }] });
  await manage("DELETE", `${store.storeId}/spaces/bills?confirm=bills`);
  await expect(consumer.fetch("worker", { waitInSeconds: 1 })).rejects.toMatchObject({ code: "deleted" });
  await manage("POST", `${store.storeId}/spaces/bills/restore`);
  await manage("POST", `${store.storeId}/spaces/orders/restore`);
  expect(await next(consumer)).toEqual([2]);
});

test("consumers go with their store, and come back with it as they were", async () => {
  const store = newStore();
  await write(store, "orders", "a", 1, 2);
  const consumer = await consumerOf(store, "orders");
  expect(await next(consumer, 1)).toEqual([1]);
  await manage("DELETE", `${store.storeId}?confirm=${store.storeId}`);
  const refused = { code: "deleted", statusCode: 410 };
  await expect(consumer.fetch("worker")).rejects.toMatchObject(refused);
  await expect(consumer.get()).rejects.toMatchObject(refused);
  await expect(store.listConsumers()).rejects.toMatchObject(refused);
  await expect(consumer.put({ spaces: ["orders"] })).rejects.toMatchObject(refused);
  await manage("POST", `${store.storeId}/restore`);
  expect(await next(consumer)).toEqual([2]);
});

test("a parked entry that is trimmed is told as gone, and a replay of it delivers what is left", async () => {
  const store = newStore();
  await write(store, "orders", "a", 1, 2);
  const consumer = await consumerOf(store, "orders");
  await park(consumer);
  expect(await next(consumer)).toEqual([]);
  const segment = store.getSpaceClient("orders").getSegmentClient("a");
  await segment.trim(2);
  expect(await parked(consumer)).toMatchObject([{ segment: "a", sequence: 2 }]);
  await segment.trim(3);
  expect(await parked(consumer)).toMatchObject([{ segment: "a", gone: true }]);
  await consumer.replayParked({ all: true });
  expect(await next(consumer)).toEqual([]);
  expect(await parked(consumer)).toEqual([]);
  await write(store, "orders", "a", 3);
  expect(await next(consumer)).toEqual([3]);
});
