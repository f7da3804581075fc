// What the local host answers before a function sees anything, and how it reads a path: as the host does.

import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
  ["/echo/a/b/..", "a"],
])("%s is the function's", async ([path, rest]) => {
  const answer = JSON.parse(await text(await send(app.url, path!, {}))) as { params: unknown };
  expect(answer.params).toEqual({ rest });
});

test("a target with a scheme is the path of the host that it names, which is the one of the Host header", async () => {
  const { host, port } = new URL(app.url);
  for (const authority of [host, `someone@${host}`]) {
    const answer = await send(app.url, `http://${authority}/echo/a`, {});
    expect(JSON.parse(await text(answer)), authority).toMatchObject({ params: { rest: "a" } });
  }
  for (const authority of ["elsewhere.example", "127.0.0.1", `localhost:${port}`, "", "[::1", "127.0.0.1:99999"]) {
    const answer = await send(app.url, `http://${authority}/echo/a`, {});
    expect([answer.statusCode, await text(answer)], authority).toEqual([400, ""]);
  }
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

describe("an upload that stalls", () => {
  /** What comes back of a request whose body is never whole, until the host closes the connection. */
  const stalled = async (url: string, head: string): Promise<string> => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(head.replace("\r\n", "\r\nhost: localhost\r\n"));
    return text(socket);
  };
  const chunked = "transfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n";

  test("gets the answer that was given without it, and its connection is closed", { timeout: 60_000 }, async () => {
    const own = await startApp({ env: { STREAMKIT_BODY_STALL_SECONDS: "1" } });
    try {
      const records = `/v1/stores/${randomUUID()}/spaces/a/segments/b/records?encoding=json`;
      const [early, whole, nowhere, tooSlow] = await Promise.all([
        stalled(app.url, `POST /early HTTP/1.1\r\n${chunked}`),
        stalled(app.url, "POST /upload HTTP/1.1\r\ncontent-length: 10\r\n\r\nbegin"),
        stalled(app.url, `POST /nowhere HTTP/1.1\r\n${chunked}`),
        stalled(own.url, `POST ${records} HTTP/1.1\r\ncontent-type: application/json\r\n${chunked}`),
      ]);
      expect(early).toMatch(/^HTTP\/1.1 403 [^]*connection: close[^]*\r\n\r\n[^]*no/i);
      expect(whole).toMatch(/^HTTP\/1.1 500 [^]*connection: close[^]*\r\n\r\n$/i);
      expect(nowhere).toMatch(/^HTTP\/1.1 404 /);
      expect(tooSlow).toMatch(/^HTTP\/1.1 408 [^]*"code":"request_timeout"/);
    } finally {
      await own.stop();
    }
  });
});

test("a host.json that stops the host on Azure is 503 for everything, and the log says why", async () => {
  const env = { ...noTriggers, AzureFunctionsJobHost__functionTimeout: "00:00:00" };
  const stopped = await startApp({ appRoot: await installFixture("streaming", "stopped"), env });
  try {
    for (const path of ["/state", "/nowhere", "/admin/host/status", "//x"]) {
      const answer = await send(stopped.url, path, {});
      expect([answer.statusCode, await text(answer)]).toEqual([503, ""]);
    }
    expect(stopped.logs().match(/Host\.Startup: .*/g)).toEqual([
      expect.stringMatching(/^Host\.Startup: host\.json cannot be used: .*at least 1000 ms.*functionTimeout/),
    ]);
  } finally {
    await stopped.stop();
  }
  expect(await stopped.exited).toBe(0);
});
