// Server-sent events, of reads or of statuses, for as long as the caller listens.
//
// Promise: it says something at once and at least every so often; what went wrong is an event of its own after what
// came before it; whoever leaves gives back at once what the stream holds.

import { inSpace, StoreError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Store } from "../store/store.ts";
import { problemOf } from "../wire/errors.ts";
import { mediaTypes } from "../wire/operation.ts";
import { logFailure } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import type { Services } from "./services.ts";
import { startedAnswer } from "./streams.ts";
import type { StreamContext } from "./streams.ts";

/** How long a browser waits before it reconnects. */
const reconnectMs = 1_000;

/** A live stream says it in its own words: `text` leaves at once; `place` is where the caller is when it has it. */
export interface LivePiece {
  readonly text: string;
  readonly place: LivePlace;
}

/** The id of an event, and the place as JSON: `next` of an answer. */
export interface LivePlace {
  readonly id: string;
  readonly next: string;
}

/** An event that says nothing but where the caller is: `live`, `heartbeat`, `end`. */
export function placeEvent(name: string, { id, next }: LivePlace, more = ""): string {
  return `event: ${name}\nid: ${id}\ndata: {"next":${next}${more}}\n\n`;
}

/** Whether a live stream is over for now: its time is up, or this instance is about to stop. */
export function isTimeUp({ clock, stopping }: Services, endsAt: number): boolean {
  return stopping.aborted || clock.elapsed() >= endsAt;
}

/**
 * A live stream, of reads or of statuses: it says something at once and at least every so often, and what went wrong as
 * an event.
 */
export function liveAnswer(
  context: StreamContext,
  store: Store,
  spaces: readonly SpaceName[],
  pieces: (context: StreamContext) => AsyncIterable<LivePiece>,
): Promise<HttpResponse> {
  return startedAnswer(mediaTypes.events, livePieces(context, store, spaces, pieces));
}

async function* livePieces(
  context: StreamContext,
  store: Store,
  spaces: readonly SpaceName[],
  open: (context: StreamContext) => AsyncIterable<LivePiece>,
): AsyncGenerator<string, void, undefined> {
  const { services, connection } = context;
  const { clock, options } = services;
  const held = services.livePlaces.take(context.caller, store.id, spaces);
  // A caller that leaves this stream ends its waits. The instance outlives its streams: none may stay tied to its
  // signal.
  const leaving = new AbortController();
  const signal = AbortSignal.any([connection.signal, leaving.signal]);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  if (services.stopping.aborted) stop();
  else services.stopping.addEventListener("abort", stop, { once: true });
  const own = {
    ...context,
    services: { ...services, stopping: stopping.signal },
    connection: { ...connection, signal },
  };
  const pieces = open(own)[Symbol.asyncIterator]();
  try {
    yield `: live\nretry: ${reconnectMs}\n\n`;
    let place: LivePlace | undefined;
    for (;;) {
      const next = pieces.next();
      while (!(await settlesWithin(clock, options.heartbeatMs, next))) {
        yield place === undefined ? ": still here\n\n" : placeEvent("heartbeat", place);
      }
      const piece = await next;
      if (piece.done === true) return;
      ({ place } = piece.value);
      if (piece.value.text !== "") yield piece.value.text;
    }
  } catch (error) {
    if (connection.signal.aborted) return;
    // The error of one of several spaces names the space already.
    const failed = spaces.length === 1 && spaces[0] !== undefined ? inSpace(spaces[0], error) : error;
    logFailure(context.logger, "a live stream failed", failed);
    // Not `error`: a browser's EventSource has an event of that name itself.
    const name = error instanceof StoreError && error.code === "trimmed" ? "trimmed" : "problem";
    yield `event: ${name}\ndata: ${JSON.stringify(problemOf(failed, context.requestId))}\n\n`;
  } finally {
    leaving.abort();
    services.stopping.removeEventListener("abort", stop);
    held.close();
    await pieces.return?.().catch(() => undefined);
  }
}

/** Whether the promise settles, either way, before the time is over. */
async function settlesWithin(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = Promise.withResolvers<boolean>();
  const cancel = clock.after(ms, () => timer.resolve(false));
  const settled = (): boolean => true;
  try {
    return await Promise.race([promise.then(settled, settled), timer.promise]);
  } finally {
    cancel();
  }
}
