// What callers may write in more than one way, and what readers by lines are given.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import { json, ndjson, openService, segmentPath } from "./in-process.ts";
import type { Reply, Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

const post = (store: string, init: RequestInit, query = "?encoding=json"): Promise<Reply> =>
  service.call("POST", segmentPath(store, "s", "g", `/records${query}`), init);
const entries = (store: string, headers: Record<string, string> = {}): Promise<Reply> =>
  service.call("GET", segmentPath(store, "s", "g", "/entries?encoding=json"), { headers });

test("a line holds nothing that Unicode takes for the end of a line, in lines and in events, and says the same", async () => {
  const store = randomUUID();
  const payload = "a\u0085b\u2028c\u2029d";
  await post(store, json({ records: [{ payload, metadata: { [payload]: payload } }] }));
  for (const accept of ["application/x-ndjson", "text/event-stream"]) {
    const path = segmentPath(store, "s", "g", "/entries?encoding=json&to=1");
    const { text } = await service.call("GET", path, { headers: { accept } });
    expect(text).not.toMatch(/[\u0085\u2028\u2029]/);
    const [line = ""] = /\{.*"payload".*\}/.exec(text) ?? [];
    expect(JSON.parse(line)).toMatchObject({ payload, metadata: { [payload]: payload } });
  }
});

test("a key that is no UUID always stands for the same one, and another key for another", async () => {
  const store = randomUUID();
  const ids: unknown[] = [];
  for (const key of ["order 4711/1", "order 4711/1", "order 4711/2", "x".repeat(255)]) {
    const answer = await post(store, json({ records: [{ payload: 1 }] }, { "idempotency-key": key }));
    expect(answer.status).toBe(200);
    ids.push((answer.json.transactions[0] as { id: string }).id);
  }
  expect(ids[1]).toBe(ids[0]);
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toBe("1b7ca7e1-cfba-8143-9a4e-296c4535b6f0");
  expect((await entries(store)).json.entries).toHaveLength(3);
});

test.each(["00000000-0000-0000-0000-000000000000", "x".repeat(256)])("the key %s is refused", async (key) => {
  const answer = await post(randomUUID(), json({ records: [{ payload: 1 }] }, { "idempotency-key": key }));
  expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument", field: "Idempotency-Key" });
});

test("an empty key is an absent one", async () => {
  const store = randomUUID();
  for (const payload of [1, 2]) await post(store, json({ records: [{ payload }] }, { "idempotency-key": "" }));
  expect((await entries(store)).json.entries).toHaveLength(2);
});

test("an integer may be written as 1.0 and in a string, in JSON, in lines and in a query", async () => {
  const store = randomUUID();
  for (const [index, sequence] of ["1", "2.0", '"3"'].entries()) {
    const record = `{"sequence":${sequence},"payload":${index}}`;
    const init = index === 1 ? ndjson(record) : { ...json({}), body: `{"records":[${record}]}` };
    expect((await post(store, init)).status).toBe(200);
  }
  const page = await service.call("GET", segmentPath(store, "s", "g", "/entries?from=2.0&limit=1.00"));
  expect(page.json.entries).toMatchObject([{ sequence: 2 }]);
});

test("an integer that is refused is told back as it was written", async () => {
  for (const written of ["9007199254740993", "1.5", "1e3", '"9007199254740993"']) {
    const answer = await post(randomUUID(), { ...json({}), body: `{"records":[{"sequence":${written},"payload":1}]}` });
    expect(answer.json).toMatchObject({ status: 400, field: "records[0].sequence" });
    expect(answer.text).toContain(written.replaceAll('"', ""));
  }
  const query = await service.call("GET", segmentPath(randomUUID(), "s", "g", "/entries?from=9007199254740993"));
  expect(query.json).toMatchObject({ status: 400, field: "from" });
  expect(query.text).toContain("9007199254740993");
});

test("a record in place of a body of records is told what the members are", async () => {
  const answer = await post(randomUUID(), json({ payload: 1 }));
  expect(answer.text).toContain("the members are records");
});

test.each(["application/jsonl", "application/x-jsonlines", "application/ndjson"])(
  "%s is a name of lines",
  async (type) => {
    const store = randomUUID();
    const init = { body: '{"payload":1}\n', headers: { "content-type": type, accept: type } };
    const produced = await post(store, init);
    expect(produced).toMatchObject({ status: 200, headers: { "content-type": "application/x-ndjson" } });
    expect((await entries(store, { accept: type })).lines).toHaveLength(2);
  },
);
