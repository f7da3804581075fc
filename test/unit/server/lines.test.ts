// Bodies and answers as newline-delimited JSON.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Entry } from "../../../src/core/entry.ts";
import { StoreError } from "../../../src/core/errors.ts";
import {
  parseNodeId,
  parseSegmentName,
  parseSpaceName,
  parseStoreId,
  parseTransactionId,
} from "../../../src/core/ids.ts";
import type { Connection } from "../../../src/server/http.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import type { Services } from "../../../src/server/services.ts";
import type { Store } from "../../../src/store/store.ts";
import { ndjson, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

describe("NDJSON", () => {
  test("in: one record a line, answered in JSON or line by line", async () => {
    const store = randomUUID();
    const body = Array.from({ length: 2_001 }, (_, index) => `{"payload":${index}}\n`).join("");
    const path = segmentPath(store, "s", "g", "/records?encoding=json");
    const whole = await service.call("POST", path, ndjson(body));
    expect(whole.json.transactions).toHaveLength(3);
    const lines = await service.call("POST", path, ndjson(body, { accept: "application/x-ndjson" }));
    expect(lines.lines).toMatchObject([
      { status: { lastSequence: 3_001 }, transaction: { number: 4 } },
      { status: { lastSequence: 4_001 } },
      { status: { lastSequence: 4_002 } },
    ]);
  });

  test("in: a bad line ends the request; chunks before it stay and are said", async () => {
    const store = randomUUID();
    const body = `${'{"payload":1}\n'.repeat(1_500)}{"payload":}\n`;
    const path = segmentPath(store, "s", "g", "/records?encoding=json");
    const answer = await service.call("POST", path, ndjson(body));
    expect(answer.json).toMatchObject({
      status: 400,
      field: "line 1501",
      transactions: [{ lastSequence: 1_000 }],
    });
    const lines = (await service.call("POST", path, ndjson(body, { accept: "application/x-ndjson" }))).lines;
    expect(lines).toMatchObject([{ status: { lastSequence: 2_000 } }, { code: "invalid_argument" }]);
  });

  test("in: a failure before the first chunk is a proper status, also for a streamed answer", async () => {
    const path = segmentPath(randomUUID(), "s", "g", "/records");
    const answer = await service.call("POST", path, ndjson("nonsense", { accept: "application/x-ndjson" }));
    expect(answer.status).toBe(400);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
  });

  test.each(["application/json", "application/x-ndjson"])(
    "in: a request that was cut after a chunk is completed by its repeat with the same Idempotency-Key (%s)",
    async (type) => {
      const store = randomUUID();
      const key = randomUUID();
      const path = segmentPath(store, "s", "g", "/records?encoding=json");
      const lines = Array.from({ length: 2_500 }, (_, index) => `{"payload":${index}}`);
      const whole = type === "application/json" ? `{"records":[${lines.join(",")}]}` : lines.join("\n");
      const send = (body: string, connection?: Connection) =>
        service.call("POST", path, { body, headers: { "content-type": type, "idempotency-key": key } }, connection);
      const last = async () =>
        ((await service.call("GET", segmentPath(store, "s", "g"))).json as unknown as { lastSequence: number })
          .lastSequence;
      // Gone as soon as its first chunk is committed: a chunk on its way is never cut, the next is not begun.
      const leaving = new AbortController();
      const stop = service.services.stores
        .open(parseStoreId(store))
        .onCommit(parseSpaceName("s"), () => leaving.abort());
      await send(whole, { ...unseenConnection(), signal: leaving.signal });
      stop();
      expect(await last()).toBe(1_000);
      const completed = await send(whole);
      expect(completed.json.transactions).toMatchObject([
        { id: key, firstSequence: 1, lastSequence: 1_000, duplicate: true },
        { firstSequence: 1_001, lastSequence: 2_000, duplicate: false },
        { firstSequence: 2_001, lastSequence: 2_500, duplicate: false },
      ]);
      expect((await send(whole)).json.transactions).toMatchObject([1, 2, 3].map(() => ({ duplicate: true })));
      expect(await last()).toBe(2_500);
      const entries = await service.call("GET", segmentPath(store, "s", "g", "/entries?encoding=json&limit=10000"));
      expect(entries.json.entries.map(({ payload }) => payload)).toEqual(lines.map((_, index) => index));
    },
  );

  test("in: a repeat of whole chunks that are fewer is answered as those were", async () => {
    const path = segmentPath(randomUUID(), "s", "g", "/records?encoding=json");
    const headers = { "idempotency-key": randomUUID() };
    const body = '{"payload":1}\n'.repeat(1_000);
    await service.call("POST", path, ndjson(`${body}{"payload":2}\n`, headers));
    const fewer = await service.call("POST", path, ndjson(body, headers));
    expect(fewer.json.transactions).toMatchObject([{ lastSequence: 1_000, duplicate: true }]);
  });

  test("out: everything that matches, then the place to go on from", async () => {
    const store = randomUUID();
    const body = Array.from({ length: 12_345 }, (_, index) => `{"payload":${index}}\n`).join("");
    await service.call("POST", segmentPath(store, "s", "g", "/records?encoding=json"), ndjson(body));
    const { lines } = await service.call("GET", `/v1/stores/${store}/spaces/s/entries?encoding=json`, {
      headers: { accept: "application/x-ndjson" },
    });
    expect(lines).toHaveLength(12_346);
    expect(lines[12_344]).toMatchObject({ payload: 12_344 });
    expect(lines[12_345]).toEqual({ next: lines[12_344]?.offset, end: true });
  });
});

describe("a store that fails on the way", () => {
  const failing = (entries: number): Partial<Services> => ({
    stores: {
      close: () => Promise.resolve(),
      open: () => ({ consumeSpace: () => failAfter(entries) }) as unknown as Store,
    },
  });
  const ask = async (entries: number) => {
    const broken = await openService(failing(entries));
    const path = `/v1/stores/${randomUUID()}/spaces/s/entries?encoding=text`;
    const answer = await broken.call("GET", path, { headers: { accept: "application/x-ndjson" } });
    const { streams } = broken.services;
    await broken.dispose();
    return { answer, logged: broken.logged.join(""), used: streams.used };
  };

  test("is told by a last line, after what was read before it", async () => {
    for (const entries of [3, 5_000]) {
      const { answer, logged, used } = await ask(entries);
      expect(answer.status).toBe(200);
      expect(answer.lines).toHaveLength(entries + 1);
      expect(answer.lines.at(-1)).toMatchObject({ code: "storage_unavailable", retryable: true });
      expect(answer.lines.at(-1)).not.toHaveProperty("next");
      expect(logged).toContain("a stream failed on its way");
      expect(used).toBe(0);
    }
  });

  test("is a proper status when nothing was read before it", async () => {
    const { answer } = await ask(0);
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBeDefined();
  });
});

async function* failAfter(entries: number): AsyncGenerator<Entry> {
  for (let sequence = 1; sequence <= entries; sequence += 1) {
    await Promise.resolve();
    yield {
      sequence,
      timestamp: 1,
      trx: { id: parseTransactionId(randomUUID()), node: parseNodeId(randomUUID()), number: 1 },
      payload: Buffer.from("x"),
      metadata: new Map(),
      space: parseSpaceName("s"),
      segment: parseSegmentName("g"),
    };
  }
  throw new StoreError("storage_unavailable", "The storage is away.");
}
