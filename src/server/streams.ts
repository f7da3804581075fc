// The parts that all streamed answers share: who asks, and how a stream becomes an answer.
//
// Promise: a failure before the first piece is thrown, so that it becomes a proper status; leaving the answer leaves
// the stream.

import type { Logger } from "../core/logger.ts";
import type { Connection, HttpResponse } from "./http.ts";
import type { Caller } from "./overload.ts";
import type { Services } from "./services.ts";

export interface StreamContext {
  readonly services: Services;
  readonly connection: Connection;
  readonly caller: Caller;
  readonly requestId: string;
  readonly logger: Logger;
}

/** Nothing between may change a stream, or hold it back. */
const streamHeaders = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };

/** A stream as an answer. A failure before its first piece is thrown. */
export async function startedAnswer(
  type: string,
  pieces: AsyncGenerator<string, void, undefined>,
): Promise<HttpResponse> {
  const first = await pieces.next();
  return { status: 200, headers: { "content-type": type, ...streamHeaders }, body: resumed(first, pieces) };
}

async function* resumed(
  first: IteratorResult<string, void>,
  pieces: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  try {
    if (first.done !== true) yield first.value;
    yield* pieces;
  } finally {
    await pieces.return();
  }
}
