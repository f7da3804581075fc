// The calls of the interface in their JSON form, end to end but for the host.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

const produce = (store: string, space: string, segment: string, body: unknown, query = "?encoding=json") =>
  service.call("POST", segmentPath(store, space, segment, `/records${query}`), json(body));
const consume = (store: string, space: string, segment: string, query = "?encoding=json") =>
  service.call("GET", segmentPath(store, space, segment, `/entries${query}`));

describe("produce", () => {
  test("answers with the status of the segment and the transactions of its chunks", async () => {
    const store = randomUUID();
    const answer = await produce(store, "orders", "o-1", { records: [{ payload: { a: 1 } }, { payload: [2] }] });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.json).toMatchObject({
      status: { space: "orders", segment: "o-1", firstSequence: 1, lastSequence: 2 },
      transactions: [{ number: 1, firstSequence: 1, lastSequence: 2, duplicate: false }],
    });
  });

  test("of no records answers with the present status and writes nothing", async () => {
    const store = randomUUID();
    const answer = await produce(store, "orders", "o-1", { records: [] });
    expect(answer.json).toMatchObject({ status: { firstSequence: 0, lastSequence: 0 }, transactions: [] });
    const init = { headers: { "content-type": "application/x-ndjson", accept: "application/x-ndjson" }, body: "" };
    const lines = await service.call("POST", segmentPath(store, "orders", "o-1", "/records"), init);
    expect(
      lines.text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ status: { firstSequence: 0, lastSequence: 0 } }]);
    expect((await service.call("GET", `/v1/stores/${store}/spaces`)).json).toEqual({ spaces: [] });
  });

  test("with a wrong sequence is a conflict that says what was expected", async () => {
    const store = randomUUID();
    await produce(store, "s", "g", { records: [{ sequence: 1, payload: 1 }] });
    const answer = await produce(store, "s", "g", { records: [{ sequence: 3, payload: 1 }] });
    expect(answer.status).toBe(409);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.json).toMatchObject({
      code: "sequence_mismatch",
      status: 409,
      expected: 2,
      received: 3,
      lastSequence: 1,
      retryable: false,
    });
  });

  test("with the same Idempotency-Key gets the first answer again, and a conflict for other content", async () => {
    const store = randomUUID();
    const key = randomUUID();
    const send = (payload: number) =>
      service.call(
        "POST",
        segmentPath(store, "s", "g", "/records?encoding=json"),
        json({ records: [{ payload }] }, { "idempotency-key": key }),
      );
    const first = await send(1);
    const second = await send(1);
    expect(first.json.transactions[0]).toMatchObject({ id: key, duplicate: false });
    expect(second.json.transactions[0]).toMatchObject({ id: key, firstSequence: 1, duplicate: true });
    expect((await send(2)).json).toMatchObject({ status: 409, code: "transaction_id_mismatch" });
  });

  test("says what was committed before a later chunk failed", async () => {
    const store = randomUUID();
    const records = Array.from({ length: 2_500 }, (_, index) => ({ payload: "", sequence: index + 1 }));
    records[2_200] = { payload: "", sequence: 9_999 };
    const answer = await produce(store, "s", "g", { records }, "?encoding=text");
    expect(answer.status).toBe(409);
    expect(answer.json.transactions).toMatchObject([{ lastSequence: 1_000 }, { lastSequence: 2_000 }]);
    expect(answer.json.segmentStatus).toMatchObject({ lastSequence: 2_000 });
  });

  test("to several segments is one transaction a segment, all or nothing", async () => {
    const store = randomUUID();
    const path = `/v1/stores/${store}/spaces/s/transactions?encoding=json`;
    const both = await service.call(
      "POST",
      path,
      json({
        segments: [
          { segment: "a", records: [{ payload: 1 }] },
          { segment: "b", records: [{ payload: 2 }, { payload: 3 }] },
        ],
      }),
    );
    expect(both.status).toBe(200);
    expect(both.json.segments).toMatchObject([
      { status: { segment: "a", lastSequence: 1 }, transaction: { number: 1 } },
      { status: { segment: "b", lastSequence: 2 }, transaction: { number: 1 } },
    ]);
    const refused = await service.call(
      "POST",
      path,
      json({
        segments: [
          { segment: "a", records: [{ payload: 4, sequence: 2 }] },
          { segment: "b", records: [{ payload: 5, sequence: 9 }] },
        ],
      }),
    );
    expect(refused.json).toMatchObject({ status: 409, code: "sequence_mismatch", segment: "b", expected: 3 });
    expect((await consume(store, "s", "a")).json.entries).toHaveLength(1);
  });
});

