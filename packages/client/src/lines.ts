// The body of an answer as it comes: in pieces, or in lines.
//
// Promise: memory is bounded by a piece and a line; whoever takes nothing is sent nothing; a connection that has fallen
// silent is an error, as one that broke off is.

import { StreamkitError } from "./errors.ts";
import type { FailedRequest } from "./errors.ts";
import { deferred } from "./timing.ts";

/**
 * The service says something at least every 15 seconds: who has heard nothing for so long is not connected any more.
 */
const silenceMs = 35_000;

export async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await heard(reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    // The rest is not wanted; that it cannot be told to a broken connection is no failure of its own.
    reader.cancel().catch(() => undefined);
  }
}

/** Each line without its end. What follows the last end of a line is none: an answer that broke off ends in it. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of pieces) {
    const piece = decoder.decode(bytes, { stream: true });
    if (!piece.includes("\n")) {
      rest += piece;
      continue;
    }
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function heard<T>(reading: Promise<T>): Promise<T> {
  const silent = deferred<never>();
  const timer = setTimeout(() => {
    silent.reject(new StreamkitError("connection_failed", "The connection has fallen silent.", { retryable: true }));
  }, silenceMs);
  try {
    return await Promise.race([reading, silent.promise]);
  } catch (failure) {
    if (failure instanceof StreamkitError) throw failure;
    throw brokenOff(failure, false);
  } finally {
    clearTimeout(timer);
  }
}

/** The error of a connection that breaks, whatever the platform throws. */
export function brokenOff(cause: unknown, isWrite: boolean, request?: FailedRequest): StreamkitError {
  return new StreamkitError("connection_failed", "The service cannot be reached, or the connection broke off.", {
    ...{ retryable: true, effect: isWrite ? "unknown" : undefined, cause, request },
  });
}
