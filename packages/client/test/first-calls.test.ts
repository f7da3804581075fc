// What a newcomer does first, against the app as it is deployed.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytes, isStreamkitError, json, StreamkitClient, text } from "streamkit-client";
import type { EntryFilter, SpaceClient } from "streamkit-client";
import { startApp } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";

interface OrderEvent {
  readonly item: string;
}

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const space = (name = "orders"): SpaceClient<OrderEvent> =>
  new StreamkitClient(app.url).getStoreClient(randomUUID()).getSpaceClient<OrderEvent>(name);

const order = (item: string) => ({ payload: { item } });

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

test("what is appended is read, in order, with its place", async () => {
  const segment = space().getSegmentClient("order-1");
  const first = await segment.append({ payload: { item: "book" }, metadata: { source: "web" } });
  const second = await segment.append([order("pen"), order("lamp")]);
  expect(first).toMatchObject({ firstSequence: 1, lastSequence: 1, duplicate: false });
  expect(second).toMatchObject({ firstSequence: 2, lastSequence: 3, status: { lastSequence: 3 } });
  const entries = await all(segment.read());
  expect(entries.map(({ sequence, payload }) => [sequence, payload.item])).toEqual([
    [1, "book"],
    [2, "pen"],
    [3, "lamp"],
  ]);
  expect(entries[0]).toMatchObject({ metadata: { source: "web" }, space: "orders", segment: "order-1" });
  expect(entries[2]?.offset).toBe(second.offset);
  expect(await segment.getLastEntry()).toMatchObject({ sequence: 3, payload: { item: "lamp" } });
  expect(await segment.getStatus()).toMatchObject({ firstSequence: 1, lastSequence: 3 });
});

test("an append that expects another end is refused, and says who was there first", async () => {
  const segment = space().getSegmentClient("order-1");
  await segment.append(order("book"), { expected: "none" });
  const winner = await segment.append(order("pen"), { expected: 1 });
  const refused = await segment.append(order("lamp"), { expected: 1 }).catch((error: unknown) => error);
  expect(isStreamkitError(refused, "sequence_mismatch")).toBe(true);
  expect(refused).toMatchObject({
    statusCode: 409,
    effect: "none",
    details: { lastSequence: 2, winner: winner.transactionId },
  });
  await expect(segment.append(order("lamp"), { expected: "none" })).rejects.toMatchObject({
    code: "sequence_mismatch",
  });
});

test("a transaction writes to all its segments, or to none", async () => {
  const accounts = space("accounts");
  const [alice, bob] = await accounts.transact([
    { segment: "alice", records: [order("-10")], expected: "none" },
    { segment: "bob", records: [order("10")] },
  ]);
  expect([alice?.status.segment, bob?.status.segment]).toEqual(["alice", "bob"]);
  const again = accounts.transact([
    { segment: "bob", records: [order("5")] },
    { segment: "alice", records: [order("-5")], expected: "none" },
  ]);
  await expect(again).rejects.toMatchObject({ code: "sequence_mismatch", details: { segment: "alice" } });
  expect((await all(accounts.read())).map(({ payload }) => payload.item)).toEqual(["-10", "10"]);
});

test("a reader of a space goes on from the offset of the entry it kept", async () => {
  const orders = space();
  for (const name of ["a", "b", "c"]) await orders.getSegmentClient(name).append([order("1"), order("2")]);
  const [first, second, third, ...rest] = await all(orders.read());
  expect(await all(orders.read({ offset: third!.offset }))).toEqual(rest);
  expect(await all(orders.read({ limit: 2 }))).toEqual([first, second]);
  expect(await all(orders.read({ last: 3 }))).toEqual(rest);
  expect(await all(orders.read({ offset: "end" }))).toEqual([]);
});

test("pages go on by their tokens", async () => {
  const segment = space().getSegmentClient("order-1");
  await segment.append(Array.from({ length: 5 }, (_, index) => order(String(index))));
  const sizes: number[] = [];
  let token: string | undefined;
  for await (const page of segment.read().byPage({ maxPageSize: 2 })) {
    sizes.push(page.entries.length);
    token ??= page.continuationToken;
  }
  expect(sizes).toEqual([2, 2, 1]);
  const later: number[] = [];
  for await (const page of segment.read().byPage({ continuationToken: token, maxPageSize: 2 }))
    later.push(...page.entries.map(({ sequence }) => sequence));
  expect(later).toEqual([3, 4, 5]);
});

test("a follower hands out what there is, says when it has, then what comes, and ends by its signal", async () => {
  const orders = space();
  const segment = orders.getSegmentClient("order-1");
  await segment.append([order("1"), order("2")]);
  const ending = new AbortController();
  const follower = orders.follow({ abortSignal: ending.signal });
  const seen: string[] = [];
  const caughtUp = follower.caughtUp().then(() => {
    seen.push("caught up");
    return segment.append(order("3"));
  });
  for await (const { payload } of follower) {
    seen.push(payload.item);
    if (payload.item === "3") ending.abort();
  }
  await caughtUp;
  expect(seen).toEqual(["1", "2", "caught up", "3"]);
});

