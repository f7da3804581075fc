// Bytes that no client library would send, straight into the socket of the compiled app: it answers or hangs up, and
// stays well.

import { randomUUID } from "node:crypto";
import { connect } from "node:net";

import { afterAll, beforeAll, expect, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const store = randomUUID();
const records = `/v1/stores/${store}/spaces/s/segments/g/records`;
const entries = `/v1/stores/${store}/spaces/s/segments/g/entries`;

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** What comes back until the other side closes, or `ms` have passed. */
function exchange(bytes: string | Buffer, ms = 3_000): Promise<string> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
    setTimeout(() => socket.destroy(), ms).unref();
  });
}

const head = (method: string, path: string, ...headers: string[]): string =>
  [`${method} ${path} HTTP/1.1`, "host: localhost", "connection: close", ...headers, "", ""].join("\r\n");
const from = (host: string): string => `GET ${entries} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
const chunked = [`content-type: application/x-ndjson`, "transfer-encoding: chunked"];

const requests: readonly (readonly [what: string, bytes: string | Buffer, expected: RegExp])[] = [
  ["a method of no one", head("BREW", entries), /^(HTTP\/1.1 (400|404|405|501)|$)/],
  ["a method of lower case", head("get", entries), /^(HTTP\/1.1 (200|400|404|405)|$)/],
  // It is read as the root, which leads people to the page.
  ["no path", head("GET", "*"), /^(HTTP\/1.1 (302|400|404)|$)/],
  ["an absolute target", head("GET", `http://localhost${entries}`), /^HTTP\/1.1 200/],
  ["an absolute target elsewhere", head("GET", `http://elsewhere.example${entries}`), /^HTTP\/1.1 400/],
  ["an absolute target of no host", head("GET", `http:///${entries}`), /^HTTP\/1.1 400/],
  ["an absolute target of half an address", head("GET", `http://[::1${entries}`), /^HTTP\/1.1 400/],
  ["an absolute target of escapes alone", head("GET", `http://%%%${entries}`), /^HTTP\/1.1 400/],
  ["a Host that is no address", from("127.999.1.1"), /^HTTP\/1.1 400/],
  ["a Host with a blank", from("local host"), /^HTTP\/1.1 400/],
  ["a Host that is half an address", from("[::1"), /^HTTP\/1.1 400/],
  ["a Host with a port that is none", from("localhost:99999"), /^HTTP\/1.1 400/],
  ["a Host that is empty", from(""), /^HTTP\/1.1 400/],
  ["two Hosts", from("localhost\r\nhost: localhost"), /^HTTP\/1.1 400/],
  ["no Host", `GET ${entries} HTTP/1.1\r\nconnection: close\r\n\r\n`, /^HTTP\/1.1 400/],
  ["no Host, as HTTP/1.0 may", `GET ${entries} HTTP/1.0\r\n\r\n`, /^HTTP\/1.1 200[^]*"entries":\[\]/],
  ["a path that climbs", head("GET", "/v1/../../../../etc/passwd"), /^(HTTP\/1.1 (400|404)|$)/],
  ["a path of half an escape", head("GET", `/v1/stores/${store}/spaces/%e2%82/entries`), /^HTTP\/1.1 400/],
  ["a path with a null", head("GET", `/v1/stores/${store}/spaces/%00/entries`), /^HTTP\/1.1 400/],
  ["a path of 60 kB", head("GET", `/v1/stores/${store}/spaces/${"a".repeat(60_000)}/entries`), /^HTTP\/1.1 4/],
  ["a header of 100 kB", head("GET", entries, `x: ${"a".repeat(100_000)}`), /^(HTTP\/1.1 4|$)/],
  ["two lengths", head("POST", records, "content-length: 1", "content-length: 2"), /^(HTTP\/1.1 400|$)/],
  ["a negative length", head("POST", records, "content-length: -1"), /^(HTTP\/1.1 400|$)/],
  ["an impossible length", head("POST", records, "content-length: 99999999999999"), /^HTTP\/1.1 500/],
  [
    "a body cut short",
    `${head("POST", records, "content-type: application/json", "content-length: 100")}{"re`,
    /^$|^HTTP/,
  ],
  ["a chunk of no size", `${head("POST", records, ...chunked)}zz\r\n{}\r\n0\r\n\r\n`, /^(HTTP\/1.1 500|$)/],
  ["chunks cut short", `${head("POST", records, ...chunked)}5\r\n{"pa`, /^$|^HTTP/],
  [
    "a body of noise",
    Buffer.concat([
      Buffer.from(`${head("POST", records, ...chunked)}4\r\n`),
      Buffer.from([0xff, 0, 0x0a, 0x80]),
      Buffer.from("\r\n0\r\n\r\n"),
    ]),
    /^HTTP\/1.1 400/,
  ],
  ["noise alone", Buffer.from([0x16, 0x03, 0x01, 0, 0xff, 0x0a, 0x0d]), /^(HTTP\/1.1 400|$)/],
  ["a guessed invocation id", head("GET", entries, `x-ms-invocation-id: ${randomUUID()}`), /^(HTTP\/1.1 500|$)/],
  ["an invocation id that is an event's name", head("GET", entries, "x-ms-invocation-id: error"), /^(HTTP\/1.1 500|$)/],
  [
    "forged forwarding",
    head("GET", entries, "x-forwarded-host: evil/%%%", "x-forwarded-proto: javascript"),
    /^HTTP\/1.1 (200|400)/,
  ],
];

test.each(requests)("%s", async (_what, bytes, expected) => {
  expect(await exchange(bytes)).toMatch(expected);
  const well = await fetch(`${app.url}/health?deep=true`);
  expect(well.status).toBe(200);
});

test("nothing of it was an unexplained failure, or stored", async () => {
  expect(app.logs()).not.toMatch(/"code":"internal"|unhandled|uncaught|would hang/i);
  expect(await (await fetch(`${app.url}${entries}`)).json()).toEqual({ entries: [], next: 1, end: true });
});
