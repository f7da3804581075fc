// One call: attempts until one is answered, with pauses between them, a deadline, and the truth about a write that was
// tried more than once.
//
// Promise: a call is the same request however often it is sent, so every call is repeated. Of a write the error says
// `none` only when no attempt can have happened.

import { backOffOf, pauseMs, retryAfterMs } from "./back-off.ts";
import type { BackOff } from "./back-off.ts";
import { Authorisation } from "./credential.ts";
import type { Credential } from "./credential.ts";
import { errorOfAnswer, isStreamkitError, StreamkitError, withEffect } from "./errors.ts";
import type { FailedRequest } from "./errors.ts";
import { brokenOff } from "./lines.ts";
import type { OperationOptions, StreamkitClientOptions } from "./options.ts";
import { queryText } from "./paths.ts";
import type { Query } from "./paths.ts";
import { Following, pause } from "./timing.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly accept?: string;
  readonly contentType?: string;
  /** The same in every attempt. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether this refusal of a write rules out that an earlier attempt happened, or still may. Undefined for reads. */
  readonly refutes?: (error: StreamkitError) => boolean;
}

/** An answer whose body is still to come. Its owner reads it to its end, or closes it. */
export interface Stream {
  readonly response: Response;
  /** Ends the request. */
  readonly close: () => void;
}

