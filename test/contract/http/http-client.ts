// Requests to the HTTP interface: JSON answers, lines as they arrive, events; problems become errors with the server's
// code.

import { StoreError } from "../../../src/core/errors.ts";
import type { Effect, ErrorCode } from "../../../src/core/errors.ts";

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface RequestOptions {
  readonly method?: string;
  readonly body?: string | ReadableStream;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Told the place to go on from, when the lines have come to it. */
  readonly ended?: (next: unknown) => void;
}

export class HttpClient {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async json(path: string, query: Query, options: RequestOptions): Promise<unknown> {
    const response = await this.#send(path, query, "application/json", options);
    return response.json();
  }

  /** Undefined: the answer has no body. */
  async jsonOrNone(path: string, query: Query, options: RequestOptions): Promise<unknown> {
    const response = await this.#send(path, query, "application/json", options);
    return response.status === 204 ? undefined : response.json();
  }

  /** The lines of an answer, without the last that only says where to go on. Ends the request when left. */
  async *lines(path: string, query: Query, options: RequestOptions): AsyncGenerator {
    options.signal?.throwIfAborted();
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    try {
      const response = await this.#send(path, query, "application/x-ndjson", { ...options, signal });
      for await (const text of linesOf(response)) {
        options.signal?.throwIfAborted();
        const line: unknown = JSON.parse(text);
        if (isProblem(line)) throw errorOf(line);
        if (isEnd(line)) options.ended?.(line.next);
        else yield line;
      }
      options.signal?.throwIfAborted();
    } finally {
      leaving.abort();
    }
  }

  /** The lines of a stream of events, until the signal aborts. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<string> {
    yield* linesOf(await this.#send(path, {}, "text/event-stream", { signal }));
  }

  async #send(path: string, query: Query, accept: string, options: RequestOptions): Promise<Response> {
    const { method = "GET", body, contentType, headers, signal } = options;
    signal?.throwIfAborted();
    const response = await fetch(`${this.#base}${path}${queryText(query)}`, {
      method,
      headers: { accept, ...(contentType === undefined ? {} : { "content-type": contentType }), ...headers },
      ...(body === undefined ? {} : { body, duplex: "half" }),
      ...(signal === undefined ? {} : { signal }),
    }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new StoreError("storage_unavailable", "The service cannot be reached.", { effect: "unknown", cause });
    });
    if (response.ok) return response;
    const text = await response.text();
    // The host answers some requests by itself, without a body: a path with %00 is one.
    if (text === "" && response.status === 400)
      throw new StoreError("invalid_argument", "The host refused the request.");
    throw errorOf(JSON.parse(text));
  }
}

/** A connection that breaks is an error like any other that comes after what was read. */
async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  try {
    for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines.filter((line) => line !== "");
    }
  } catch (cause) {
    if (cause instanceof TypeError) {
      throw new StoreError("storage_unavailable", "The answer broke off.", { effect: "unknown", cause });
    }
    throw cause;
  }
}

function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? (value as readonly string[]) : value === undefined ? [] : [String(value)];
    for (const one of values) parameters.append(name, one);
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly effect?: Effect;
  readonly requestId?: string;
}

/** What every problem has; the rest are the details of the error. */
const ownMembers = new Set(["type", "title", "status", "detail", "code", "retryable", "effect", "requestId"]);

function isProblem(line: unknown): line is Problem {
  return typeof line === "object" && line !== null && "code" in line && "type" in line;
}

function isEnd(line: unknown): line is { readonly next: unknown } {
  return typeof line === "object" && line !== null && "next" in line;
}

function errorOf(problem: unknown): StoreError {
  if (!isProblem(problem)) throw new Error(`Not a problem document: ${JSON.stringify(problem)}`);
  const { code, detail, effect = "none" } = problem;
  const details = Object.fromEntries(Object.entries(problem).filter(([name]) => !ownMembers.has(name)));
  return new StoreError(code, detail, { effect, details });
}
