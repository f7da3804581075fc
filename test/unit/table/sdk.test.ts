// The SDK side before a service that misbehaves as networks and services do.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { parseConnectionString } from "../../../src/table/connection.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { Table, TableAccount, Write } from "../../../src/table/port.ts";
import { createTableAccount } from "../../../src/table/sdk.ts";
import type { TableAccountOptions } from "../../../src/table/transport.ts";
import { systemClock, systemRandom } from "../../system.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const key = Buffer.from("key").toString("base64");
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** A service that gives these answers in turn, the last one for ever; and the table `t` of it. */
async function serviceWith(
  answers: readonly Answer[],
  credential = `AccountKey=${key}`,
  options: Partial<TableAccountOptions> = {},
): Promise<{ account: TableAccount; table: Table; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const answer = answers[Math.min(seen.length, answers.length - 1)]!;
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const text = `AccountName=acct;${credential};TableEndpoint=http://127.0.0.1:${port}/acct`;
  const account = createTableAccount(parseConnectionString(text, "test", { allowInsecureHttp: false }), {
    clock: systemClock,
    random: systemRandom,
    requestTimeoutMs: 300,
    readRetryMs: 1,
    ...options,
  });
  return { account, table: account.table("ttt"), seen };
}

const error =
  (status: number, code: string, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, headers).end(JSON.stringify({ "odata.error": { code, message: { value: "words" } } }));
