// No input makes an unexplained 500, a hang, a leak or an unhandled rejection. A failure prints its seed and the
// request.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { operations } from "../../../src/wire/operations.ts";
import { produce, produceAll } from "../../../src/wire/operations/produce.ts";
import { problemSchema } from "../../../src/wire/errors.ts";
import { clock, json, openService, random, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";
import { hiddenFromPages } from "./pages.ts";

const store = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";

const step = fc.oneof(
  { weight: 16, arbitrary: fc.constantFrom("s", "g") },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: "grapheme", maxLength: 200 })
      .filter((text) => text.isWellFormed())
      .map(encodeURIComponent),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "%",
      "%zz",
      "%ff",
      "%00",
      "%2e%2e",
      "..",
      "%2F",
      "%25",
      "",
      " ",
      "__proto__",
      "constructor",
      "\\",
      "é",
    ),
  },
);
/** What the calls take, spoilt in one place or several. */
const target = fc
  .tuple(
    fc.oneof(fc.constantFrom(...operations), fc.constantFrom(produce, produceAll)),
    fc.infiniteStream(step),
    fc.constantFrom(undefined, undefined, undefined, undefined, "PUT", "DELETE", "GET", "HEAD", "OPTIONS"),
  )
  .map(([operation, steps, otherMethod]) => ({
    method: otherMethod ?? operation.method,
    path: operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const next = steps.next().value as string;
      return name === "store" && next !== "" && next.length < 20 ? store : next;
    }),
    takes: Object.keys(operation.query.shape),
  }));
const elsewhere = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"),
  path: fc.oneof(fc.constantFrom("/", "//", "/v1/stores", "/docs", "/health/"), fc.webPath()),
  takes: fc.constant([]),
});

