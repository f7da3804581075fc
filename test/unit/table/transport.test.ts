// What is measured of requests to the storage.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { parseConnectionString } from "../../../src/table/connection.ts";
import { createTableAccount } from "../../../src/table/sdk.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { recordedTelemetry } from "../telemetry/recorded.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A service that gives these statuses in turn, the last one for ever; undefined is no answer at all. */
async function world(statuses: readonly (number | undefined)[]) {
  let seen = 0;
  server = createServer((request, response) => {
    const status = statuses[Math.min(seen, statuses.length - 1)];
    seen += 1;
    request.resume();
    if (status === undefined) return;
    const code = status === 404 ? "ResourceNotFound" : "InternalError";
    const body = status < 300 ? { value: [] } : { "odata.error": { code, message: { value: "words" } } };
    response.writeHead(status, { etag: 'W/"1"' }).end(status === 204 ? "" : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acct`;
  const telemetry = recordedTelemetry();
  const table = createTableAccount(
    parseConnectionString(`AccountName=acct;AccountKey=MDEy;TableEndpoint=${endpoint}`, "test", {
      allowInsecureHttp: false,
    }),
    { clock: systemClock, random: systemRandom, requestTimeoutMs: 200, readRetryMs: 1, telemetry },
  ).table("ttt");
  return { table, telemetry };
}

const of = (operation: string, rest: object): object => ({
  "db.system.name": "azure.tables",
  "db.operation.name": operation,
  ...rest,
});

test("a machine whose clock is a day off signs by the service's, once it has been told", async () => {
  const dates: number[] = [];
  server = createServer((request, response) => {
    dates.push(Date.parse(String(request.headers["x-ms-date"])));
    const isRight = Math.abs(dates.at(-1)! - Date.now()) < 900_000;
    const error = { code: "AuthenticationFailed", message: { value: "words" } };
    response.writeHead(isRight ? 200 : 403, { etag: 'W/"1"' });
    response.end(JSON.stringify(isRight ? { value: [] } : { "odata.error": error }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acct`;
  const text = `AccountName=acct;AccountKey=MDEy;TableEndpoint=${endpoint}`;
  const clock = { ...systemClock, now: () => systemClock.now() - 86_400_000 };
  const table = createTableAccount(parseConnectionString(text, "test", { allowInsecureHttp: false }), {
    ...{ clock, random: systemRandom },
  }).table("ttt");
  const read = () => table.query({ partition: "p", from: "0", to: "g" });
  await expect(read()).rejects.toMatchObject({ kind: "denied" });
  for (let times = 0; times < 3; times += 1) await expect(read()).resolves.toMatchObject({ rows: [] });
  expect(dates.map((date) => Math.abs(date - Date.now()) < 60_000)).toEqual([false, true, true, true]);
});

test("each request is told with its kind and its status; that there is no row is no failure", async () => {
  const { table, telemetry } = await world([404, 200, 204, 204]);
  await table.get("p", "r");
  await table.query({ partition: "p", from: "0", to: "g" });
  await table.submit("p", [{ kind: "insert", row: "r", properties: {} }]);
  await table.create();
  expect(telemetry.attributes("db.client.operation.duration")).toEqual([
    of("get", { "db.response.status_code": "404" }),
    of("query", { "db.response.status_code": "200" }),
    of("submit", { "db.response.status_code": "204" }),
    of("create", { "db.response.status_code": "204" }),
  ]);
  for (const seconds of telemetry.values("db.client.operation.duration")) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(5);
  }
  expect(telemetry.values("streamkit.storage.retries")).toEqual([]);
});

test("a read that is sent again is a retry, and every try is told", async () => {
  const { table, telemetry } = await world([500, 500, 200]);
  await table.query({ partition: "p", from: "0", to: "g" });
  const failed = of("query", { "db.response.status_code": "500", "error.type": "500" });
  expect(telemetry.attributes("db.client.operation.duration")).toEqual([
    failed,
    failed,
    of("query", { "db.response.status_code": "200" }),
  ]);
  expect(telemetry.attributes("streamkit.storage.retries")).toEqual([of("query", {}), of("query", {})]);
});

test("no answer in time is told as what it is", async () => {
  const { table, telemetry } = await world([undefined]);
  await expect(table.submit("p", [{ kind: "insert", row: "r", properties: {} }])).rejects.toThrow();
  expect(telemetry.attributes("db.client.operation.duration")).toEqual([of("submit", { "error.type": "timeout" })]);
});