describe("payload and metadata come back as they were written", () => {
  const json_ = (text: string) => ({ body: `{"records":[{"payload":${text}}]}`, headers: jsonType });
  const jsonType = { "content-type": "application/json" };

  test.each([
    '{"a":1.0,"b":  [1e400, -0]}',
    "12345678901234567890.000",
    '"\\ud800 lone, \\u0041"',
    '{"__proto__":{"x":1},"__proto__":2}',
    "null",
    "[[[]]]",
    '"line\\nbreak"',
  ])("json: %s", async (text) => {
    const store = randomUUID();
    const path = segmentPath(store, "s", "g", "/records?encoding=json");
    expect((await service.call("POST", path, json_(text))).status).toBe(200);
    expect((await consume(store, "s", "g")).text).toContain(`"payload":${text},`);
  });

  test("json with line breaks stays one line in NDJSON, and the same value", async () => {
    const store = randomUUID();
    const text = '{\n  "a": 1\r\n}';
    await service.call("POST", segmentPath(store, "s", "g", "/records?encoding=json"), json_(text));
    const path = segmentPath(store, "s", "g", "/entries?encoding=json");
    const { lines } = await service.call("GET", path, { headers: { accept: "application/x-ndjson" } });
    expect(lines).toMatchObject([{ payload: { a: 1 } }, { next: 2 }]);
    expect((await consume(store, "s", "g")).text).toContain(text);
  });

  test("bytes that are no text and no JSON are told in base64, and say so", async () => {
    const store = randomUUID();
    const payload = Buffer.from([0xff, 0x00, 0x80]).toString("base64");
    await produce(store, "s", "g", { records: [{ payload }] }, "");
    for (const encoding of ["json", "text"]) {
      const { entries } = (await consume(store, "s", "g", `?encoding=${encoding}`)).json;
      expect(entries).toMatchObject([{ payload, encoding: "base64" }]);
    }
    expect((await consume(store, "s", "g", "")).json.entries[0]).not.toHaveProperty("encoding");
  });

  test("text with a byte order mark, control characters and emoji", async () => {
    const store = randomUUID();
    const payload = "\ufeff\u0000\u2028😀\r\n";
    await produce(store, "s", "g", { records: [{ payload }] }, "?encoding=text");
    expect((await consume(store, "s", "g", "?encoding=text")).json.entries[0]?.payload).toBe(payload);
  });

  test("metadata with any keys, __proto__ too", async () => {
    const store = randomUUID();
    const body = '{"records":[{"payload":1,"metadata":{"__proto__":"x","":"empty","ключ":"😀"}}]}';
    await service.call("POST", segmentPath(store, "s", "g", "/records?encoding=json"), { body, headers: jsonType });
    const { text } = await consume(store, "s", "g");
    for (const pair of ['"__proto__":"x"', '"":"empty"', '"ключ":"😀"']) expect(text).toContain(pair);
  });
});

