// One HTTP invocation: through the library's own server when the app streams, by value when it does not.
// Promise: the client gets what it would get on Azure; where Azure would leave it hanging it gets a 500, and the log
// says so.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Agent, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { PassThrough, pipeline } from "node:stream";
import { membersOf, merged, type TriggerMetadata } from "./binding-data.ts";
import { type AppFunction, type FunctionApp, type InvocationOutcome, NoArguments } from "./function-app.ts";
import type { HostLog } from "./log.ts";
import { BodyTooLarge, type RequestBody } from "./request-body.ts";
import { leftoverPace, uploadEnd } from "./upload-end.ts";
import { within } from "./within.ts";

export interface HttpCall {
  readonly target: AppFunction;
  readonly params: Readonly<Record<string, string>>;
  /** Path and query as the host passes them on. */
  readonly url: string;
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

/**
 * Forwards the request to the library's server and runs the invocation that answers it: both at once, as the host does.
 */
export async function invokeStreamed(app: FunctionApp, uri: URL, call: HttpCall, body: ReadableBody): Promise<void> {
  const { request, response, target, log } = call;
  const category = `Function.${target.name}`;
  const invocationId = randomUUID();
  const invoked = app.invoke(target, { invocationId, data: { http: {} }, metadata: triggerMetadata(call, body) });
  const upstream = openRequest({
    agent,
    host: uri.hostname,
    port: uri.port,
    method: request.method,
    path: call.url,
    headers: forwardedHeaders(request, invocationId, body),
  });

  let answered = false;
  upstream.on("response", (answer) => {
    answered = true;
    // The app wants no more of the upload: what is left of it is read and dropped.
    answer.once("end", () => {
      if (body.kind === "streamed") body.stream.destroy();
      if (!upstream.writableFinished) upstream.destroy();
    });
    passOn(answer, call, invoked).catch(() => response.destroy());
  });
  response.on("close", () => {
    if (response.writableFinished) return;
    upstream.destroy();
    const text = `Executed 'Functions.${target.name}' (failed, id=${invocationId}): ResponseBodyCanceled`;
    log.write("error", category, text);
  });
  upstream.on("error", (error) => {
    // Of an answer that is there already it does not matter how the upload ended.
    if (answered || response.headersSent || response.destroyed) return;
    if (!(error instanceof BodyTooLarge)) {
      const text = `The app ended the request ${invocationId} without an answer: ${error.message}.`;
      log.write("error", category, text);
    }
    reply(response, error instanceof BodyTooLarge ? 500 : 502);
  });
  if (body.kind === "whole") {
    upstream.end(body.bytes);
  } else {
    body.stream.on("error", (error) => upstream.destroy(error));
    upstream.on("close", () => body.stream.destroy());
    request.on("close", () => {
      if (!request.complete) upstream.destroy();
    });
    // As the host's forwarder does: the app learns of the call now, however long its caller takes to send the first of
    // the body.
    upstream.flushHeaders();
    body.stream.pipe(upstream);
  }

  const outcome = await invoked;
  if (outcome.kind === "completed" && outcome.result !== null && outcome.result !== undefined) return;
  if (outcome.kind === "failed" && outcome.error instanceof NoArguments) {
    upstream.destroy();
    if (!response.headersSent) reply(response, 500);
    return;
  }
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

/**
 * The app's answer to the client: nothing of it before the upload has ended, or has stalled, and of one without a body
 * nothing before the invocation has, whose failure makes it a 500.
 */
async function passOn(
  answer: IncomingMessage,
  { request, response }: HttpCall,
  invoked: Promise<InvocationOutcome>,
): Promise<void> {
  const held = answer.pipe(new PassThrough());
  answer.on("error", (error) => held.destroy(error));
  // The host would wait on for one that stalls. Here whoever wrote it is to see the answer, and then that it was not
  // waited for.
  const isBehind = (await uploadEnd(request, leftoverPace)) === "behind";
  await Promise.race([once(held, "readable"), invoked]);
  if (held.readableLength === 0 && (await invoked).kind === "failed") return;
  if (response.headersSent || response.destroyed) return;
  const headers = [...passedOn(answer.rawHeaders), ...(isBehind ? ["connection", "close"] : [])];
  response.writeHead(answer.statusCode ?? 500, headers);
  response.flushHeaders();
  // Either side that ends early ends the other: nothing is produced for a client that is gone, and a cut answer stays a
  // cut answer.
  pipeline(held, response, () => undefined);
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
        url: `http://${request.headers.host ?? "localhost"}${call.url}`,
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

function forwardedHeaders(request: IncomingMessage, invocationId: string, body: ReadableBody): string[] {
  const own = new Set(["x-forwarded-host", "x-forwarded-proto", "content-length"]);
  const headers = passedOn(request.rawHeaders, own);
  // The host does not look whose it is.
  if (request.headers[invocationIdHeader] === undefined) headers.push(invocationIdHeader, invocationId);
  // HTTP/1.0 need not have one; the library's server answers nothing without.
  if (request.headers.host === undefined) headers.push("host", "localhost");
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
 * Beside headers and query it holds, each by its name, the members of a JSON body, the query and the route's
 * parameters, the later winning. So does the host, and so `request.params` of a streaming app holds what of it is text:
 * an app must not trust it.
 */
function triggerMetadata(call: HttpCall, body: ReadableBody): TriggerMetadata {
  const strings = Object.entries({ ...Object.fromEntries(call.query), ...call.params });
  return merged(
    bodyMembers(call.request, body),
    Object.fromEntries(strings.map(([key, string]) => [key, { string }])),
    {
      Headers: { json: JSON.stringify(joinedHeaders(call.request)) },
      Query: { json: JSON.stringify(Object.fromEntries(call.query)) },
    },
  );
}

function bodyMembers(request: IncomingMessage, body: ReadableBody): TriggerMetadata {
  // Parsed only while it costs nothing to speak of; the host parses larger ones too.
  if (body.kind !== "whole" || body.bytes.byteLength === 0 || body.bytes.byteLength > 65_536) return {};
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) return {};
  return membersOf(body.bytes.toString());
}

function joinedHeaders(request: IncomingMessage): Record<string, string> {
  const distinct = Object.entries(request.headersDistinct);
  return Object.fromEntries(distinct.map(([name, values]) => [name, (values ?? []).join(", ")]));
}
