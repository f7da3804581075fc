// Follows what is written, for as long as the reader wants.
//
// Promise: every entry once and in order, through restarts of the service, broken connections and ones that fell silent; the place is kept
// here, so nothing is missed while there is no connection. It ends by its signal, by `close`, where the bounds end, or by a failure
// that a repeat does not cure.

import type { Codec } from "./codecs.ts";
import { entryOf } from "./entries.ts";
import type { Entry, EntryJson } from "./entries.ts";
import { errorOfProblem, isProblem, isStreamkitError, StreamkitError } from "./errors.ts";
import { eventsOf } from "./event-stream.ts";
import type { ServerEvent } from "./event-stream.ts";
import { linesOf, piecesOf } from "./lines.ts";
import type { OperationOptions } from "./options.ts";
import { parsed } from "./read.ts";
import type { Reading } from "./reading.ts";
import { deferred, Following, pause } from "./timing.ts";
import { isRepeated, waitMs } from "./transport.ts";
import type { Transport } from "./transport.ts";

/** It has one place: whoever iterates it once more goes on where the iteration before stopped. */
export interface Follower<T> extends AsyncIterable<Entry<T>>, AsyncDisposable {
  /**
   * Resolves when all that there was has been handed out; what follows is new. Rejects when the follower ends before. It comes true only
   * while somebody iterates.
   */
  caughtUp(): Promise<void>;
  /** Ends it, also while it waits. */
  close(): Promise<void>;
}

export function follower<T>(
  transport: Transport,
  reading: Reading,
  codec: Codec<T>,
  options: OperationOptions,
): Follower<T> {
  const ending = new Following(options.abortSignal);
  const reached = deferred();
  // Whoever does not ask is not told.
  reached.promise.catch(() => undefined);
  const entries = followed(transport, reading, codec, { ...options, abortSignal: ending.signal }, reached.resolve);
  const ended = (cause?: unknown): void => {
    ending.release();
    reached.reject(new StreamkitError("closed", "The follower ended before it had caught up.", { cause }));
  };
  const close = async (): Promise<void> => {
    ending.abort();
    await entries.return();
    ended();
  };
  const iterator: AsyncIterator<Entry<T>, void, undefined> = {
    async next() {
      try {
        const result = await entries.next();
        if (result.done === true) ended();
        return result;
      } catch (failure) {
        ended(failure);
        // Its signal is how a follower ends, not how it fails.
        if (ending.signal.aborted) return { done: true, value: undefined };
        throw failure;
      }
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
  };
  return {
    caughtUp: () => reached.promise,
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => iterator,
  };
}

async function* followed<T>(
  transport: Transport,
  reading: Reading,
  codec: Codec<T>,
  options: OperationOptions,
  caughtUp: () => void,
): AsyncGenerator<Entry<T>, void, undefined> {
  const { abortSignal: signal } = options;
  let lastEventId: string | undefined;
  let failures = 0;
  while (!reading.isOver()) {
    try {
      for await (const event of heard(transport, reading, lastEventId, options)) {
        if (event.name === "problem" || event.name === "trimmed") throw problemOf(event);
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        if (event.name === "message") {
          const entry = entryOf(parsed(event.data) as EntryJson, codec);
          reading.passed(entry);
          yield entry;
        } else if (event.name === "live") {
          caughtUp();
        } else if (event.name === "end") {
          if ((parsed(event.data) as { readonly complete?: boolean }).complete === true) return;
          break;
        }
      }
    } catch (failure) {
      signal?.throwIfAborted();
      if (!isStreamkitError(failure) || !isRepeated(failure)) throw failure;
      failures += 1;
      await pause(waitMs(failure, transport.backOff, failures), signal);
    }
  }
}

/** The events of one connection. Its last is `end`: that of a connection that breaks off is an error. */
async function* heard(
  transport: Transport,
  reading: Reading,
  lastEventId: string | undefined,
  options: OperationOptions,
): AsyncGenerator<ServerEvent, void, undefined> {
  const call = reading.call("text/event-stream");
  const resumed = lastEventId === undefined ? call : { ...call, headers: { "last-event-id": lastEventId } };
  const { response, close } = await transport.open(resumed, options);
  try {
    if (response.status === 204 || response.body === null) {
      // Nothing more can come.
      yield { name: "end", id: undefined, data: '{"complete":true}' };
      return;
    }
    yield* eventsOf(linesOf(piecesOf(response.body)));
    throw new StreamkitError("connection_failed", "The connection broke off.", { retryable: true });
  } finally {
    close();
  }
}

function problemOf({ data }: ServerEvent): StreamkitError {
  const problem = parsed(data);
  if (isProblem(problem)) return errorOfProblem(problem, {}, false);
  return new StreamkitError("unexpected_answer", "The stream ended with a problem that is none.");
}
