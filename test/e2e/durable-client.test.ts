// The official client of the Durable Streams protocol, as it is installed from npm, against the compiled app; also
// through instances that are killed.

import { randomUUID } from "node:crypto";

import { DurableStream, IdempotentProducer, stream as openStream } from "@durable-streams/client";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const MiB = 1024 * 1024;

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** No instance has this address: `toLivingInstance` leads it to the one that lives, as a front end does. */
const front = "http://front.example";
const newUrl = (): string => `${front}/v1/stream/${randomUUID()}`;

/** Where the front end leads. */
const toLivingInstance: typeof fetch = (input, init) =>
  fetch(String(input instanceof Request ? input.url : input).replace(front, app.url), init);

/** The `fetch` of docs/durable-streams.md: repeats network errors, 429 and 5xx, and nothing else. */
const retrying: typeof fetch = async (input, init) => {
  for (;;) {
    try {
      const answer = await toLivingInstance(input, init);
      if (answer.status !== 429 && answer.status < 500) return answer;
      await answer.body?.cancel();
    } catch (error) {
      if (init?.signal?.aborted === true) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** An instance dies without warning, and another takes its place. */
async function killAndReplace(): Promise<void> {
  await app.stop("SIGKILL");
  app = await startApp();
}

test("the program of its README makes a stream, appends to it, reads it, and closes it", async () => {
  const url = newUrl();
  const stream = await DurableStream.create({ url, contentType: "application/json", fetch: toLivingInstance });
  await stream.append(JSON.stringify({ event: "user.created", userId: "123" }));
  await stream.append(JSON.stringify({ event: "user.updated", userId: "123" }));
  const read = await openStream<{ event: string }>({ url, offset: "-1", live: false, fetch: toLivingInstance });
  expect((await read.json()).map(({ event }) => event)).toEqual(["user.created", "user.updated"]);
  await stream.close();
  const closed = await DurableStream.head({ url, fetch: toLivingInstance });
  expect(closed).toMatchObject({ exists: true, contentType: "application/json", streamClosed: true });
});

test.each(["long-poll", "sse"] as const)("a reader by %s gets what is there, then what comes", async (live) => {
  const url = newUrl();
  const stream = await DurableStream.create({ url, contentType: "application/json", fetch: toLivingInstance });
  await stream.append("1");
  const got: number[] = [];
  const read = await openStream<number>({ url, offset: "-1", live, fetch: toLivingInstance });
  const done = Promise.withResolvers<undefined>();
  read.subscribeJson(({ items }) => {
    got.push(...items);
    if (got.length === 5) done.resolve(undefined);
  });
  for (const next of [2, 3, 4, 5]) await stream.append(String(next));
  await done.promise;
  read.cancel();
  expect(got).toEqual([1, 2, 3, 4, 5]);
});

test("what a producer batches is there once and in order, whatever instances are killed meanwhile", async () => {
  const url = newUrl();
  const count = 2_000;
  const stream = await DurableStream.create({ url, contentType: "application/json", fetch: retrying });
  const live: number[] = [];
  const seen = Promise.withResolvers<undefined>();
  const reader = await openStream<number>({ url, offset: "-1", live: "long-poll", fetch: retrying });
  reader.subscribeJson(({ items }) => {
    live.push(...items);
    if (live.length >= count) seen.resolve(undefined);
  });
  const errors: Error[] = [];
  const producer = new IdempotentProducer(stream, "order-service-1", {
    ...{ fetch: retrying, lingerMs: 2, maxBatchBytes: 512, onError: (error) => errors.push(error) },
  });
  for (let message = 0; message < count; message += 1) {
    producer.append(String(message));
    if (message % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (message % 700 === 500) await killAndReplace();
  }
  await producer.flush();
  await seen.promise;
  reader.cancel();
  const wanted = Array.from({ length: count }, (_, message) => message);
  expect(errors).toEqual([]);
  expect(live).toEqual(wanted);
  const again = await openStream<number>({ url, offset: "-1", fetch: retrying });
  expect(await again.json()).toEqual(wanted);
});

test("batches of 1 MiB of bytes come back as they were, through a killed instance", async () => {
  const url = newUrl();
  const stream = await DurableStream.create({ url, contentType: "application/octet-stream", fetch: retrying });
  const errors: Error[] = [];
  const producer = new IdempotentProducer(stream, "uploader", {
    ...{ fetch: retrying, maxBatchBytes: MiB, onError: (error) => errors.push(error) },
  });
  const pieceBytes = 64 * 1024;
  // Each piece says which it is.
  const pieces = Array.from({ length: 48 }, (_, index) => Buffer.alloc(pieceBytes, index));
  for (const [index, piece] of pieces.entries()) {
    producer.append(piece);
    if (index === 24) await killAndReplace();
  }
  await producer.flush();
  expect(errors).toEqual([]);
  // Without `live: false`, with which this client reads one page and no further.
  const read = await openStream({ url, offset: "-1", fetch: retrying });
  const bytes = await read.body();
  const order = Array.from({ length: bytes.length / pieceBytes }, (_, at) => bytes[at * pieceBytes]);
  expect(order).toEqual(pieces.map((_, index) => index));
  expect(Buffer.from(bytes).equals(Buffer.concat(pieces))).toBe(true);
});
