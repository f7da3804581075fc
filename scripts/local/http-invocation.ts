// One HTTP invocation: through the library's own server when the app streams, by value when it does not.
// Promise: the client gets what it would get on Azure; where Azure would leave it hanging it gets a 500, and the log says so.

import { randomUUID } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { Agent, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { AppFunction, FunctionApp } from "./function-app.ts";
import type { RpcTypedData } from "./functions-core.ts";
import type { HostLog } from "./log.ts";
import { BodyTooLarge, type RequestBody } from "./request-body.ts";
import { within } from "./within.ts";

export interface HttpCall {
  readonly target: AppFunction;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly log: HostLog;
}

type ReadableBody = Extract<RequestBody, { kind: "whole" | "streamed" }>;

const invocationIdHeader = "x-ms-invocation-id";
/** Meant for one connection, not for the next one. */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "expect"],
]);

// Given up long before the library's server closes an idle connection (5 s): a request must never meet that.
const agent = new Agent({ keepAlive: true, timeout: 1000 });

/** Forwards the request to the library's server and runs the invocation that answers it. */
export async function invokeStreamed(app: FunctionApp, uri: URL, call: HttpCall, body: ReadableBody): Promise<void> {
  const { request, response, target, log } = call;
  const category = `Function.${target.name}`;
  const invocationId = randomUUID();
  const upstream = openRequest({
    agent,
    host: uri.hostname,
    port: uri.port,
    method: request.method,
    path: request.url,
    headers: forwardedHeaders(request, invocationId, body),
  });

  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 500, passedOn(answer.rawHeaders));
    response.flushHeaders();
    // Either side that ends early ends the other: nothing is produced for a client that is gone, and a cut answer stays a cut answer.
    pipeline(answer, response, () => undefined);
  });
  response.on("close", () => {
    if (!response.writableFinished) upstream.destroy();
  });

  const received = whenReceived(invocationId);
  upstream.on("error", (error) => {
    received.cancel();
    if (response.headersSent || response.destroyed) return;
    if (error instanceof BodyTooLarge) {
      reply(response, 413);
      return;
    }
    log.write("error", category, `The app ended the request ${invocationId} without an answer: ${error.message}.`);
    reply(response, 502);
  });
  if (body.kind === "whole") {
    upstream.end(body.bytes);
  } else {
    body.stream.on("error", (error) => upstream.destroy(error));
    upstream.on("close", () => body.stream.destroy());
    request.on("close", () => {
      if (!request.complete) upstream.destroy();
    });
    body.stream.pipe(upstream);
  }

  // The library waits, without an end, for a request that never comes: the invocation begins when it is there.
  if (!(await received.arrival)) return;
  const outcome = await app.invoke(target, {
    invocationId,
    data: { http: {} },
    metadata: triggerMetadata(call, body),
  });
  if (outcome.kind === "completed" && outcome.result !== null && outcome.result !== undefined) return;
  // An app that looks after its streams has cut the connection itself; the news of it may be on its way.
  if (await within(250, ended(response))) return;
  let what = "The function returned nothing";
  if (outcome.kind === "failed")
    what = response.headersSent ? "The body of the answer failed in its middle" : "The function threw";
  log.write(
    "error",
    category,
    `${what}: on Azure, with HTTP streaming, the client of ${invocationId} would be left waiting.`,
  );
  if (response.headersSent) response.destroy();
  else reply(response, 500);
  upstream.destroy();
}

/** Hands the request over by value and sends what comes back. */
export async function invokeBuffered(app: FunctionApp, call: HttpCall, bytes: Buffer): Promise<void> {
  const { request, response, target } = call;
  const nullable = (values: Iterable<[string, string]>): Record<string, { value: string }> =>
    Object.fromEntries([...values].map(([key, value]) => [key, { value }]));
  const outcome = await app.invoke(target, {
    invocationId: randomUUID(),
    data: {
      http: {
        method: request.method,
        url: `http://${request.headers.host ?? "localhost"}${request.url ?? "/"}`,
        nullableHeaders: nullable(Object.entries(joinedHeaders(request))),
        nullableQuery: nullable(call.query),
        nullableParams: nullable(Object.entries(call.params)),
        body: { bytes },
      },
    },
    metadata: triggerMetadata(call, { kind: "whole", bytes }),
  });
  if (outcome.kind === "failed") {
    reply(response, 500);
    return;
  }
  const answer = outcome.response.returnValue?.http as BufferedAnswer | undefined;
  if (answer === undefined) {
    reply(response, 204);
    return;
  }
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (answer.cookies.length > 0) response.setHeader("set-cookie", answer.cookies.map(formatCookie));
  response.statusCode = Number(answer.statusCode);
  response.end(answer.body?.bytes ?? answer.body?.string ?? "");
}

/** An answer without a body, and without an end to a client that still sends: what it sends is dropped. */
export function reply(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-length": 0 }).end();
  response.req.resume();
}

