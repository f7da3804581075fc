// Between the endpoints and the Functions library: the only place that knows the shapes of both.
//
// Promise: whatever happens there is an answer. A handler that throws, or a body that fails, would leave the caller
// hanging.

import type { HttpHandler, HttpResponseInit } from "@azure/functions";

import { StoreError } from "../core/errors.ts";
import { withCors, everyAnswer } from "./every-answer.ts";
import type { Origins } from "./every-answer.ts";
import type { Connection } from "./http.ts";
import type { Endpoint } from "./endpoint.ts";
import { problemAnswer } from "./endpoint.ts";
import type { Services } from "./services.ts";
import type { StreamGuard } from "./stream-guard.ts";

/** Somebody has to set something first. */
const misconfiguredRetryMs = 60_000;

export interface HttpParts {
  readonly services: Services;
  readonly guard: StreamGuard;
}

/** `parts` are asked for with the first request, so that loading a function costs nothing. */
export function functionsHandler(endpoint: Endpoint, parts: () => HttpParts, origins: Origins): HttpHandler {
  return async (request, context): Promise<HttpResponseInit> => {
    try {
      const { services, guard } = parts();
      const connection = guard.connection(context.invocationId);
      const { status, headers, body } = await everyAnswer(endpoint, services, request, connection);
      if (body === undefined) return { status, headers };
      if (typeof body === "string") return { status, headers, body };
      return { status, headers, body: guardedBytes(body, connection) };
    } catch (error) {
      // Endpoints never reject: the app's parts could not be made, and so it has no logger of its own.
      context.error("A request could not be answered.", error instanceof StoreError ? error.code : error);
      const { status, headers, body } = problemAnswer(error, { requestId: context.invocationId });
      return { status, headers: withCors(origins, request, headers), body: body as string };
    }
  };
}

/** For an app that cannot work: `reason` is for the log alone, as whoever calls cannot mend it. */
export function misconfiguredHandler(reason: StoreError): HttpHandler {
  return (_request, context): HttpResponseInit => {
    context.error("misconfigured", reason.message);
    const error = new StoreError("misconfigured", "The service's settings are wrong. Its log says which.", {
      retryAfterMs: misconfiguredRetryMs,
    });
    const { status, headers, body } = problemAnswer(error, { requestId: context.invocationId });
    return { status, headers, body: body as string };
  };
}

async function* guardedBytes(
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  connection: Connection,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  try {
    for await (const piece of pieces) {
      if (connection.signal.aborted) return;
      yield typeof piece === "string" ? encoder.encode(piece) : piece;
      // Asked for the next piece, the library has written this one.
      await connection.writable();
    }
  } catch (error) {
    // The code that made the body has logged the failure, with the request's id.
    if (connection.signal.aborted) return;
    if (!connection.destroy()) throw error;
  }
}
