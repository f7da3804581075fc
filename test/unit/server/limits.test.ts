// What a request may cost: its own caller much, others little, the process never more than stated.

import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { afterEach, expect, test } from "vitest";

import { emptyStatus } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import { Budget } from "../../../src/server/overload.ts";
import type { Caller } from "../../../src/server/overload.ts";
import type { Store } from "../../../src/store/store.ts";
import { wireLimits } from "../../../src/wire/wire-limits.ts";
import { openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function start(...changes: Parameters<typeof openService>): Promise<Service> {
  const service = await openService(...changes);
  open.push(service);
  return service;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const records = (store: string) => segmentPath(store, "s", "g", "/records?encoding=text");

/** A body that is made as it is read; `taken` counts. */
function body(pieces: number, bytes: number): { readonly stream: ReadableStream; readonly taken: () => number } {
  let taken = 0;
  const stream = ReadableStream.from(
    (function* () {
      for (; taken < pieces; taken += 1) yield Buffer.alloc(bytes, " ");
    })(),
  );
  return { stream, taken: () => taken };
}

/** A record of one line, as long as the piece. */
function endLine(piece: Uint8Array): Uint8Array {
  return Buffer.from(`${'{"payload":"'.padEnd(piece.byteLength - 3, "x")}"}\n`);
}

test("blank lines beyond all reason are refused before they cost much", async () => {
  const service = await start();
  const startedAt = performance.now();
  const answer = await service.call("POST", records(randomUUID()), {
    body: " \n".repeat(10_000_000),
    headers: { "content-type": "application/x-ndjson" },
  });
  expect(answer.json).toMatchObject({ status: 400, field: "line 100001" });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("a record of 768 KiB is taken, one byte more is refused by its place and size", async () => {
  const service = await start();
  const store = randomUUID();
  const send = (bytes: number) =>
    service.call("POST", records(store), {
      body: JSON.stringify({ records: [{ payload: "" }, { payload: "x".repeat(bytes) }] }),
      headers: { "content-type": "application/json" },
    });
  const refused = await send(limits.recordBytesMax + 1);
  expect(refused.json).toMatchObject({ status: 413, code: "record_too_large", limit: limits.recordBytesMax });
  expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({ lastSequence: 0 });
  expect((await send(limits.recordBytesMax)).status).toBe(200);
});

test.each(["application/json", "application/x-ndjson"])(
  "a body of %s above 100 MB is refused as soon as that is known, announced or not",
  async (type) => {
    const service = await start();
    const headers = { "content-type": type };
    const path = records(randomUUID());
    const announced = await service.call("POST", path, {
      body: "",
      headers: { ...headers, "content-length": String(limits.requestBytesMax + 1) },
    });
    expect(announced.json).toMatchObject({ status: 413, code: "request_too_large", limit: limits.requestBytesMax });
    const { stream, taken } = body(20_000, 8 * 1024);
    const lines = stream.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({ transform: (piece, to) => to.enqueue(endLine(piece)) }),
    );
    const streamed = await service.call("POST", `${path}&ack=committed`, { body: lines, headers });
    expect(streamed.json).toMatchObject({ status: 413, code: "request_too_large" });
    expect(taken()).toBeLessThan(13_000);
    expect(service.services.bodies.used).toBe(0);
  },
);

test.each([
  ["POST", "consume", wireLimits.controlBodyBytesMax],
  ["PUT", "leases/k", wireLimits.controlBodyBytesMax],
  ["PUT", "subscriptions/i", wireLimits.controlBodyBytesMax],
  ["POST", "spaces/s/transactions", wireLimits.transactionBodyBytesMax],
])("%s %s reads no more than such a body may have, and says how much that is", async (method, rest, limit) => {
  const service = await start();
  const headers = { "content-type": "application/json" };
  const path = `/v1/stores/${randomUUID()}/${rest}`;
  const announced = await service.call(method, path, {
    body: "",
    headers: { ...headers, "content-length": String(limit + 1) },
  });
  expect(announced.json).toMatchObject({ status: 413, code: "request_too_large", limit, size: limit + 1 });
  let held = 0;
  class Seen extends Budget {
    override count(caller: Caller, amount: number): void {
      super.count(caller, amount);
      held = Math.max(held, this.used);
    }
  }
  const { stream, taken } = body(300, 64 * 1024);
  const streamed = await (
    await start({ bodies: new Seen("bodies", limits.requestBytesMax) })
  ).call(method, path, { body: stream, headers });
  expect(streamed.json).toMatchObject({ status: 413, code: "request_too_large", limit });
  expect(held).toBeLessThanOrEqual(limit);
  // The rest is read and dropped, so that the answer can leave.
  while (taken() < 300) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a body that alone is more than an instance holds is too large, not a reason to come back", async () => {
  const service = await start({ bodies: new Budget("bodies", 1_000) });
  const answer = await service.call("POST", records(randomUUID()), {
    body: JSON.stringify({ records: [{ payload: "y".repeat(1_000) }] }),
    headers: { "content-type": "application/json" },
  });
  expect(answer.json).toMatchObject({ status: 413, code: "request_too_large", limit: 1_000, retryable: false });
});

test("records of a transaction are not looked at beyond those that one may have", async () => {
  const service = await start();
  const path = `/v1/stores/${randomUUID()}/spaces/s/transactions?encoding=json`;
  const some = (count: number): string => '{"payload":1},'.repeat(count);
  const answer = await service.call("POST", path, {
    body: `{"segments":[{"segment":"a","records":[${some(600)}{"payload":1}]},{"segment":"b","records":[${some(600)}nonsense]}]}`,
    headers: { "content-type": "application/json" },
  });
  expect(answer.json).toMatchObject({ status: 413, code: "request_too_large", limit: 1_000, unit: "records" });
});

test("bodies held by all requests together are bounded: the one too many comes back later, the others go on", async () => {
  const service = await start({ bodies: new Budget("bodies", 1_000) });
  const store = randomUUID();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const headers = { "content-type": "application/json" };
  const slow = service.call("POST", records(store), { body: readable, headers });
  await writer.write(Buffer.from(`{"records":[{"payload":"${"x".repeat(800)}"`));
  const second = await service.call("POST", records(store), {
    body: JSON.stringify({ records: [{ payload: "y".repeat(400) }] }),
    headers,
  });
  expect(second).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  expect(second.json).toMatchObject({ code: "overloaded", effect: "none", retryable: true });
  await writer.write(Buffer.from("}]}"));
  await writer.close();
  expect((await slow).status).toBe(200);
  expect(service.services.bodies.used).toBe(0);
});

test.each([
  ["a payload that is none", '{"payload":1}', "records[2500].payload"],
  ["a sequence where the others have none", '{"payload":"","sequence":2501}', "records[2500].sequence"],
  ["metadata that are no Unicode", '{"payload":"","metadata":{"k":"\\ud800"}}', "records[2500].metadata"],
  ["no end", '{"payload":', "records[2500]"],
])("nothing is written of a JSON body that is wrong after its first chunks: %s", async (_, wrong, field) => {
  const service = await start();
  const store = randomUUID();
  const answer = await service.call("POST", records(store), {
    body: `{"records":[${'{"payload":"x"},'.repeat(2_500)}${wrong}]}`,
    headers: { "content-type": "application/json" },
  });
  expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument", field });
  expect(answer.json).not.toHaveProperty("transactions");
  expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({ lastSequence: 0 });
});

test("a record too large for any store is found before the chunks ahead of it are written", async () => {
  const service = await start();
  const store = randomUUID();
  const answer = await service.call("POST", records(store), {
    body: `{"records":[${'{"payload":"x"},'.repeat(1_000)}{"payload":"${"x".repeat(limits.recordBytesMax + 1)}"}]}`,
    headers: { "content-type": "application/json" },
  });
  expect(answer.json).toMatchObject({ status: 413, code: "record_too_large" });
  expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({ lastSequence: 0 });
});

test("the records of a large JSON body are not held as objects while they are committed", async () => {
  let held = 0;
  let count = 0;
  const produce: Store["produce"] = async function* (space, segment, given) {
    for await (const record of given) {
      count += record.payload.byteLength;
      if (count === 5) held = heldBytes() - before;
    }
    yield { status: emptyStatus(space, segment) };
  };
  const service = await start({
    stores: { close: () => Promise.resolve(), open: () => ({ produce }) as unknown as Store },
  });
  const text = `{"records":[${'{"payload":"x"},'.repeat(300_000)}{"payload":"x"}]}`;
  const before = heldBytes();
  const answer = await service.call("POST", records(randomUUID()), {
    body: text,
    headers: { "content-type": "application/json" },
  });
  expect(answer.status, answer.text).toBe(200);
  expect(count).toBe(300_001);
  // The request has the text once as it was sent, once as pieces and once whole; as objects the records take a hundred
  // bytes each.
  expect(held).toBeLessThan(5 * text.length);
});

test("reading a large body leaves turns to everyone else", async () => {
  const service = await start();
  const record = `{"payload":"${"x".repeat(40)}","metadata":{"a":"1","b":"2"}}`;
  const text = `{"records":[${Array.from({ length: 150_000 }, () => record).join(",")},{"payload":1}]}`;
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const startedAt = performance.now();
  const answer = await service.call("POST", records(randomUUID()), {
    body: text,
    headers: { "content-type": "application/json" },
  });
  const whole = performance.now() - startedAt;
  clearInterval(timer);
  expect(answer.json).toMatchObject({ status: 400, field: "records[150000].payload" });
  expect(longest).toBeLessThan(Math.max(150, whole / 2));
});

test("the rest of a refused body is read and dropped, so that the answer can leave", async () => {
  const service = await start();
  const { stream, taken } = body(50, 1_000);
  const answer = await service.call("POST", records(randomUUID()), {
    body: stream,
    headers: { "content-type": "text/plain" },
  });
  expect(answer.status).toBe(415);
  while (taken() < 50) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a body that breaks off writes no half of a chunk", async () => {
  const service = await start();
  const store = randomUUID();
  const broken = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from('{"payload":"1"}\n{"payload":"2"}\n{"pay')),
    pull: (controller) => controller.error(new Error("reset")),
  });
  const answer = await service.call("POST", records(store), {
    body: broken,
    headers: { "content-type": "application/x-ndjson" },
  });
  expect(answer).toMatchObject({ status: 499, text: "" });
  expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({ lastSequence: 0 });
});

test("a line of the log has the request's id and trace, the names of its path, and neither payloads nor keys", async () => {
  const service = await start();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await service.call("POST", segmentPath(randomUUID(), "orders", "order-1", "/records?encoding=text&code=secret-key"), {
    body: '{"records":[{"payload":"secret-payload","metadata":{"secret-field":"1"}},{"payload":7}]}',
    headers: {
      "content-type": "application/json",
      "x-request-id": "request-1",
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      "x-functions-key": "secret-header",
    },
  });
  const lines = service.logged.join("");
  expect(lines).toContain('"requestId":"request-1"');
  expect(lines).toContain(`"traceId":"${traceId}"`);
  expect(lines).toContain('"space":"orders","segment":"order-1"');
  expect(lines).not.toContain("secret");
});
