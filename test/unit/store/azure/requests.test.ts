// What calls cost: requests, and how many of them wait for one another. These are the product's speed and its bill.

import { expect, test } from "vitest";

import type { AppendRecord } from "../../../../src/core/entry.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../../../src/core/ids.ts";
import type { AzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import type { ProduceOptions, Store } from "../../../../src/store/store.ts";
import { CountedDeployment } from "./round-trips.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const transactionId = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
const record: AppendRecord = { payload: Buffer.from("placed"), metadata: noMetadata };
const minuteMs = 60_000;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function produce(store: Store, space: string, segment: string, options: ProduceOptions = {}, count = 1) {
  const records = Array.from({ length: count }, () => record);
  return all(store.produce(parseSpaceName(space), parseSegmentName(segment), records, options));
}

/**
 * A deployment whose tables exist, and whose space `orders` has a segment `a`, at rest; the instance has just asked
 * whether the store is there.
 */
async function deployed(): Promise<{ deployment: CountedDeployment; factory: AzureStoreFactory; store: Store }> {
  const deployment = new CountedDeployment();
  const factory = deployment.start();
  const store = factory.open(storeId);
  await deployment.cost(() => produce(store, "orders", "a"));
  await deployment.clock.pass(minuteMs);
  await deployment.cost(() => all(store.getSpaces()));
  return { deployment, factory, store };
}

test("a warm produce is two requests, whatever the number of records", async () => {
  const { deployment, store } = await deployed();
  for (const count of [1, 10, 100, 1_000]) {
    const cost = await deployment.cost(() => produce(store, "orders", "a", {}, count));
    expect(cost).toEqual({ requests: 2, roundTrips: 2 });
  }
});

test("a warm produce that is acknowledged when committed takes one round trip", async () => {
  const { deployment, store } = await deployed();
  const cost = await deployment.cost(() => produce(store, "orders", "a", { ack: "committed" }));
  expect(cost.roundTrips).toBe(1);
});

test("a produce with an id of its own costs the read of what the id was used for", async () => {
  const { deployment } = await deployed();
  const store = deployment.start().open(storeId);
  await deployment.cost(() => produce(store, "orders", "a"));
  expect(await deployment.cost(() => produce(store, "orders", "a", { transactionId }))).toEqual({
    requests: 3,
    roundTrips: 3,
  });
});

test("it costs no more where the segment is known from its beginning", async () => {
  const { deployment, store } = await deployed();
  expect(await deployment.cost(() => produce(store, "orders", "a", { transactionId }))).toEqual({
    requests: 2,
    roundTrips: 2,
  });
});

test("a new segment costs the read that finds it new, and its name beside the apply", async () => {
  const { deployment, store } = await deployed();
  expect(await deployment.cost(() => produce(store, "orders", "b"))).toEqual({ requests: 4, roundTrips: 3 });
});

test("the read of a new segment rides on a commit in flight", async () => {
  const { deployment, store } = await deployed();
  let another: Promise<unknown> | undefined;
  const cost = await deployment.cost(async () => {
    const first = produce(store, "orders", "a");
    another = deployment.cost(() => produce(store, "orders", "b"));
    await first;
  });
  // The second waits for the first commit, and for nothing else before its own.
  expect(cost.roundTrips).toBe(2);
  expect(await another).toMatchObject({ roundTrips: 3 });
});

test("produces that come together share one commit, and one apply for each segment", async () => {
  const { deployment, store } = await deployed();
  const together = (segments: readonly string[]) =>
    deployment.cost(() => Promise.all(segments.map((segment) => produce(store, "orders", segment))));
  expect(await together(Array.from({ length: 32 }, () => "a"))).toEqual({ requests: 2, roundTrips: 2 });
  const different = Array.from({ length: 32 }, (_, index) => `s${index}`);
  await together(different);
  expect(await together(different)).toEqual({ requests: 33, roundTrips: 2 });
});

test("a process that has done nothing yet reads the log and the segment, commits and applies, and beside it asks for the store", async () => {
  const { deployment } = await deployed();
  const cold = deployment.start().open(storeId);
  expect(await deployment.cost(() => produce(cold, "orders", "a"))).toEqual({ requests: 5, roundTrips: 4 });
});

test("a process that has done nothing yet opens a new space with seven requests, four in a row", async () => {
  const { deployment } = await deployed();
  const cold = deployment.start().open(storeId);
  expect(await deployment.cost(() => produce(cold, "invoices", "a"))).toEqual({ requests: 7, roundTrips: 4 });
});

test("the first produce of a store adds the creation of its table, asked before and after, the first of all that of the registry", async () => {
  const { deployment, factory } = await deployed();
  const other = factory.open(parseStoreId("ffeeddcc-bbaa-9988-7766-554433221100"));
  expect(await deployment.cost(() => produce(other, "orders", "a"))).toEqual({ requests: 11, roundTrips: 8 });
  const untouched = new CountedDeployment();
  const first = untouched.start().open(storeId);
  expect(await untouched.cost(() => produce(first, "orders", "a"))).toEqual({ requests: 13, roundTrips: 10 });
});

test("a log that another instance has moved costs one refused commit and what came since", async () => {
  const { deployment, store } = await deployed();
  const other = deployment.start().open(storeId);
  await deployment.cost(() => produce(other, "orders", "a"));
  await deployment.cost(() => all(store.getSpaces()));
  // The head that the other moved is read beside the second commit.
  expect(await deployment.cost(() => produce(store, "orders", "a"))).toEqual({ requests: 6, roundTrips: 4 });
});

test("a log that the monitor has closed is registered again before the next commit", async () => {
  const { deployment, factory, store } = await deployed();
  await deployment.clock.pass(11 * minuteMs);
  const closing = await deployment.cost(() => factory.recover({ deadlineMs: minuteMs }));
  expect(closing.requests).toBe(6);
  expect(await deployment.cost(() => produce(store, "orders", "a"))).toEqual({ requests: 6, roundTrips: 5 });
});

test("a cold process registers a closed log beside reading the segment", async () => {
  const { deployment, factory } = await deployed();
  await deployment.clock.pass(11 * minuteMs);
  await deployment.cost(() => factory.recover({ deadlineMs: minuteMs }));
  const cold = deployment.start().open(storeId);
  expect(await deployment.cost(() => produce(cold, "orders", "a"))).toEqual({ requests: 6, roundTrips: 4 });
});

test("a duplicate costs nothing where it was committed, and two reads beside the log elsewhere", async () => {
  const { deployment, store } = await deployed();
  await deployment.cost(() => produce(store, "orders", "a", { transactionId }));
  await deployment.clock.pass(minuteMs);
  await deployment.cost(() => all(store.getSpaces()));
  const again = await deployment.cost(() => produce(store, "orders", "a", { transactionId }));
  expect(again).toEqual({ requests: 0, roundTrips: 0 });
  const cold = deployment.start().open(storeId);
  const elsewhere = await deployment.cost(() => produce(cold, "orders", "a", { transactionId }));
  expect(elsewhere).toEqual({ requests: 4, roundTrips: 2 });
});

test("peek and status are one request each", async () => {
  const { deployment, store } = await deployed();
  const [space, segment] = [parseSpaceName("orders"), parseSegmentName("a")];
  const one = { requests: 1, roundTrips: 1 };
  expect(await deployment.cost(() => store.peek(space, segment))).toEqual(one);
  expect(await deployment.cost(async () => store.getSegmentStatus?.(space, segment))).toEqual(one);
});

test("consuming is one request a page, of a segment and of a space", async () => {
  const { deployment, store } = await deployed();
  const [space, segment] = [parseSpaceName("orders"), parseSegmentName("a")];
  for (let index = 0; index < 20; index += 1) await deployment.cost(() => produce(store, "orders", "a", {}, 50));
  const one = { requests: 1, roundTrips: 1 };
  expect(await deployment.cost(() => all(store.consumeSegment(space, segment)))).toEqual(one);
  expect(await deployment.cost(() => all(store.consumeSpace(space)))).toEqual(one);
});

test("the next commit writes off what is done, or a request of its own when none comes", async () => {
  const { deployment, store } = await deployed();
  for (let index = 0; index < 10; index += 1) {
    expect((await deployment.cost(() => produce(store, "orders", "a"))).requests).toBe(2);
  }
  expect(await deployment.requestsWithin(minuteMs)).toBe(1);
});

test("whether the store is there is asked once in four seconds at the most, whatever is called, and nobody waits for it", async () => {
  const { deployment, store } = await deployed();
  const [space, segment] = [parseSpaceName("orders"), parseSegmentName("a")];
  let asked = 0;
  for (let second = 0; second < 60; second += 1) {
    for (let call = 0; call < 5; call += 1) {
      const cost = await deployment.cost(() => produce(store, "orders", "a"));
      expect(cost.roundTrips).toBe(2);
      asked += cost.requests - 2;
      asked += (await deployment.cost(() => store.peek(space, segment))).requests - 1;
    }
    // Beside it what is done is written off.
    asked += (await deployment.requestsWithin(1_000)) - 1;
  }
  expect(asked).toBeGreaterThanOrEqual(12);
  // Of 69 seconds.
  expect(asked).toBeLessThanOrEqual(17);
});

test("an idle instance makes no requests", async () => {
  const { deployment } = await deployed();
  expect(await deployment.requestsWithin(60 * minuteMs)).toBe(0);
});

test("the monitor asks once, once for each store of open logs, and once more for each; a log at rest costs nothing", async () => {
  const { deployment, factory, store } = await deployed();
  const visit = () => deployment.cost(() => factory.recover({ deadlineMs: minuteMs }));
  // The head of each log, and how far it is compacted.
  expect((await visit()).requests).toBe(3);
  for (const space of ["b", "c"]) await deployment.cost(() => produce(store, space, "a"));
  await deployment.clock.pass(minuteMs);
  expect((await visit()).requests).toBe(8);
  await deployment.clock.pass(11 * minuteMs);
  await visit();
  expect((await visit()).requests).toBe(1);
});

test("the segments that an instance remembers are bounded over all its spaces; the longest unused is read again", async () => {
  const deployment = new CountedDeployment();
  const store = deployment.start({ segmentCacheMax: 256 }).open(storeId);
  for (let index = 0; index < 300; index += 1) {
    await deployment.cost(() => produce(store, `space-${index % 10}`, `s${index}`));
  }
  expect(await deployment.cost(() => produce(store, "space-9", "s299"))).toEqual({ requests: 2, roundTrips: 2 });
  expect(await deployment.cost(() => produce(store, "space-0", "s0"))).toEqual({ requests: 3, roundTrips: 3 });
});
