// The rules for every answer, whichever endpoint it comes from: HEAD, and CORS.
//
// Promise: HEAD is answered as GET, without a body, and leaves behind nothing that the body would have needed. Pages of
// the origins in the settings may read every answer, success or error.

import type { Endpoint } from "./endpoint.ts";
import type { Connection, HttpRequest, SentResponse } from "./http.ts";
import type { Services } from "./services.ts";
import { operations } from "../wire/operations.ts";
import { exposedStreamHeaders, streamOperations } from "../wire/stream-calls.ts";

export async function everyAnswer(
  endpoint: Endpoint,
  services: Services,
  request: HttpRequest,
  connection: Connection,
): Promise<SentResponse> {
  const answered = await endpoint(services, request, connection);
  const answer = { ...answered, headers: withCors(services.origins, request, answered.headers) };
  if (request.method !== "HEAD") return answer;
  const { body, ...rest } = answer;
  if (body !== undefined && typeof body !== "string") await leave(body);
  return rest;
}

/** A body gives back what it holds when it ends; one that was never begun has no end. */
async function leave(body: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>): Promise<void> {
  for await (const _ of body) return;
}

// Which pages of other origins may call from a browser, and what they may see of an answer (CORS).
//
// Promise: the service answers for itself, where a front end could tell pages of no header. An origin that is not set
// gets no leave, and the answer's bytes stay the same for everyone but for these headers. Cookies are never asked for:
// keys and tokens are headers.

/** In the form that browsers send, or all; an empty set: none. */
export type Origins = ReadonlySet<string> | "*";

type Headers = Readonly<Record<string, string>>;

/** The headers of answers that a page may read only if they are named here. */
const exposed = [
  ...["accept-encoding", "allow", "date", "location", "retry-after", "www-authenticate", "x-request-id"],
  ...exposedStreamHeaders.map((name) => name.toLowerCase()),
].join(", ");

/** The request headers that the service reads. */
const read: readonly string[] = [
  ...["accept", "authorization", "content-encoding", "content-type"],
  ...["traceparent", "tracestate", "x-functions-key", "x-request-id"],
  ...[...operations, ...streamOperations].flatMap(({ headers }) =>
    Object.keys(headers.shape).map((name) => name.toLowerCase()),
  ),
];

/** Browsers ask again after this at the latest: the longest that all of them take, seconds. */
const preflightSeconds = 7_200;

/** `text`: `*`, or origins with commas between them. Undefined when one is none. */
export function parseOrigins(text: string): Origins | undefined {
  const given = text
    .split(",")
    .map((origin) => origin.trim())
    .filter((origin) => origin !== "");
  if (given.length === 1 && given[0] === "*") return "*";
  const origins = given.map(originOf).filter((origin) => origin !== undefined);
  return origins.length === given.length ? new Set(origins) : undefined;
}

/** `https://app.example.com/` as a browser writes it: without the slash, and without the port of the scheme. */
function originOf(text: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}`;
}

/** The headers of any answer to the request: `headers`, and what pages of other origins need. */
export function withCors(origins: Origins, request: HttpRequest, headers: Headers): Headers {
  if (origins !== "*" && origins.size === 0) return headers;
  const origin = allowedOrigin(origins, request);
  return {
    ...headers,
    ...(origin === undefined
      ? {}
      : { "access-control-allow-origin": origin, "access-control-expose-headers": exposed }),
    // Also to those that are no pages: what is kept of an answer to them is not for a page.
    ...(origins === "*" ? {} : { vary: [headers["vary"], "Origin"].filter((name) => name !== undefined).join(", ") }),
  };
}

/** Whether it is a browser that asks whether a page may send what it wants to send. */
export function isPreflight(origins: Origins, request: HttpRequest): boolean {
  return (
    request.method === "OPTIONS" &&
    request.headers.get("access-control-request-method") !== null &&
    allowedOrigin(origins, request) !== undefined
  );
}

/** The answer to a preflight. */
export function preflightHeaders(request: HttpRequest, methods: readonly string[]): Headers {
  // Tracing libraries of pages add headers of their own. They do nothing here, and refused they would keep the page
  // from calling.
  const asked = (request.headers.get("access-control-request-headers") ?? "").toLowerCase().split(",");
  const names = asked.map((name) => name.trim()).filter((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name));
  return {
    "access-control-allow-methods": methods.join(", "),
    "access-control-allow-headers": [...new Set([...read, ...names])].join(", "),
    "access-control-max-age": String(preflightSeconds),
  };
}

function allowedOrigin(origins: Origins, request: HttpRequest): string | undefined {
  if (origins === "*") return "*";
  const origin = request.headers.get("origin");
  return origin !== null && origins.has(origin) ? origin : undefined;
}