test("a follower whose bounds are reached ends by itself", async () => {
  const segment = space().getSegmentClient("order-1");
  await segment.append([order("1"), order("2"), order("3")]);
  expect((await all(segment.follow({ to: 2 }))).map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect((await all(segment.follow({ limit: 1 }))).map(({ sequence }) => sequence)).toEqual([1]);
});

test("several spaces are read as one, each from its own place", async () => {
  const store = new StreamkitClient(app.url).getStoreClient(randomUUID());
  const [orders, payments] = [store.getSpaceClient("orders"), store.getSpaceClient("payments")];
  const { offset } = await orders.getSegmentClient("1").append(order("old"));
  await payments.getSegmentClient("1").append(order("paid"));
  await orders.getSegmentClient("1").append(order("new"));
  const entries = await all(store.read<OrderEvent>({ offsets: { orders: offset, payments: "" } }));
  expect(entries.map(({ space: name, payload }) => [name, payload.item])).toEqual([
    ["payments", "paid"],
    ["orders", "new"],
  ]);
});

const kinds = ["placed", "paid", "shipped"];

test("a filter lets through the segments and the metadata that it names, live as well, and limits count those", async () => {
  const store = new StreamkitClient(app.url).getStoreClient(randomUUID());
  const orders = store.getSpaceClient<OrderEvent>("orders");
  for (const name of ["a/1", "a/2", "b"]) {
    const records = kinds.map((kind) => ({ ...order(`${name} ${kind}`), metadata: { kind, "the day": "mon:day" } }));
    await orders.getSegmentClient(name).append(records);
  }
  const items = (entries: readonly { readonly payload: OrderEvent }[]) => entries.map(({ payload }) => payload.item);
  expect(items(await all(orders.read({ prefix: "a/", where: { kind: "paid" } })))).toEqual(["a/1 paid", "a/2 paid"]);
  expect(
    items(await all(orders.read({ prefix: ["a/2", "b"], where: { kind: ["paid", "placed"] }, limit: 3 }))),
  ).toEqual(["a/2 placed", "a/2 paid", "b placed"]);
  expect(items(await all(orders.read({ where: { kind: "paid", "the day": "mon:day" } })))).toHaveLength(3);
  expect(await all(orders.read({ where: { kind: "paid", "the day": "mon" } }))).toEqual([]);
  const offsets = { orders: "", refunds: "" };
  expect(items(await all(store.read<OrderEvent>({ offsets, prefix: "b", where: { kind: "shipped" } })))).toEqual([
    "b shipped",
  ]);
  await using follower = orders.follow({ prefix: "a/", where: { kind: "paid" } });
  const hidden = follower.caughtUp().then(async () => {
    const paid = { metadata: { kind: "paid" } };
    await orders.getSegmentClient("b").append({ ...order("b paid again"), ...paid });
    await orders.getSegmentClient("a/1").append([order("of no kind"), { ...order("a/1 paid again"), ...paid }]);
  });
  const followed: string[] = [];
  for await (const { payload } of follower) if (followed.push(payload.item) === 3) break;
  await hidden;
  expect(followed).toEqual(["a/1 paid", "a/2 paid", "a/1 paid again"]);
});

test("a filter that would be taken for another, or for none, is refused", () => {
  const orders = space();
  const read = (filter: EntryFilter) => all(orders.read(filter));
  const message = { code: "invalid_argument", message: expect.stringMatching(/^(prefix|where)/) as string };
  return Promise.all(
    [{ prefix: [] }, { where: { kind: [] } }, { where: { "a:b": "c" } }].map((filter) =>
      expect(read(filter)).rejects.toMatchObject(message),
    ),
  );
});

test("what was written with ack=committed is read with its offset as min, however it is asked for", async () => {
  const segment = space().getSegmentClient("order-1");
  for (let count = 1; count <= 10; count += 1) {
    const { offset: min } = await segment.append(order("book"), { ack: "committed" });
    const shown = [
      (await all(segment.read({ min }))).length,
      (await segment.getLastEntry({ min }))?.sequence,
      (await segment.getStatus({ min })).lastSequence,
    ];
    expect(shown).toEqual([count, count, count]);
    for await (const { sequence } of segment.follow({ min, from: count })) {
      expect(sequence).toBe(count);
      break;
    }
  }
  await expect(segment.getStatus({ min: "of no space" })).rejects.toMatchObject({ details: { field: "min" } });
});

test("names are listed, whatever they contain", async () => {
  const store = new StreamkitClient(app.url).getStoreClient(randomUUID());
  const segment = store.getSpaceClient("a/b c").getSegmentClient("ä?#&=+/;");
  await segment.append({ payload: 1 });
  expect(await all(store.listSpaces())).toEqual(["a/b c"]);
  expect(await all(store.getSpaceClient("a/b c").listSegments())).toEqual(["ä?#&=+/;"]);
  expect((await all(segment.read())).map(({ payload }) => payload)).toEqual([1]);
});

test("payloads are what the codec makes of them", async () => {
  const orders = space();
  const texts = orders.getSegmentClient("texts", { codec: text() });
  await texts.append([{ payload: "ä\n" }, { payload: "" }]);
  expect((await all(texts.read())).map(({ payload }) => payload)).toEqual(["ä\n", ""]);
  const blobs = orders.getSegmentClient("blobs", { codec: bytes() });
  await blobs.append({ payload: Uint8Array.of(0, 255, 128) });
  expect((await all(blobs.read())).map(({ payload }) => [...payload])).toEqual([[0, 255, 128]]);
  const strict = json((value) => {
    if (typeof value === "number") return value;
    throw new Error("Not a number.");
  });
  const numbers = orders.getSegmentClient("texts", { codec: strict });
  await expect(all(numbers.read())).rejects.toMatchObject({
    code: "undecodable_payload",
    details: { space: "orders", segment: "texts", sequence: 1 },
  });
});

test("the service tells its health", async () => {
  expect(await new StreamkitClient(app.url).getHealth({ deep: true })).toMatchObject({ status: "ok", storage: "ok" });
});
