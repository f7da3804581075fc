// What the guard sees of connections, on a server that serves streams as carelessly as the Functions library does.

import { randomUUID } from "node:crypto";
import { createServer, request as send } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { InvocationContext, HttpRequest, HttpResponseInit } from "@azure/functions";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { functionsHandler } from "../../../src/server/functions-http.ts";
import type { HttpResponse } from "../../../src/server/http.ts";
import { endpoint as endpointOf, jsonAnswer } from "../../../src/server/endpoint.ts";
import type { Endpoint } from "../../../src/server/endpoint.ts";
import { guardStreams } from "../../../src/server/stream-guard.ts";
import type { StreamGuard } from "../../../src/server/stream-guard.ts";
import { health } from "../../../src/wire/operations/system.ts";
import { clock, openService, someone } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
let guard: StreamGuard;
let server: Server;
let endpoint: Endpoint;

beforeEach(async () => {
  service = await openService();
  guard = guardStreams(clock, 500);
  const handler = functionsHandler(
    (...args) => endpoint(...args),
    () => ({ services: service.services, guard }),
    new Set(),
  );
  server = createServer((request, response) => {
    const context = { invocationId: request.headers["x-ms-invocation-id"], error: () => undefined };
    const given = { url: `http://x${request.url ?? ""}`, headers: new Headers(), body: null, method: "GET" };
    void (async () => {
      const init = (await handler(
        given as unknown as HttpRequest,
        context as unknown as InvocationContext,
      )) as HttpResponseInit;
      const answer = new Response(init.body as ReadableStream | string, init);
      response.statusCode = answer.status;
      // As the library does: nothing looks at what `write` says, and what is thrown goes nowhere.
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    })().catch(() => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  guard.close();
  server.closeAllConnections();
  server.close();
  await service.dispose();
});

function ask(): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const headers = { "x-ms-invocation-id": randomUUID() };
    send({ port, host: "127.0.0.1", headers }, resolve).on("error", reject).end();
  });
}

/** As every call is served; the request's path is of no matter here. */
const served =
  (answer: () => HttpResponse): Endpoint =>
  (services, request, connection) => {
    const headers = new Headers({ "x-request-id": "request-1" });
    const given = { method: "GET", url: "http://x/health", headers, body: request.body };
    return endpointOf(health, () => Promise.resolve(answer()))(services, given, connection);
  };

const streamed = (body: AsyncIterable<string>): HttpResponse => ({ status: 200, headers: {}, body });

async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error("Not in time.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a streamed answer", () => {
  test("arrives piece by piece, whole", async () => {
    const pieces = Array.from({ length: 50 }, (_, index) => `${index} ${"x".repeat(10_000)}\n`);
    endpoint = () =>
      Promise.resolve(
        streamed(
          (async function* () {
            for (const piece of pieces) {
              await Promise.resolve();
              yield piece;
            }
          })(),
        ),
      );
    let text = "";
    for await (const chunk of await ask()) text += String(chunk);
    expect(text).toBe(pieces.join(""));
    await until(() => guard.size === 0);
  });

  test("waits for a caller that does not read, and lets it go when it stalls for too long", async () => {
    let made = 0;
    let ended = false;
    endpoint = () =>
      Promise.resolve(
        streamed(
          (async function* () {
            try {
              for (;;) {
                await Promise.resolve();
                made += 1;
                yield "x".repeat(64 * 1024);
              }
            } finally {
              ended = true;
            }
          })(),
        ),
      );
    const response = await ask();
    response.pause();
    response.on("error", () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const madeWhileStalled = made;
    expect(madeWhileStalled).toBeLessThan(300); // What the sockets hold: some MB. Without the guard: all there is.
    await until(() => ended);
    expect(made - madeWhileStalled).toBeLessThan(10);
  });

  test("stops the work when the caller leaves", async () => {
    const aborted: unknown[] = [];
    endpoint = (_services, _request, connection) => {
      connection.signal.addEventListener("abort", () => aborted.push(connection.signal.reason));
      return Promise.resolve(
        streamed(
          (async function* () {
            yield "first";
            await new Promise<void>((resolve) => connection.signal.addEventListener("abort", () => resolve()));
          })(),
        ),
      );
    };
    const response = await ask();
    response.on("error", () => undefined);
    await new Promise((resolve) => response.once("data", resolve));
    response.destroy();
    await until(() => aborted.length === 1);
    await until(() => guard.size === 0);
  });

  test("that fails on its way breaks off at once: it is not taken for a whole one; the log says whose it was", async () => {
    endpoint = served(() =>
      streamed(
        (async function* () {
          await Promise.resolve();
          yield "first";
          throw new Error("a mistake");
        })(),
      ),
    );
    const startedAt = performance.now();
    const read = async (): Promise<string> => {
      let text = "";
      for await (const chunk of await ask()) text += String(chunk);
      return text;
    };
    await expect(read()).rejects.toThrow(/aborted|hang up|reset/i);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    const lines = service.logged.filter((line) => line.includes("a mistake"));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: "error", requestId: "request-1" },
    ]);
  });
});

describe("a large answer that is there as a whole", () => {
  test("arrives whole, and is held against the budget until it has left", async () => {
    const text = "xключ😀".repeat(1_000_000);
    endpoint = served(() => jsonAnswer(text));
    const response = await ask();
    expect(service.services.bodies.used).toBe(Buffer.byteLength(text));
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString() === text).toBe(true);
    await until(() => service.services.bodies.used === 0);
  });

  test("waits for a caller that does not read, and is let go when that stalls for too long", async () => {
    endpoint = served(() => jsonAnswer("x".repeat(50_000_000)));
    const response = await ask();
    response.pause();
    response.on("error", () => undefined);
    expect(service.services.bodies.used).toBe(50_000_000);
    await until(() => service.services.bodies.used === 0);
    await until(() => guard.size === 0);
    expect(response.complete).toBe(false);
  });

  test("is refused, to be asked for again, when the instance holds too many of them", async () => {
    service.services.bodies.open(someone).take(service.services.bodies.max - 1_000);
    endpoint = served(() => jsonAnswer("x".repeat(100_000)));
    let text = "";
    for await (const chunk of await ask()) text += String(chunk);
    expect(JSON.parse(text)).toMatchObject({ status: 503, code: "overloaded", effect: "none" });
  });
});

test("a handler that throws is answered by a problem all the same", async () => {
  endpoint = () => {
    throw new Error("a mistake");
  };
  const response = await ask();
  let text = "";
  for await (const chunk of response) text += String(chunk);
  expect(response.statusCode).toBe(500);
  expect(JSON.parse(text)).toMatchObject({ code: "internal" });
});

test("a caller that was answered in full is not gone", async () => {
  const gone: boolean[] = [];
  endpoint = (_services, _request, connection) => {
    connection.signal.addEventListener("abort", () => gone.push(true));
    return Promise.resolve({ status: 200, headers: {}, body: "done" });
  };
  const response = await ask();
  response.resume();
  await until(() => guard.size === 0);
  expect(gone).toEqual([]);
});