/** An answer that was read to its end. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

const attemptMsDefault = 30_000;

export class Transport {
  /** Without a slash at its end. */
  readonly url: string;
  readonly #authorisation: Authorisation;
  readonly #fetch: typeof fetch;
  readonly #backOff: BackOff;
  readonly #log: NonNullable<StreamkitClientOptions["log"]>;

  constructor(url: string, credential: Credential | undefined, options: StreamkitClientOptions) {
    this.url = baseOf(url, credential !== undefined && options.allowInsecureConnection !== true);
    this.#authorisation = new Authorisation(credential, options.audience);
    // Called as a method of another object, the one of a browser fails.
    this.#fetch = options.fetch ?? ((...args) => fetch(...args));
    this.#backOff = backOffOf(options.retryOptions);
    this.#log = options.log ?? (() => undefined);
  }

  get backOff(): BackOff {
    return this.#backOff;
  }

  /** The answer as JSON. */
  async json(call: Call, options: OperationOptions): Promise<unknown> {
    return (await this.answer(call, options)).body;
  }

  /** Its status, and its body as JSON; undefined where it has none by its status. */
  async answer(call: Call, options: OperationOptions): Promise<{ readonly status: number; readonly body: unknown }> {
    const { status, text } = await this.send(call, options);
    try {
      return { status, body: status === 204 ? undefined : (JSON.parse(text) as unknown) };
    } catch (cause) {
      const effect = call.refutes === undefined ? undefined : "unknown";
      throw new StreamkitError("unexpected_answer", "The answer is not JSON.", { cause, effect });
    }
  }

  /** The answer, read to its end. */
  send(call: Call, options: OperationOptions): Promise<Answer> {
    return this.#repeated(call, options, (attempt) =>
      this.#attempt(call, options, attempt, async ({ response, close }) => {
        const text = await response.text();
        close();
        return { status: response.status, text };
      }),
    );
  }

  /** The answer as it comes. How long its body takes is up to the caller. */
  open(call: Call, options: OperationOptions): Promise<Stream> {
    return this.#repeated(call, options, (attempt) =>
      this.#attempt(call, options, attempt, (stream) => Promise.resolve(stream)),
    );
  }

  async #repeated<T>(call: Call, options: OperationOptions, run: (attempt: number) => Promise<T>): Promise<T> {
    const { abortSignal: signal } = options;
    const endsAt = performance.now() + this.#backOff.deadlineMs;
    let mayHaveHappened = false;
    let renewed = false;
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        return await run(attempt);
      } catch (failure) {
        if (!isStreamkitError(failure)) throw failure;
        if (failure.statusCode === 401 && !renewed && this.#authorisation.refused()) {
          renewed = true;
          continue;
        }
        const wait = isRepeated(failure) ? waitMs(failure, this.#backOff, attempt) : Infinity;
        if (performance.now() + wait >= endsAt) throw told(failure, call, mayHaveHappened);
        mayHaveHappened ||= failure.effect === "unknown";
        this.#log("repeated", { method: call.method, code: failure.code, attempt, waitInMs: wait });
        await pause(wait, signal);
      }
    }
  }

  /** `use` is a part of the attempt: what fails in it is repeated, and its time is that of the attempt. */
  async #attempt<T>(
    call: Call,
    options: OperationOptions,
    attempt: number,
    use: (stream: Stream) => Promise<T>,
  ): Promise<T> {
    const { method, path, query = {}, accept, contentType, body } = call;
    const { abortSignal, requestOptions = {}, tracingOptions = {}, onResponse } = options;
    const url = `${this.url}${path}${queryText(query)}`;
    const request: FailedRequest = { method, url };
    const isWrite = call.refutes !== undefined;
    const following = new Following(abortSignal);
    const { timeoutInMs = attemptMsDefault } = requestOptions;
    const late = new StreamkitError("timed_out", `No answer came within ${timeoutInMs} ms.`, {
      ...{ retryable: true, effect: isWrite ? "unknown" : undefined, request },
    });
    const timer = setTimeout(() => following.abort(late), timeoutInMs);
    const close = (): void => {
      following.release();
      following.abort();
    };
    try {
      const headers: Record<string, string> = {
        ...(accept === undefined ? {} : { accept }),
        ...(contentType === undefined ? {} : { "content-type": contentType }),
        ...call.headers,
        ...(await this.#authorisation.header(following.signal)),
        ...(tracingOptions.traceparent === undefined ? {} : { traceparent: tracingOptions.traceparent }),
        ...(tracingOptions.tracestate === undefined ? {} : { tracestate: tracingOptions.tracestate }),
        ...requestOptions.customHeaders,
      };
      const { signal } = following;
      const response = await this.#fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
      onResponse?.({ method, url, status: response.status, headers: response.headers, attempt });
      if (!response.ok) throw errorOfAnswer(await response.text(), request, response, isWrite);
      return await use({ response, close });
    } catch (failure) {
      close();
      abortSignal?.throwIfAborted();
      if (following.signal.reason === late) throw late;
      throw isStreamkitError(failure) ? failure : brokenOff(failure, isWrite, request);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A lease that another holds is not waited for: it may last for a day. */
export function isRepeated({ retryable, code }: StreamkitError): boolean {
  return retryable && code !== "lease_held";
}

/** This client's own pause, or a longer one if the service asks for it. */
export function waitMs(failure: StreamkitError, backOff: BackOff, attempt: number): number {
  const asked = retryAfterMs(failure.response?.headers.get("retry-after") ?? null, Date.now());
  return Math.max(asked ?? 0, pauseMs(backOff, attempt, Math.random()));
}

/** The last failure, with what is known of all attempts together. */
function told(failure: StreamkitError, { refutes }: Call, mayHaveHappened: boolean): StreamkitError {
  if (!mayHaveHappened || failure.effect !== "none" || refutes?.(failure) === true) return failure;
  return withEffect(failure, "unknown");
}

const loopback = /^(localhost|127(\.[0-9]+){3}|\[::1\])$/;

function baseOf(url: string, needsTls: boolean): string {
  const { protocol, hostname, origin, pathname } = new URL(url);
  if (needsTls && protocol !== "https:" && !loopback.test(hostname)) {
    throw new StreamkitError(
      "invalid_argument",
      "url: expected https, since a key or a token goes with each request; allowInsecureConnection allows http.",
    );
  }
  return `${origin}${pathname.replace(/\/+$/, "")}`;
}
