// Follows what is written, for as long as the reader wants.
//
// Promise: every entry once and in order, through restarts of the service, broken connections and ones that fell
// silent; the place is kept here, so nothing is missed while there is no connection. It ends by its signal, by `close`,
// where the bounds end, or by a failure that a repeat does not cure.

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
import type { Call, Transport } from "./transport.ts";

/** It has one place: whoever iterates it once more goes on where the iteration before stopped. */
export interface Follower<Item> extends AsyncIterable<Item>, AsyncDisposable {
  /**
   * Resolves when all that there was has been handed out; what follows is new. Rejects when the follower ends before.
   * It comes true only while somebody iterates.
   */
  caughtUp(): Promise<void>;
  /** Ends it, also while it waits. */
  close(): Promise<void>;
}

/** The source to follow: entries of a reading, or statuses. */
export interface Followed<Item> {
  /** Asks for what follows the present place. */
  call(accept: string): Call;
  /** The item of an event; from now on the place is behind it. Undefined: nothing to hand out. */
  item(event: ServerEvent): Item | undefined;
  /** Nothing more can come. */
  isOver(): boolean;
}

export function follower<Item>(
  transport: Transport,
  source: Followed<Item>,
  options: OperationOptions,
): Follower<Item> {
  const ending = new Following(options.abortSignal);
  const reached = deferred();
  // A caller that does not ask hears nothing.
  reached.promise.catch(() => undefined);
  const items = followed(transport, source, { ...options, abortSignal: ending.signal }, reached.resolve);
  const ended = (cause?: unknown): void => {
    ending.release();
    reached.reject(new StreamkitError("closed", "The follower ended before it had caught up.", { cause }));
  };
  const close = async (): Promise<void> => {
    ending.abort();
    await items.return();
    ended();
  };
  const iterator: AsyncIterator<Item, void, undefined> = {
    async next() {
      try {
        const result = await items.next();
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

async function* followed<Item>(
  transport: Transport,
  source: Followed<Item>,
  options: OperationOptions,
  caughtUp: () => void,
): AsyncGenerator<Item, void, undefined> {
  const { abortSignal: signal } = options;
  let lastEventId: string | undefined;
  let failures = 0;
  while (!source.isOver()) {
    try {
      for await (const event of heard(transport, source, lastEventId, options)) {
        if (event.name === "problem" || event.name === "trimmed") throw problemOf(event);
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        if (event.name === "live") {
          caughtUp();
        } else if (event.name === "end") {
          if ((parsed(event.data) as { readonly complete?: boolean }).complete === true) return;
          break;
        } else {
          const item = source.item(event);
          if (item !== undefined) yield item;
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
  source: Followed<unknown>,
  lastEventId: string | undefined,
  options: OperationOptions,
): AsyncGenerator<ServerEvent, void, undefined> {
  const call = source.call("text/event-stream");
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

/** The entries of a reading. */
export function followedEntries<T>(reading: Reading, codec: Codec<T>): Followed<Entry<T>> {
  return {
    call: (accept) => reading.call(accept),
    isOver: () => reading.isOver(),
    item({ name, data }) {
      if (name !== "message") return undefined;
      const entry = entryOf(parsed(data) as EntryJson, codec);
      reading.passed(entry);
      return entry;
    },
  };
}