describe("consume", () => {
  test("a segment in pages; next goes on, also at the end", async () => {
    const store = randomUUID();
    await produce(store, "s", "g", { records: [1, 2, 3].map((payload) => ({ payload })) });
    const first = (await consume(store, "s", "g", "?encoding=json&limit=2")).json;
    expect(first).toMatchObject({ entries: [{ payload: 1 }, { payload: 2 }], next: 3 });
    const second = (await consume(store, "s", "g", `?encoding=json&from=${first.next}`)).json;
    expect(second).toMatchObject({ entries: [{ payload: 3, sequence: 3 }], next: 4 });
    expect((await consume(store, "s", "g", "?from=4")).json).toEqual({ entries: [], next: 4, end: true });
  });

  test("a space by its cursor; a cursor of another space is refused", async () => {
    const store = randomUUID();
    await produce(store, "s", "a", { records: [{ payload: 1 }] });
    await produce(store, "s", "b", { records: [{ payload: 2 }] });
    const path = `/v1/stores/${store}/spaces/s/entries?encoding=json`;
    const first = (await service.call("GET", `${path}&limit=1`)).json;
    expect(first.entries).toMatchObject([{ segment: "a" }]);
    expect(first.next).toBe(first.entries[0]?.offset);
    const rest = (await service.call("GET", `${path}&offset=${first.next}`)).json;
    expect(rest.entries).toMatchObject([{ segment: "b" }]);
    expect((await service.call("GET", `${path}&offset=${rest.next}`)).json).toEqual({
      entries: [],
      next: rest.next,
      end: true,
    });
    const other = await service.call("GET", `/v1/stores/${store}/spaces/t/entries?offset=${first.next}`);
    expect(other.json).toMatchObject({ status: 400, code: "invalid_argument", field: "offset" });
  });

  test("several spaces, merged by timestamp, each going on from its own place", async () => {
    const store = randomUUID();
    for (const [space, payload] of [
      ["s", 1],
      ["__proto__", 2],
      ["s", 3],
    ] as const) {
      await produce(store, space, "g", { records: [{ payload }] });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const ask = (offsets: string, limit: number) =>
      service.call("POST", `/v1/stores/${store}/consume?encoding=json`, {
        body: `{"offsets":${offsets},"limit":${limit}}`,
        headers: { "content-type": "application/json" },
      });
    const first = await ask('{"s":"","__proto__":"","unknown":""}', 2);
    expect(first.json.entries.map((entry) => entry.payload)).toEqual([1, 2]);
    const next = /"next":(\{.*?\})/.exec(first.text)![1]!;
    const second = await ask(next, 0);
    expect(second.json.entries.map((entry) => entry.payload)).toEqual([3]);
  });

  test("unknown stores, spaces and segments are empty, not an error", async () => {
    const store = randomUUID();
    expect((await consume(store, "none", "none")).json).toEqual({ entries: [], next: 1, end: true });
    expect((await service.call("GET", `/v1/stores/${store}/spaces/none/entries`)).json).toEqual({
      entries: [],
      next: "",
      end: true,
    });
    expect((await service.call("GET", segmentPath(store, "none", "none", "/last"))).json).toEqual({
      space: "none",
      segment: "none",
      sequence: 0,
    });
    expect((await service.call("GET", segmentPath(store, "none", "none"))).json).toMatchObject({ lastSequence: 0 });
  });

  test("peek is the last entry, status tells both ends", async () => {
    const store = randomUUID();
    await produce(store, "s", "g", { records: [{ payload: 1 }, { payload: 2 }] });
    expect((await service.call("GET", segmentPath(store, "s", "g", "/last?encoding=json"))).json).toMatchObject({
      sequence: 2,
      payload: 2,
    });
    expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({
      firstSequence: 1,
      lastSequence: 2,
    });
  });
});

describe("names", () => {
  const odd = ["a/b", "a b", "q?x=1&y", "#1", "+", "\\", "'\"", "😀", "ключ", "a&b;c", "..."];

  test("come back identical, and lead back to what was written", async () => {
    const store = randomUUID();
    for (const name of odd) {
      expect((await produce(store, name, name, { records: [{ payload: name }] })).status).toBe(200);
      const { entries } = (await consume(store, name, name)).json;
      expect(entries).toMatchObject([{ payload: name, space: name, segment: name }]);
    }
    const { spaces } = (await service.call("GET", `/v1/stores/${store}/spaces`)).json;
    expect(new Set(spaces)).toEqual(new Set(odd));
  });

  test("are paged in JSON and complete in NDJSON", async () => {
    const store = randomUUID();
    for (const segment of ["a", "b", "c"]) await produce(store, "s", segment, { records: [{ payload: 0 }] });
    const path = `/v1/stores/${store}/spaces/s/segments`;
    const first = (await service.call("GET", `${path}?limit=2`)).json;
    expect(first.segments).toEqual(["a", "b"]);
    expect((await service.call("GET", `${path}?limit=2&next=${first.next}`)).json).toEqual({ segments: ["c"] });
    expect((await service.call("GET", path, { headers: { accept: "application/x-ndjson" } })).lines).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  test.each([["a%25b"], ["%00"], ["x".repeat(97)], ["%ff"]])("%s is refused as a space", async (raw) => {
    const answer = await service.call("GET", `/v1/stores/${randomUUID()}/spaces/${raw}/entries`);
    expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument", field: "space" });
  });

  test.each([
    ["a name too long", "x".repeat(145)],
    ["a name far too long", "x".repeat(5_000)],
    ["a name with %", "a%b"],
    ["a control character", "\u0000"],
    ["nothing", ""],
  ])("a page after %s is none", async (_, name) => {
    const token = Buffer.from(name).toString("base64url");
    for (const [path, field] of [
      [`spaces?next=${token}`, "next"],
      [`spaces/s/segments?next=${token}`, "next"],
      [`spaces/s/status?cursor=s1.${token}x`, "cursor"],
    ]) {
      const answer = await service.call("GET", `/v1/stores/${randomUUID()}/${path}`);
      expect(answer.json, path).toMatchObject({ status: 400, field });
    }
  });
});

describe("every answer", () => {
  test("has a request id: the caller's when it is a plain token", async () => {
    const given = await service.call("GET", "/health", { headers: { "x-request-id": "abc-1" } });
    expect(given.headers["x-request-id"]).toBe("abc-1");
    const hostile = await service.call("GET", "/health", { headers: { "x-request-id": "a b\tc" } });
    expect(hostile.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("of an unknown path, or a method that a path does not take, is a problem", async () => {
    const path = await service.call("GET", "/nope");
    expect(path.json).toMatchObject({ status: 404, code: "not_found" });
    expect(path.headers["content-type"]).toBe("application/problem+json");
    const method = await service.call("DELETE", "/health");
    expect(method.json).toMatchObject({ status: 405, code: "method_not_allowed", allowed: ["GET", "HEAD", "OPTIONS"] });
    expect(method.headers).toMatchObject({ allow: "GET, HEAD, OPTIONS", "content-type": "application/problem+json" });
  });

  test("of a mistake of ours tells no more than the request id, and the log has the rest", async () => {
    const broken = await openService({ probe: () => Promise.reject(new Error("secret detail")) });
    const answer = await broken.call("GET", "/health?deep=true");
    expect(answer.json).toMatchObject({ status: 500, code: "internal", requestId: answer.headers["x-request-id"] });
    expect(answer.text).not.toContain("secret detail");
    expect(broken.logged.join("")).toContain("secret detail");
    await broken.dispose();
  });
});
