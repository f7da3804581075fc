// What the local host answers before a function sees anything, and how it reads a path: as the host does.

import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installFixture, noTriggers, send } from "./fixtures.ts";
import { type RunningApp, startApp } from "./harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp({ appRoot: await installFixture("streaming", "front"), env: noTriggers });
});
afterAll(() => app.stop());

test.for([
  ["a method and path of more than 8 KiB", `/echo/${"a".repeat(8_200)}`, {}, 414],
  ["a header of more than 32 KiB", "/echo/a", { x: "a".repeat(33_000) }, 431],
  [
    "more than 100 headers",
    "/echo/a",
    Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`x-${at}`, "1"])),
    431,
  ],
  ["a zero byte in the path", "/echo/%00", {}, 400],
  ["two slashes at the beginning", "//echo/a", {}, 404],
] as const)("%s: an answer of the host without a body", async ([, path, headers, status]) => {
  const answer = await send(app.url, path, { headers });
  expect([answer.statusCode, await text(answer)]).toEqual([status, ""]);
});

test.for([
  ["/ECHO/b/../a", "a"],
  ["/echo/./%2e%2E/echo/a", "a"],
  ["/../../echo/a", "a"],
  ["/echo\\a", "a"],
  ["http://elsewhere.example/echo/a", "a"],
  ["/echo/a/b/..", "a"],
])("%s is the function's", async ([path, rest]) => {
  const answer = JSON.parse(await text(await send(app.url, path!, {}))) as { params: unknown };
  expect(answer.params).toEqual({ rest });
});

test("bytes beyond ASCII in a path, and a chunk that is none, are the host's own errors", async () => {
  const raw = async (bytes: string): Promise<string> => {
    const { hostname, port } = new URL(app.url);
    const socket = connect(Number(port), hostname);
    socket.end(Buffer.from(bytes, "latin1"));
    return text(socket);
  };
  expect(await raw("GET /echo/\u00e9 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).toMatch(
    /^HTTP\/1.1 400 /,
  );
  const chunked = "POST /upload HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
  expect(await raw(chunked)).toMatch(/^HTTP\/1.1 500 [^]*content-length: 0\r\n\r\n$/);
});
