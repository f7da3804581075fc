// Clients that repeat by themselves, as their libraries are delivered: what was written and answered with an error is
// there once.

import { randomUUID } from "node:crypto";

import { createEmptyPipeline, createHttpHeaders, createPipelineRequest, defaultRetryPolicy } from "@azure/core-rest-pipeline"; // prettier-ignore
import { afterEach, describe, expect, test } from "vitest";

import { emptyStatus } from "../../../src/core/entry.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { Backend } from "../../../src/store/create-store.ts";
import { createStore } from "../../../src/store/create-store.ts";
import type { ProducedChunk, Store, StoreFactory } from "../../../src/store/store.ts";
import { json, ndjson, openService, random, segmentPath } from "./in-process.ts";
import type { Reply, Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

type Send = () => Promise<Reply>;
const triesMax = 4;

/** Sends until an answer has a status that this library does not repeat a POST on. */
const onStatus =
  (repeats: (status: number, headers: Reply["headers"]) => boolean) =>
  async (send: Send): Promise<Reply> => {
    for (let tries = 1; ; tries += 1) {
      const reply = await send();
      if (tries === triesMax || !repeats(reply.status, reply.headers)) return reply;
    }
  };

/** The retry policy of the Azure SDK for JavaScript itself. */
async function azurePipeline(send: Send): Promise<Reply> {
  const pipeline = createEmptyPipeline();
  pipeline.addPolicy(defaultRetryPolicy({ maxRetries: triesMax - 1, retryDelayInMs: 1, maxRetryDelayInMs: 1 }));
  let reply: Reply | undefined;
  await pipeline.sendRequest(
    {
      sendRequest: async (request) => {
        reply = await send();
        // A second is long in a test: it comes back at once.
        const headers = createHttpHeaders({
          ...reply.headers,
          ...(reply.headers["retry-after"] === undefined ? {} : { "retry-after": "0" }),
        });
        return { request, status: reply.status, headers, bodyAsText: reply.text };
      },
    },
    createPipelineRequest({ url: "http://streamkit.test/", method: "POST" }),
  );
  if (reply === undefined) throw new Error("Nothing was sent.");
  return reply;
}

const clients = {
  "the pipeline of the Azure SDKs": azurePipeline,
  "Kiota's middleware": onStatus((status) => [429, 503, 504].includes(status)),
  ".NET's standard resilience handler": onStatus((status) => status >= 500 || status === 408 || status === 429),
  "curl --retry": onStatus((status) => [408, 429, 500, 502, 503, 504].includes(status)),
  "a client that repeats conflicts, too": onStatus((status) => status >= 500 || [408, 409, 429].includes(status)),
  "a client that comes whenever it is told a time": onStatus((_, headers) => headers["retry-after"] !== undefined),
};

/** Its first produces (`failures` of them) write, each of them all or the first chunk, and then fail. */
async function failingAfterwards(failure: unknown, { failures = 1, chunks = Infinity } = {}): Promise<Service> {
  const service = await openService();
  open.push(service);
  let left = failures;
  const opened = service.services.stores;
  const stores = {
    close: () => opened.close(),
    open: (id: Parameters<typeof opened.open>[0]): Store => {
      const store = opened.open(id);
      return new Proxy(store, {
        get(target, name) {
          if (name === "produce") {
            return async function* (...args: Parameters<Store["produce"]>): AsyncGenerator<ProducedChunk> {
              let told = 0;
              for await (const chunk of store.produce(...args)) {
                told += 1;
                if (told < chunks || left === 0) yield chunk;
                if (told === chunks) break;
              }
              if (left === 0) return;
              left -= 1;
              throw failure;
            };
          }
          if (name === "produceAll") {
            return async (...args: Parameters<Store["produceAll"]>) => {
              const produced = await store.produceAll(...args);
              if (left === 0) return produced;
              left -= 1;
              throw failure;
            };
          }
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
  return changed(service, { stores });
}

/** Another service over the same stores, but for what is changed. */
async function changed(service: Service, changes: Parameters<typeof openService>[0]): Promise<Service> {
  const other = await openService({ ...service.services, ...changes });
  open.push(other);
  return other;
}

const unavailable = (effect: "unknown" | "committed", code: ErrorCode = "storage_unavailable"): StoreError =>
  new StoreError(code, "The storage account did not answer.", { effect, retryAfterMs: 1_000 });

const failures: readonly (readonly [string, unknown])[] = [
  ["503, unknown", unavailable("unknown")],
  ["503, committed", unavailable("committed", "overloaded")],
  ["429, unknown", unavailable("unknown", "throttled")],
  ["500, unknown", unavailable("unknown", "internal")],
  ["a mistake of ours", new Error("a mistake")],
];

async function written(service: Service, store: string): Promise<readonly unknown[]> {
  const answer = await service.call("GET", `/v1/stores/${store}/spaces/s/entries?encoding=text`);
  return answer.json.entries.map(({ payload }) => payload);
}

describe.each(Object.entries(clients))("%s", (_, client) => {
  test.each(failures)("writes once without a key after an answer that would be %s", async (_, failure) => {
    const service = await failingAfterwards(failure);
    const store = randomUUID();
    const path = segmentPath(store, "s", "g", "/records?encoding=text");
    const answer = await client(() => service.call("POST", path, json({ records: [{ payload: "a" }] })));
    expect(answer.json).toMatchObject({ status: 424, code: "not_confirmed", retryable: false });
    expect(answer.headers["retry-after"]).toBeUndefined();
    expect(await written(service, store)).toEqual(["a"]);
  });

  test.each(failures)("succeeds with a key, and writes once, after %s", async (_, failure) => {
    const service = await failingAfterwards(failure, { failures: 2 });
    const store = randomUUID();
    const init = json({ records: [{ payload: "a" }] }, { "idempotency-key": randomUUID() });
    const path = segmentPath(store, "s", "g", "/records?encoding=text");
    let answer = await client(() => service.call("POST", path, init));
    // A caller may repeat by hand what no library repeats: the answer says so.
    for (let tries = 0; answer.status !== 200 && tries < 2; tries += 1) {
      expect(answer.status).toBeGreaterThanOrEqual(429);
      answer = await service.call("POST", path, init);
    }
    expect(answer.json.transactions).toMatchObject([{ duplicate: true }]);
    expect(await written(service, store)).toEqual(["a"]);
  });

  test("writes once with sequences, and is told that its place is taken", async () => {
    const service = await failingAfterwards(unavailable("unknown"));
    const store = randomUUID();
    const path = segmentPath(store, "s", "g", "/records?encoding=text");
    const answer = await client(() => service.call("POST", path, json({ records: [{ sequence: 1, payload: "a" }] })));
    expect(answer.json).toMatchObject({ code: "sequence_mismatch", expected: 2 });
    expect(await written(service, store)).toEqual(["a"]);
  });

  test("writes lines once", async () => {
    const service = await failingAfterwards(unavailable("unknown"));
    const store = randomUUID();
    const path = segmentPath(store, "s", "g", "/records?encoding=text");
    const answer = await client(() => service.call("POST", path, ndjson('{"payload":"a"}\n')));
    expect(answer.json).toMatchObject({ status: 424, effect: "unknown" });
    expect(await written(service, store)).toEqual(["a"]);
  });

  test("writes to several segments once, also when only one of them says where", async () => {
    for (const sequence of [undefined, 1]) {
      const service = await failingAfterwards(unavailable("unknown"));
      const store = randomUUID();
      const segments = [
        { segment: "a", records: [{ payload: "a" }] },
        { segment: "b", records: [{ payload: "b", ...(sequence === undefined ? {} : { sequence }) }] },
      ];
      const path = `/v1/stores/${store}/spaces/s/transactions?encoding=text`;
      const answer = await client(() => service.call("POST", path, json({ segments })));
      expect(answer.json.code).toBe(sequence === undefined ? "not_confirmed" : "sequence_mismatch");
      expect(await written(service, store)).toEqual(["a", "b"]);
    }
  });

  test("writes the first chunks once when a later one is refused for now", async () => {
    const refusal = new StoreError("overloaded", "Too much waits.", { retryAfterMs: 1_000 });
    const service = await failingAfterwards(refusal, { chunks: 2 });
    const store = randomUUID();
    const records = Array.from({ length: 2_500 }, (_, index) => ({ payload: String(index) }));
    const path = segmentPath(store, "s", "g", "/records?encoding=text");
    const answer = await client(() => service.call("POST", path, json({ records })));
    expect(answer.json).toMatchObject({ status: 424, effect: "partial", reason: "overloaded" });
    expect(answer.json.transactions).toMatchObject([{ firstSequence: 1, lastSequence: 1_000 }]);
  });
});

describe("a request that failed on its way says how much of it is there, and how to go on", () => {
  const refused = new StoreError("overloaded", "Too much waits.", { retryAfterMs: 1_000 });
  const unseen = new StoreError("overloaded", "Not applied in time.", { effect: "committed", retryAfterMs: 1_000 });
  const lost = unavailable("unknown");
  const again = "The same request may be sent again: what is there is not written twice.";
  const cases: readonly (readonly [string, StoreError, number, number, object])[] = [
    ["refused in its second chunk", refused, 1_001, 1, { effect: "partial", committedRecords: 1_000, detail: `Too much waits. The first 1000 records of this request are committed, no others are or will be. ${again}` }],
    ["not waited for in its first chunk of two", unseen, 1_001, 0, { effect: "partial", committedRecords: 1_000, detail: `Not applied in time. The first 1000 records of this request are committed, no others are or will be. ${again}` }],
    ["not waited for in its last chunk", unseen, 1_001, 1, { effect: "committed", committedRecords: 1_001, detail: `Not applied in time. The first 1001 records of this request are committed. ${again}` }],
    ["not waited for in its only chunk", unseen, 1, 0, { effect: "committed", committedRecords: 1, detail: `Not applied in time. The first record of this request is committed. ${again}` }],
    ["unknown in its second chunk", lost, 1_001, 1, { effect: "unknown", committedRecords: 1_000, detail: `The storage account did not answer. The first 1000 records of this request are committed, the next ones may be. ${again}` }],
    ["refused in its first chunk", refused, 1_001, 0, { effect: "none", detail: "Too much waits." }],
  ]; // prettier-ignore

  test.each(cases)("%s", async (_, failure, count, chunks, expected) => {
    for (const form of ["json", "lines"]) {
      const service = await openService({ stores: committing(chunks, failure) });
      open.push(service);
      const records = Array.from({ length: count }, (_, index) => ({ payload: String(index) }));
      const key = { "idempotency-key": randomUUID() };
      const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      const init = form === "json" ? json({ records }, key) : ndjson(lines, key);
      const answer = await service.call("POST", segmentPath(randomUUID(), "s", "g", "/records?encoding=text"), init);
      expect(answer.json, form).toMatchObject(expected);
      if (!("committedRecords" in expected)) expect(answer.json).not.toHaveProperty("committedRecords");
    }
  });

  test("without a key the rest alone is to be sent", async () => {
    const service = await failingAfterwards(refused, { chunks: 2 });
    const records = Array.from({ length: 1_500 }, (_, index) => ({ payload: String(index) }));
    const path = segmentPath(randomUUID(), "s", "g", "/records?encoding=text");
    const { json: problem } = await service.call("POST", path, json({ records }));
    expect(problem).toMatchObject({ code: "not_confirmed", effect: "partial", committedRecords: 1_000 });
    expect(JSON.stringify(problem)).toContain("Send only the others again.");
    expect(JSON.stringify(problem)).toContain(
      "The first 1000 records of this request are committed, no others are or will be.",
    );
  });
});

test("a failure that certainly wrote nothing keeps its status, and invites a repeat", async () => {
  const refusal = new StoreError("overloaded", "Too much waits.", { retryAfterMs: 3_000 });
  const stores = {
    open: () => ({ produce: () => rejecting(refusal) }) as unknown as Store,
    close: () => Promise.resolve(),
  };
  const service = await openService({ stores });
  open.push(service);
  const path = segmentPath(randomUUID(), "s", "g", "/records?encoding=text");
  const answer = await service.call("POST", path, json({ records: [{ payload: "a" }] }));
  expect(answer.json).toMatchObject({ status: 503, code: "overloaded", retryable: true, effect: "none" });
  expect(answer.headers["retry-after"]).toBe("3");
});

test("a secret is not rotated once more by a client that repeats", async () => {
  const subscriptions = { put: () => Promise.reject(unavailable("unknown")) } as never;
  const service = await openService({ subscriptions });
  open.push(service);
  const put = (more: object) =>
    service.call(
      "PUT",
      `/v1/stores/${randomUUID()}/subscriptions/x`,
      json({ space: "s", segment: "*", target: { webhook: "https://a.test/" }, ...more }),
    );
  expect((await put({ rotateSecret: true })).status).toBe(424);
  expect((await put({})).status).toBe(503);
});

test("an outcome that is left open is an error of the log, with its cause", async () => {
  const service = await failingAfterwards(unavailable("unknown"));
  const path = segmentPath(randomUUID(), "s", "g", "/records?encoding=text");
  await service.call("POST", path, json({ records: [{ payload: "a" }] }));
  const lines = open.flatMap(({ logged }) => logged).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toContainEqual(expect.objectContaining({ level: "error", code: "not_confirmed", status: 424 }));
  expect(JSON.stringify(lines)).toContain("The storage account did not answer.");
});

/** Stores whose backend commits so many chunks, and fails from then on. */
function committing(chunks: number, failure: StoreError): StoreFactory {
  const backend: Pick<Backend, "commit"> = {
    commit: (space, [given], id) => {
      if (chunks === 0 || given === undefined) return Promise.reject(failure);
      chunks -= 1;
      const { segment, records } = given;
      const transaction = { id, number: 1, firstSequence: 1, lastSequence: records.length, duplicate: false };
      return Promise.resolve([{ status: emptyStatus(space, segment), transaction }]);
    },
  };
  return { open: (id) => createStore(id, backend as Backend, random), close: () => Promise.resolve() };
}

async function* rejecting(error: Error): AsyncGenerator<ProducedChunk> {
  await Promise.reject(error);
}
