// The frame of every call: who asks, for what, in which form, and a proper answer whatever happens.
//
// Promise: an endpoint never rejects. Each answer has a request id; each error is a problem document; each request
// leaves one line in the log, which names the store, the space and the segment that it is about, and has no payloads
// and no keys.

import type * as z from "zod";

import type { LogFields, Logger } from "../core/logger.ts";
import { withFields } from "../core/logger.ts";
import { asKnown, isFailure, problemOf, retryAfterSeconds } from "../wire/errors.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { StoreId } from "../core/ids.ts";
import { mediaTypes, negotiate, mediaTypesOf, matchPath, queryPairs } from "../wire/operation.ts";
import type { MediaTypesOf, Operation } from "../wire/operation.ts";
import { parseWith } from "../wire/parse.ts";
import { authorise } from "./access.ts";
import type { Identity } from "./access.ts";
import { RequestBody } from "./body.ts";
import type { Caller, Holding } from "./overload.ts";
import { correlate, traceParentOf, measureRequest } from "./request-metrics.ts";
import type { Correlation } from "./request-metrics.ts";
import { gzipped, isPacked, packing, inPieces } from "./http.ts";
import type { Connection, HttpResponse, SentResponse, HttpRequest } from "./http.ts";
import type { Services } from "./services.ts";

/**
 * In the log and the metrics, of a caller that left before its answer began, or in the middle of its body: what proxies
 * write for it.
 */
const goneStatus = 499;

/** One request, parsed. */
export interface Call<Op extends Operation> {
  readonly params: z.output<Op["params"]>;
  readonly query: z.output<Op["query"]>;
  readonly headers: z.output<Op["headers"]>;
  /** The form of the answer that the caller prefers. */
  readonly accept: MediaTypesOf<Op["answer"]>;
  readonly contentType: string | null;
  readonly body: RequestBody;
  /** The caller, to count shares by. */
  readonly caller: Caller;
  /** The memory that the request holds; given back when the request is over. */
  readonly memory: Holding;
  readonly connection: Connection;
  readonly requestId: string;
  readonly logger: Logger;
  readonly method: string;
  /** As it was sent. */
  readonly url: string;
}

export type Handler<Op extends Operation> = (services: Services, call: Call<Op>) => Promise<HttpResponse>;
export type Endpoint = (services: Services, request: HttpRequest, connection: Connection) => Promise<SentResponse>;

/** An endpoint that carries its operation: whoever registers it cannot pair it with another. */
export type OperationEndpoint = Endpoint & { readonly operation: Operation };

export function endpoint<Op extends Operation>(operation: Op, handler: Handler<Op>): OperationEndpoint {
  const answer: Endpoint = async (services, request, connection) => {
    const correlation = correlate(request.headers, services.random);
    let logger = withFields(services.logger, { operation: operation.id, ...correlation });
    const { clock, telemetry } = services;
    const parent = traceParentOf(request.headers);
    const { method } = request;
    const startedAt = clock.elapsed();
    const done = (status: number, characters: number, error?: unknown): void => {
      const ms = clock.elapsed() - startedAt;
      const left = method === "HEAD" ? 0 : characters;
      logRequest(logger, { status, characters: left, ms: Math.round(ms) }, error);
      const { requestId } = correlation;
      measureRequest(telemetry, { operation, method, requestId, parent, status, error, ms, endedAt: clock.now() });
    };
    const body = new RequestBody(request, clock, services.bodyTimes);
    let memory: Holding | undefined;
    const finish = (): void => {
      memory?.close();
      // The connection closes on a caller that does not send the rest in time, with the answer or without.
      void body.drop().then((isOver) => isOver || connection.destroy());
    };
    try {
      const asked = await askedFor(operation, services, request);
      logger = withFields(logger, subjectOf(namedBy(asked.params)));
      const call = parseCall(operation, services, asked, body);
      memory = call.memory;
      const answered = await handler(services, { ...call, connection, requestId: correlation.requestId, logger });
      const answer = packing(inPieces(answered, call.memory), request.headers.get("accept-encoding"));
      const headers = { ...commonHeaders(correlation), ...answer.headers };
      if (answer.body === undefined || typeof answer.body === "string") {
        finish();
        done(answer.status, answer.body?.length ?? 0);
        return { ...answer, headers };
      }
      const ended = (characters: number, error?: unknown): void => {
        finish();
        if (body.brokeOff) done(goneStatus, characters);
        else done(answer.status, characters, error);
      };
      const pieces = untilDone(answer.body, ended);
      return { ...answer, headers, body: isPacked(answer) ? gzipped(pieces) : pieces };
    } catch (error) {
      finish();
      if (body.brokeOff || (connection.signal.aborted && error === connection.signal.reason)) {
        // Nobody hears the answer, and nothing is wrong: no error of the log, no 5xx of the metrics.
        done(goneStatus, 0);
        return { status: goneStatus, headers: commonHeaders(correlation) };
      }
      const answer = problemAnswer(error, correlation);
      done(answer.status, 0, error);
      return answer;
    }
  };
  return Object.assign(answer, { operation });
}

