// What must not compile. The compiler is the judge: each line below that it takes for right is an error of `npm run
// types`.

import { expect, test } from "vitest";
import { json, StreamkitClient, text } from "streamkit-client";

interface OrderEvent {
  readonly type: "placed" | "shipped";
}

/** Never called: only its types matter. */
export async function wrongUses(): Promise<void> {
  const store = new StreamkitClient("http://127.0.0.1:7071", { key: "k" }).getStoreClient("id");
  const orders = store.getSpaceClient<OrderEvent>("orders");
  const order = orders.getSegmentClient("order-1");
  // @ts-expect-error -- no event of that type
  await order.append({ payload: { type: "lost" } });
  // @ts-expect-error -- a record has its payload in a member
  await order.append({ type: "placed" });
  // @ts-expect-error -- metadata are strings
  await order.append({ payload: { type: "placed" }, metadata: { count: 1 } });
  // @ts-expect-error -- an end is a number, none or any
  await order.append({ payload: { type: "placed" } }, { expected: "first" });
  // @ts-expect-error -- a segment is read by sequence
  order.read({ offset: "" });
  // @ts-expect-error -- a space is read by offset
  orders.read({ from: 1 });
  // @ts-expect-error -- a segment has no other segments' names
  order.read({ prefix: "order-" });
  // @ts-expect-error -- only a segment may be behind its space
  orders.read({ min: "" });
  // @ts-expect-error -- several spaces are named
  store.read({ limit: 1 });
  // @ts-expect-error -- one of the two
  await orders.trim({ beforeTimestamp: 1, upToOffset: "" });
  // @ts-expect-error -- a policy has a bound
  await orders.retention.put({});
  // @ts-expect-error -- a deletion is confirmed by the name
  await orders.delete({ graceInSeconds: 60 });
  // @ts-expect-error -- so is that of a store
  await store.delete();
  // @ts-expect-error -- a label is text, or undefined
  await store.setLabel(null);
  // @ts-expect-error -- a lease proves itself by its token
  await order.append({ payload: { type: "placed" } }, { lease: { key: "k" } });
  // @ts-expect-error -- the codec says what payloads are
  await orders.getSegmentClient("t", { codec: text() }).append({ payload: 1 });
  // @ts-expect-error -- what is read cannot be changed
  for await (const entry of order.read()) entry.payload.type = "shipped";
  // @ts-expect-error -- a producer of a space is told the segment
  await orders.createProducer().send({ payload: { type: "placed" } });
  // @ts-expect-error -- a client is made by the one above it
  new StreamkitClient();
}

test("the payload's type is that of the codec, from the space to the entry", () => {
  const store = new StreamkitClient("http://127.0.0.1:7071").getStoreClient("id");
  const numbers = store.getSpaceClient("numbers", { codec: json((value) => Number(value)) });
  const half = async (): Promise<number | undefined> => {
    for await (const { payload } of numbers.getSegmentClient("a").read()) return payload / 2;
    return undefined;
  };
  expect(half).toBeTypeOf("function");
  expect(numbers.spaceName).toBe("numbers");
});