interface BufferedAnswer {
  readonly statusCode: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly BufferedCookie[];
  readonly body?: { readonly bytes?: Uint8Array; readonly string?: string };
}

interface BufferedCookie {
  readonly name: string;
  readonly value: string;
  readonly domain?: { readonly value: string };
  readonly path?: { readonly value: string };
  readonly expires?: { readonly value: { readonly seconds: number } };
  readonly maxAge?: { readonly value: number };
  readonly secure?: { readonly value: boolean };
  readonly httpOnly?: { readonly value: boolean };
  readonly sameSite: "none" | "lax" | "strict" | "explicitNone";
}

function formatCookie(cookie: BufferedCookie): string {
  const parts = [`${cookie.name}=${encodeURIComponent(cookie.value)}`];
  if (cookie.maxAge !== undefined) parts.push(`Max-Age=${Math.floor(cookie.maxAge.value)}`);
  if (cookie.domain !== undefined) parts.push(`Domain=${cookie.domain.value}`);
  if (cookie.path !== undefined) parts.push(`Path=${cookie.path.value}`);
  if (cookie.expires !== undefined)
    parts.push(`Expires=${new Date(cookie.expires.value.seconds * 1000).toUTCString()}`);
  if (cookie.httpOnly?.value) parts.push("HttpOnly");
  if (cookie.secure?.value) parts.push("Secure");
  const sameSite = { none: undefined, lax: "Lax", strict: "Strict", explicitNone: "None" }[cookie.sameSite];
  if (sameSite !== undefined) parts.push(`SameSite=${sameSite}`);
  return parts.join("; ");
}

async function ended(response: ServerResponse): Promise<void> {
  if (!response.destroyed && !response.writableEnded) await once(response, "close");
}

const waiting = new Map<string, () => void>();
subscribe("http.server.request.start", (message) => {
  const { request } = message as { request: IncomingMessage };
  const id = request.headers[invocationIdHeader];
  if (typeof id === "string") waiting.get(id)?.();
});

/** When the library's server has the request: both run in this process. False when it never will. */
function whenReceived(invocationId: string): { arrival: Promise<boolean>; cancel(): void } {
  const arrival = Promise.withResolvers<boolean>();
  const settle = (arrived: boolean): void => {
    waiting.delete(invocationId);
    arrival.resolve(arrived);
  };
  waiting.set(invocationId, () => settle(true));
  return { arrival: arrival.promise, cancel: () => settle(false) };
}

function forwardedHeaders(request: IncomingMessage, invocationId: string, body: ReadableBody): string[] {
  const own = new Set([invocationIdHeader, "x-forwarded-host", "x-forwarded-proto", "content-length"]);
  const headers = passedOn(request.rawHeaders, own);
  headers.push(invocationIdHeader, invocationId);
  headers.push("x-forwarded-host", request.headers.host ?? "localhost", "x-forwarded-proto", "http");
  if (body.kind === "streamed") headers.push("transfer-encoding", "chunked");
  else if (body.bytes.byteLength > 0 || request.headers["content-length"] !== undefined) {
    headers.push("content-length", String(body.bytes.byteLength));
  }
  return headers;
}

/** Raw headers, name and value in turn, without those of the connection. */
function passedOn(rawHeaders: readonly string[], without: ReadonlySet<string> = new Set()): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    if (!hopByHop.has(name) && !without.has(name)) kept.push(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  return kept;
}

/**
 * Beside headers and query it holds, each by its name, the top-level strings of a JSON body, the query and the route's parameters,
 * the later winning. So does the host, and so `request.params` of a streaming app holds them all: an app must not trust it.
 */
function triggerMetadata(call: HttpCall, body: ReadableBody): Record<string, RpcTypedData> {
  const strings = { ...topLevelStrings(call.request, body), ...Object.fromEntries(call.query), ...call.params };
  return {
    ...Object.fromEntries(Object.entries(strings).map(([key, string]) => [key, { string }])),
    Headers: { json: JSON.stringify(joinedHeaders(call.request)) },
    Query: { json: JSON.stringify(Object.fromEntries(call.query)) },
  };
}

function topLevelStrings(request: IncomingMessage, body: ReadableBody): Record<string, string> {
  // Parsed only while it costs nothing to speak of; the host parses larger ones too.
  if (body.kind !== "whole" || body.bytes.byteLength === 0 || body.bytes.byteLength > 65_536) return {};
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) return {};
  try {
    const json: unknown = JSON.parse(body.bytes.toString());
    if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
    return Object.fromEntries(
      Object.entries(json).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
    );
  } catch {
    return {};
  }
}

function joinedHeaders(request: IncomingMessage): Record<string, string> {
  const distinct = Object.entries(request.headersDistinct);
  return Object.fromEntries(distinct.map(([name, values]) => [name, (values ?? []).join(", ")]));
}