export function jsonAnswer(body: string, status = 200): HttpResponse {
  return { status, headers: { "content-type": mediaTypes.json, "cache-control": "no-store" }, body };
}

/** Done, and nothing to say. */
export const emptyAnswer: HttpResponse = { status: 204, headers: { "cache-control": "no-store" } };

export function problemAnswer(error: unknown, correlation: Correlation): HttpResponse {
  const problem = problemOf(error, correlation.requestId);
  const retryAfter = retryAfterSeconds(error);
  const { acceptedEncodings } = asKnown(error).details;
  return {
    status: problem.status,
    headers: {
      ...commonHeaders(correlation),
      "content-type": mediaTypes.problem,
      "cache-control": "no-store",
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      ...(Array.isArray(acceptedEncodings) ? { "accept-encoding": acceptedEncodings.join(", ") } : {}),
      ...(problem.code === "unauthenticated" ? { "www-authenticate": "Bearer" } : {}),
      ...(problem.code === "method_not_allowed" ? { allow: (problem.allowed ?? []).join(", ") } : {}),
    },
    body: JSON.stringify(problem),
  };
}

/** Refuses a request before it has come to an endpoint: with its line in the log, as every request. */
export function refuse({ logger, random }: Services, { headers }: HttpRequest, error: StoreError): HttpResponse {
  const correlation = correlate(headers, random);
  const answer = problemAnswer(error, correlation);
  logFailure(withFields(logger, { ...correlation, status: answer.status }), "request failed", error);
  return answer;
}

/** The loser of a race has done nothing wrong, and a busy store has many losers. */
const conflicts: ReadonlySet<ErrorCode> = new Set(["sequence_mismatch", "transaction_id_mismatch", "lease_held"]);

/**
 * Logs a failure of ours or of the storage with all there is to know, and a caller's mistake in a word. A caller that
 * is told to come back later gets a line without a stack: under load there are many, all alike. A conflict gets no line
 * unless all requests have one, because the store is there to decide conflicts.
 */
export function logFailure(logger: Logger, message: string, error: unknown): void {
  const { code, details } = asKnown(error);
  // If there are several spaces or segments, the fields name the one that failed.
  const fields = { ...subjectOf(details), code };
  if (code === "overloaded" || code === "throttled") logger.warn(message, { ...fields, ...reasonsOf(error) });
  else if (isFailure(code)) logger.error(message, { ...fields, error });
  else if (conflicts.has(code)) logger.debug(message, fields);
  else logger.info(message, fields);
}

/** The subjects of a request, or of an error, that a log line may name. */
const subjects = ["store", "space", "segment", "subscription"] as const;

/** The one thing in the paths that is called by its id alone is a subscription. */
function namedBy({ id: subscription, ...names }: LogFields): LogFields {
  return { ...names, subscription };
}

function subjectOf(fields: LogFields): LogFields {
  return Object.fromEntries(subjects.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])));
}