const json =
  (value: unknown, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(200, headers).end(JSON.stringify(value));
const reset: Answer = (response) => response.destroy();
const silence: Answer = () => undefined;
const entity = {
  "odata.etag": 'W/"1"',
  PartitionKey: "p",
  RowKey: "r",
  Timestamp: "2030-01-01T00:00:00.1234567Z",
  n: "7",
  "n@odata.type": "Edm.Int64",
};
const row = {
  partition: "p",
  row: "r",
  etag: 'W/"1"',
  writtenAt: Date.UTC(2030, 0, 1, 0, 0, 0, 123),
  properties: { n: 7n },
};
const insert: Write = { kind: "insert", row: "r", properties: { n: 1n } };
const range = { partition: "p", from: "a", to: "z" };

test.each<[string, Answer, object]>([
  ["a reset connection", reset, { kind: "unavailable", effect: "unknown" }],
  ["500", error(500, "InternalError"), { kind: "unavailable", effect: "unknown" }],
  ["503 ServerBusy", error(503, "ServerBusy", { "retry-after": "2" }), { kind: "throttled", retryAfterMs: 2_000 }],
  ["429", error(429, "Slower"), { kind: "throttled", effect: "none" }],
  ["408", error(408, "Any"), { kind: "timeout", effect: "unknown" }],
  ["no answer", silence, { kind: "timeout", effect: "unknown" }],
])("a write is sent once, whatever comes back: %s", async (_, answer, failure) => {
  const { table, seen } = await serviceWith([answer]);
  await expect(table.submit("p", [insert])).rejects.toMatchObject({ name: "TableFailure", ...failure });
  await expect(table.submit("p", [insert, { ...insert, row: "s" }])).rejects.toMatchObject(failure);
  expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(["POST /acct/ttt", "POST /acct/$batch"]);
});

test("nothing listening is unavailable, and nothing was written", async () => {
  const { table } = await serviceWith([silence]);
  closing.splice(0).forEach((close) => close());
  await expect(table.submit("p", [insert])).rejects.toMatchObject({ kind: "unavailable", effect: "none" });
});

test("an answer that stops half-way is cut by the time-out", async () => {
  const { table } = await serviceWith([(response) => response.writeHead(200, { "content-length": "100" }).write("{")]);
  await expect(table.get("p", "r")).rejects.toMatchObject({ kind: "timeout", effect: "none" });
});

test("names of tables are read on, page by page, also after an empty one", async () => {
  const pageOf = (...names: string[]): unknown => ({ value: names.map((TableName) => ({ TableName })) });
  const { account, seen } = await serviceWith([
    json(pageOf(), { "x-ms-continuation-nexttablename": "acct!b" }),
    json(pageOf("b"), { "x-ms-continuation-nexttablename": "acct!c" }),
    json(pageOf("c", "d")),
  ]);
  const found: string[] = [];
  for await (const name of account.tableNames("a", "e")) found.push(name);
  expect(found).toEqual(["b", "c", "d"]);
  const asked = seen.map(({ url }) => new URL(url, "http://h").searchParams);
  expect(asked.map((query) => query.get("NextTableName"))).toEqual([null, "acct!b", "acct!c"]);
  for (const query of asked) expect(query.get("$filter")).toBe("TableName gt 'a' and TableName lt 'e'");
});

test("a read is tried again while the service is unavailable, three times in all", async () => {
  const lucky = await serviceWith([reset, error(500, "InternalError"), json(entity)]);
  expect((await lucky.table.get("p", "r")).row).toEqual(row);
  expect(lucky.seen).toHaveLength(3);
  const unlucky = await serviceWith([reset]);
  await expect(unlucky.table.query(range)).rejects.toMatchObject({ kind: "unavailable", effect: "none" });
  expect(unlucky.seen).toHaveLength(3);
});

test.each<[string, Answer, object]>([
  ["told to wait longer than it may take", error(503, "ServerBusy", { "retry-after": "60" }), { kind: "throttled" }],
  ["denied", error(403, "AuthenticationFailed"), { kind: "denied" }],
  ["without an answer in time", silence, { kind: "timeout" }],
  ["answered by something else", error(404, "NoSuchPage"), { kind: "rejected" }],
])("a read that is %s is not tried again", async (_, answer, failure) => {
  const { table, seen } = await serviceWith([answer]);
  await expect(table.get("p", "r")).rejects.toMatchObject(failure);
  expect(seen).toHaveLength(1);
});

test.each<[string, Answer]>([
  ["503 ServerBusy", error(503, "ServerBusy")],
  ["429", error(429, "TooManyRequests")],
  ["503", error(503, "Any")],
  ["504", error(504, "Any")],
])(
  "a single %s on a read is not noticed; of one that stays the caller is told after three tries",
  async (_, answer) => {
    const once = await serviceWith([answer, json(entity)]);
    expect((await once.table.get("p", "r")).row).toEqual(row);
    expect(once.seen).toHaveLength(2);
    const always = await serviceWith([answer]);
    await expect(always.table.query(range)).rejects.toMatchObject({ name: "TableFailure", effect: "none" });
    expect(always.seen).toHaveLength(3);
  },
);

test.each([429, 503])("a read that is answered %s is tried again no sooner than Retry-After says", async (status) => {
  const waits: number[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (ms, callback) => {
      // The time-outs of requests are the others.
      if (ms === 10_000) return systemClock.after(ms, callback);
      waits.push(ms);
      return systemClock.after(0, callback);
    },
  };
  const busy = error(status, "ServerBusy", { "retry-after": "2" });
  const { table, seen } = await serviceWith([busy, json(entity)], undefined, { clock, requestTimeoutMs: 10_000 });
  expect((await table.get("p", "r")).row).toEqual(row);
  expect(seen).toHaveLength(2);
  expect(waits).toEqual([2_000]);
});

test("a read that waits for its next try can be given up", async () => {
  const giveUp = new AbortController();
  const { table, seen } = await serviceWith([
    (response) => {
      giveUp.abort(new Error("enough"));
      response.destroy();
    },
  ]);
  await expect(table.get("p", "r", { signal: giveUp.signal })).rejects.toMatchObject({ kind: "aborted" });
  expect(seen).toHaveLength(1);
});

test.each<[string, Answer]>([
  ["no Date", (response) => ((response.sendDate = false), response.writeHead(204, { etag: "x" }).end())],
  ["no ETag", (response) => response.writeHead(204).end()],
])("a write that is answered with %s has an unknown outcome", async (_, answer) => {
  const { table } = await serviceWith([answer]);
  await expect(table.submit("p", [insert])).rejects.toMatchObject({ kind: "unavailable", effect: "unknown" });
});

test("a batch that is answered with too few parts has an unknown outcome", async () => {
  const part = "--c\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\nETag: x\r\n\r\n";
  const { table } = await serviceWith([(response) => response.writeHead(202).end(`${part}--c--`)]);
  const writes = [insert, { ...insert, row: "s" }];
  await expect(table.submit("p", writes)).rejects.toMatchObject({ kind: "unavailable", effect: "unknown" });
});

test("a refused batch tells the operation by the index that leads the message", async () => {
  const body = JSON.stringify({ "odata.error": { code: "UpdateConditionNotSatisfied", message: { value: "1:No." } } });
  const answer = `--c\r\n\r\nHTTP/1.1 412 Precondition Failed\r\n\r\n${body}\r\n--c--`;
  const { table } = await serviceWith([(response) => response.writeHead(202).end(answer)]);
  const writes = [insert, { ...insert, row: "s" }];
  expect(await table.submit("p", writes)).toMatchObject({ kind: "refused", reason: "changed", index: 1 });
});

test("an empty page goes on where its continuation says, with the row key or without", async () => {
  const next = "x-ms-continuation-NextPartitionKey";
  const { table, seen } = await serviceWith([
    json({ value: [] }, { [next]: "1!4!cA--", "x-ms-continuation-NextRowKey": "1!8!a+b=" }),
    json({ value: [] }, { [next]: "1!4!cA--" }),
    json({ value: [entity] }),
  ]);
  const first = await table.query(range, { top: 5 });
  expect(first.rows).toEqual([]);
  const second = await table.query(range, { continuation: first.continuation! });
  const third = await table.query(range, { continuation: second.continuation! });
  expect(third).toMatchObject({ rows: [row], continuation: undefined });
  const asked = seen.map(({ url }) => Object.fromEntries(new URL(url, "http://x").searchParams));
  const filter = { $filter: "PartitionKey eq 'p' and RowKey ge 'a' and RowKey le 'z'" };
  expect(asked).toEqual([
    { ...filter, $top: "5" },
    { ...filter, NextPartitionKey: "1!4!cA--", NextRowKey: "1!8!a+b=" },
    { ...filter, NextPartitionKey: "1!4!cA--" },
  ]);
});

test("properties of types that the port has not are left out", async () => {
  const foreign = {
    d: 1.5,
    i: 3,
    g: "x",
    "g@odata.type": "Edm.Guid",
    absent: null,
    t: "x",
    "t@odata.type": "Edm.DateTime",
  };
  const { table } = await serviceWith([json({ ...entity, ...foreign })]);
  expect((await table.get("p", "r")).row).toEqual(row);
});

test.each([["<html>"], ["[]"], ['{"value":[{}]}'], ['{"value":"x"}']])("a page of %s is no page", async (body) => {
  const { table } = await serviceWith([(response) => response.writeHead(200).end(body)]);
  await expect(table.query(range)).rejects.toMatchObject({ kind: "unavailable", effect: "none" });
});

test("a key signs, and is not sent", async () => {
  const { table, seen } = await serviceWith([json(entity)]);
  await table.get("p", "r");
  expect(seen[0]!.headers.authorization).toMatch(/^SharedKeyLite acct:/);
  expect(JSON.stringify(seen)).not.toContain(key);
});

test("a shared access signature goes with each request, beside its own parameters", async () => {
  const { table, seen } = await serviceWith([json({ value: [] })], "SharedAccessSignature=sv=2022&sig=a%3D%2B");
  await table.query(range, { top: 3 });
  const parameters = new URL(seen[0]!.url, "http://x").searchParams;
  expect(Object.fromEntries(parameters)).toMatchObject({ sv: "2022", sig: "a=+", $top: "3" });
  expect(seen[0]!.headers.authorization).toBeUndefined();
});

test("creating a table that is being deleted is unavailable, and says when to come back", async () => {
  const { table } = await serviceWith([error(409, "TableBeingDeleted")]);
  await expect(table.create()).rejects.toMatchObject({ kind: "unavailable", effect: "none", retryAfterMs: 10_000 });
});