const number = fc.constantFrom(
  "0",
  "1",
  "10000",
  "-1",
  "1.5",
  "1e9",
  "9007199254740991",
  "9007199254740993",
  "NaN",
  "",
  "0x1",
  "١",
);
/** Of any length that a URL may have: decoded it is a name, far more than one, or nothing. */
const longToken = fc.oneof(
  fc.integer({ min: 1, max: 6_000 }).map((length) => Buffer.from("x".repeat(length)).toString("base64url")),
  fc.uint8Array({ minLength: 90, maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
  fc.uint8Array({ minLength: 20, maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString("hex")),
);
const place = fc.oneof(
  longToken,
  longToken.map((token) => `s1.${token}`),
  fc.constantFrom("", "c0", "s0.", "c9999999999999999", "00", "4441540053504143455300ff"),
);
const word = fc.oneof(
  number,
  fc.constantFrom("json", "text", "base64", "applied", "committed", "true"),
  fc.string({ maxLength: 30 }),
);
const parameter = fc.constantFrom(
  ...["encoding", "ack", "from", "to", "after", "until", "limit", "offset", "next", "deep", "code"],
  ...["leaseKey", "leaseToken", "holder", "segment", "cursor"],
  ...["__proto__", "constructor", "toString", "x"],
);
const query = fc.array(fc.tuple(parameter, word), { maxLength: 3 }).map((pairs) => String(new URLSearchParams(pairs)));
/** A value for each of the parameters that have any kind of their own. */
const values = fc.record({
  ...{ next: place, cursor: place, offset: place },
  // Waiting for what never comes would take a second each.
  wait: fc.constantFrom("0", "31", "-1", "x", ""),
  encoding: fc.constantFrom("json", "text", "base64"),
  other: word,
});
/** One or two parameters that the call takes. */
const ownQuery = fc
  .tuple(values, fc.nat(), fc.nat({ max: 2 }))
  .map(([given, at, more]) => (takes: readonly string[]) => {
    const names = takes.length === 0 ? [] : new Set([takes[at % takes.length]!, takes[(at + more) % takes.length]!]);
    return [...names]
      .map((name) => `${name}=${encodeURIComponent(given[name in given ? (name as "next") : "other"])}`)
      .join("&");
  });

const always = (text: string) => () => text;
const anyQuery = fc.oneof(
  { weight: 4, arbitrary: fc.constant("encoding=json").map(always) },
  { weight: 3, arbitrary: fc.constantFrom("", "holder=a").map(always) },
  { weight: 2, arbitrary: query.map(always) },
  { weight: 4, arbitrary: ownQuery },
);

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
const sequence = fc.constantFrom("1", "2", "0", "-1", "1.0", "1e400", "9007199254740993", "null", '"1"', "[]");
const value = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    '"\\ud800"',
    "1e400",
    "-0",
    '{"a":1,"a":2}',
    '{"__proto__":null}',
    `${"[".repeat(600)}${"]".repeat(600)}`,
    '"QQ=="',
  ),
);
const metadata = fc.oneof(
  fc.constantFrom("{}", "null", "[]", '{"a":1}', '{"a":"1","a":"2"}', '{"__proto__":"x"}', '{"\\udc00":"x"}'),
  fc.json(),
);
const record = fc
  .tuple(value, seldom(sequence), seldom(metadata))
  .map(
    ([payload, at, meta]) =>
      `{"payload":${payload}${at === null ? "" : `,"sequence":${at}`}${meta === null ? "" : `,"metadata":${meta}`}}`,
  );
const records = fc.array(fc.oneof({ weight: 9, arbitrary: record }, { weight: 1, arbitrary: value }), { maxLength: 4 });
const leaseBody = fc
  .tuple(fc.oneof(fc.constantFrom('"a"', '"b"'), value), fc.oneof(fc.constantFrom("1", "30", "0"), value))
  .map(([holder, ttl]) => `{"holder":${holder},"ttlSeconds":${ttl}}`);
const subscriptionBody = fc
  .oneof(
    fc.constantFrom('{"queue":"sub-a"}', '{"webhook":"https://example.com/"}', '{"queue":"a"}', "{}"),
    fc.webUrl({ validSchemes: ["http", "https", "ftp"] }).map((url) => JSON.stringify({ webhook: url })),
    value,
  )
  .map((wanted) => `{"space":"s","segment":"*","target":${wanted}}`);
const jsonBody = fc.oneof(
  { weight: 5, arbitrary: records.map((list) => `{"records":[${list.join(",")}]}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('"a"', '"%"', "1", '"a/b"'), records)
      .map(([segment, list]) => `{"segments":[{"segment":${segment},"records":[${list.join(",")}]}]}`),
  },
  fc.tuple(fc.string(), value).map(([key, offset]) => `{"offsets":{${JSON.stringify(key)}:${offset},"s":""}}`),
  leaseBody,
  subscriptionBody,
  value,
  fc
    .tuple(fc.constantFrom("ключ", "😀", "\\u0000", "\\ud800", "x"), fc.constantFrom(400, 5_000), fc.nat({ max: 4 }))
    .map(([part, times, at]) => {
      const long = `"${part.repeat(times)}"`;
      const bodies = [
        `{${long}:1}`,
        `{"records":[{"payload":1,${long}:1}]}`,
        `{"records":[{"payload":1,"metadata":{${long}:1}}]}`,
        `{"offsets":{${long}:""}}`,
        `{"segments":[{"segment":${long},"records":[]}]}`,
      ];
      return bodies[at]!;
    }),
);
const damage = fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 }));
const body = fc.oneof(
  { weight: 3, arbitrary: jsonBody.map((text) => Buffer.from(text)) },
  records.map((list) => Buffer.from(list.join("\n"))),
  fc.tuple(jsonBody, damage).map(([text, [at, cut, insert]]) => {
    const bytes = Buffer.from(text);
    const place = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + cut)]);
  }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
});
const placesIds = [0, 1, 0xff].flatMap((byte) =>
  [24, 48].map((size) => Buffer.alloc(size, byte).toString("base64url")),
);
const headers = fc.record(
  {
    "content-type": fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom("application/json", "application/x-ndjson", "application/json; charset=utf-8"),
      },
      { weight: 1, arbitrary: printable },
    ),
    accept: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("*/*", "application/json", "application/x-ndjson", "text/event-stream") },
      { weight: 1, arbitrary: printable },
    ),
    "idempotency-key": fc.oneof(fc.constant(store), printable),
    "last-event-id": fc.oneof(fc.constantFrom("0", "1", "e30", ...placesIds), printable),
    "content-encoding": fc.constantFrom("identity", "gzip", "br"),
    "content-length": fc.constantFrom("0", "999999999999", "x"),
    "x-request-id": printable,
    traceparent: fc.oneof(fc.constant("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), printable),
    authorization: printable,
  },
  { requiredKeys: [] },
);
const typed = fc
  .tuple(headers, fc.boolean())
  .map(([given, plain]) => (plain ? { "content-type": "application/json" } : given));

describe.each(["LevelDB", "Azure Table Storage"])("over %s", (backend) => {
  let service: Service;
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  const azure = createAzureStoreFactory({
    account: new SimulatedAccount({ clock }),
    notifier: undefined,
    compressor: plainCompressor,
    clock,
    random,
    logger: silentLogger,
  });
  beforeAll(async () => {
    process.on("unhandledRejection", onUnhandled);
    service = await openService({
      options: { streamMs: 20, heartbeatMs: 1_000 },
      origins: "*",
      ...(backend === "LevelDB" ? {} : { stores: azure }),
    });
  });
  afterAll(async () => {
    process.off("unhandledRejection", onUnhandled);
    await service.dispose();
    await azure.close();
  });

  test(
    "whatever is asked, the answer is one of those described, soon, and nothing stays behind",
    { timeout: 120_000 },
    async () => {
      const request = fc.record({
        target: fc.oneof({ weight: 9, arbitrary: target }, { weight: 1, arbitrary: elsewhere }),
        query: anyQuery,
        headers: typed,
        body,
      });
      const answered = new Map<number, number>();
      await fc.assert(
        fc.asyncProperty(request, async (given) => {
          const { method, path, takes } = given.target;
          const isRead = method === "GET" || method === "HEAD";
          const init = isRead ? { headers: given.headers } : { headers: given.headers, body: given.body };
          const startedAt = performance.now();
          const asked = `/${path.slice(1)}?${given.query(takes)}`;
          const answer = await service.call(method, asked, init);
          expect(performance.now() - startedAt).toBeLessThan(5_000);
          answered.set(answer.status, (answered.get(answer.status) ?? 0) + 1);
          expect([200, 201, 204, 302, 400, 404, 405, 406, 409, 413, 415], answer.text).toContain(answer.status);
          // People who open the root, and nobody else, are led to the page.
          const { pathname } = new URL(`http://host/${path.slice(1)}`);
          if (answer.status === 302) expect([pathname, answer.headers["location"]]).toEqual(["/", "/docs"]);
          if (method === "HEAD") expect(answer.text).toBe("");
          expect(answer.headers["access-control-allow-origin"]).toBe("*");
          expect(hiddenFromPages(answer.headers)).toEqual([]);
          if (answer.status >= 400) {
            expect(answer.headers["content-type"]).toBe("application/problem+json");
          }
          if (answer.status >= 400 && method !== "HEAD") {
            const problem = problemSchema.parse(JSON.parse(answer.text));
            expect(problem.status).toBe(answer.status);
            expect(Buffer.byteLength(answer.text)).toBeLessThan(4_096);
            expect(problem.detail.isWellFormed()).toBe(true);
          }
          expect(answer.headers["x-request-id"]).toMatch(/^[A-Za-z0-9._:-]{1,128}$/);
        }),
        { numRuns: 4_000 },
      );
      // Requests that are all refused at the door would prove nothing.
      for (const status of [200, 400, 404, 405, 406, 415])
        expect(answered.get(status), String(status)).toBeGreaterThan(10);
      expect(unhandled).toEqual([]);
      const { bodies, streams, watches } = service.services;
      expect([bodies.used, streams.used, watches.size]).toEqual([0, 0, 0]);
    },
  );

  test("what was stored meanwhile can all be read, up to what is stored now", async () => {
    // How much of it exists depends on the draw: it may have been trimmed.
    const path = segmentPath(store, "s", "last", "/records?encoding=text");
    expect((await service.call("POST", path, json({ records: [{ payload: "last" }] }))).status).toBe(200);
    for (const encoding of ["base64", "text", "json"]) {
      const answer = await service.call("GET", `/v1/stores/${store}/spaces/s/entries?encoding=${encoding}&limit=10000`);
      expect(answer.status).toBe(200);
      expect(answer.json.entries.at(-1)).toMatchObject({ segment: "last" });
    }
  });
});