function reasonsOf(error: unknown): LogFields {
  const { message, cause } = error as Error;
  return { reason: message, ...(cause instanceof Error ? { cause: cause.message } : {}) };
}

interface Asked<Op extends Operation> {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly identity: Identity | undefined;
  readonly params: Call<Op>["params"];
}

/** Reads the subjects of the request first: whatever is wrong with the rest, a log line can name them. */
async function askedFor<Op extends Operation>(
  operation: Op,
  services: Services,
  request: HttpRequest,
): Promise<Asked<Op>> {
  const url = new URL(request.url);
  const identity = operation.access === "public" ? undefined : await services.access.authenticate(request);
  const path = matchPath(operation.path, url.pathname);
  if (path === undefined) throw new StoreError("not_found", "There is nothing at this path.");
  const params = parseWith(operation.params, Object.fromEntries(path)) as z.output<Op["params"]>;
  return { request, url, identity, params };
}

function parseCall<Op extends Operation>(
  operation: Op,
  services: Services,
  { request, url, identity, params }: Asked<Op>,
  body: RequestBody,
): Omit<Call<Op>, "connection" | "requestId" | "logger"> {
  const { store } = params as { readonly store?: StoreId };
  if (identity !== undefined && operation.access !== "public") authorise(identity, store ?? "*", operation.access);
  const caller: Caller = { caller: identity?.caller ?? "anyone", store };
  const query = parseWith(operation.query, queryOf(url, operation.query)) as z.output<Op["query"]>;
  const headers: Record<string, string> = {};
  for (const name of Object.keys(operation.headers.shape)) {
    const value = request.headers.get(name);
    // One that says nothing is as good as absent.
    if (value !== null && value.trim() !== "") headers[name] = value;
  }
  return {
    params,
    query: request.method === "HEAD" ? withoutWait(query) : query,
    headers: parseWith(operation.headers, headers) as z.output<Op["headers"]>,
    accept: acceptedForm(operation, request) as MediaTypesOf<Op["answer"]>,
    contentType: request.headers.get("content-type"),
    method: request.method,
    url: request.sentUrl ?? request.url,
    body,
    caller,
    memory: services.bodies.open(caller),
  };
}

/** HEAD asks for what is there now. */
function withoutWait<Query extends object>(query: Query): Query {
  return "wait" in query ? { ...query, wait: 0 } : query;
}

/** Undefined where the answer has no body. */
function acceptedForm(operation: Operation, request: HttpRequest): string | undefined {
  const offered = mediaTypesOf(operation.answer);
  return offered.length === 0 ? undefined : negotiate(request.headers.get("accept"), offered);
}

/**
 * Each parameter once, unless it is one of a list. `code`, in any case, is a key of the Functions host, which has read
 * it.
 */
function queryOf(url: URL, schema: z.ZodObject): Record<string, string | string[]> {
  const query = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of queryPairs(url.search, "code")) {
    const former = query[name];
    if (isList(schema, name)) query[name] = Array.isArray(former) ? [...former, value] : [value];
    else if (former === undefined) query[name] = value;
    else throw invalidArgument(name, "the parameter once");
  }
  return query;
}

/** Whether each time that the parameter is there is one more of a list. */
function isList(schema: z.ZodObject, name: string): boolean {
  return Object.hasOwn(schema.shape, name) && (schema.shape[name] as z.ZodType).safeParse([]).success;
}

async function* untilDone(
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  done: (characters: number, error?: unknown) => void,
): AsyncGenerator<string | Uint8Array, void, undefined> {
  let failure: unknown;
  let characters = 0;
  try {
    for await (const piece of pieces) {
      characters += piece.length;
      yield piece;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    done(characters, failure);
  }
}

function commonHeaders(correlation: Correlation): Record<string, string> {
  return { "x-request-id": correlation.requestId, "x-content-type-options": "nosniff" };
}

function logRequest(logger: Logger, fields: LogFields, error: unknown): void {
  if (error !== undefined) logFailure(withFields(logger, fields), "request failed", error);
  else logger.debug("request", fields);
}
