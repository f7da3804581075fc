// Answers that are streams: lines of JSON to their end, and server-sent events for as long as the caller listens.
//
// Promise: memory is bounded by a piece; a caller that leaves stops the reads; a failure on the way is said in the stream's own
// words after what was read before it, never by a shorter stream.

import { inSpace } from "../core/errors.ts";
import { problemOf } from "../wire/errors.ts";
import { entryText } from "../wire/entries.ts";
import type { EntryForm } from "../wire/entry-form.ts";
import { asOneLine } from "../wire/lines.ts";
import { mediaTypes } from "../wire/media.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Connection, HttpResponse } from "./http.ts";
import type { Logger } from "../core/logger.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../core/clock.ts";
import { logFailure } from "./endpoint.ts";
import type { Caller } from "./overload.ts";
import type { Reading } from "./reading.ts";
import type { Services } from "./services.ts";
import { watchAny } from "./space-watch.ts";
import type { SpaceWatch } from "./space-watch.ts";

/** A reader of a segment looks again by itself, at these intervals after a change: an apply may come late. */
const recheckMsMin = 25;
const recheckMsMax = 5_000;
/** What a browser waits before it reconnects. */
const reconnectMs = 1_000;

export interface StreamContext {
  readonly services: Services;
  readonly connection: Connection;
  readonly caller: Caller;
  readonly requestId: string;
  readonly logger: Logger;
}

/** Lines as an answer. A failure before the first of them is thrown, so that it becomes a proper status. */
export async function lineAnswer(context: StreamContext, lines: AsyncIterable<Line>): Promise<HttpResponse> {
  return startedAnswer(mediaTypes.ndjson, linePieces(context, lines));
}

export interface Line {
  readonly text: string;
  /** Leaves at once, not when a piece is full. */
  readonly urgent?: boolean;
}

/** Every entry that matches, then the place to go on from, and whether nothing more was there. */
export async function* entryLines(
  context: StreamContext,
  reading: Reading,
  limit: number,
  form: EntryForm,
): AsyncGenerator<Line, void, undefined> {
  for await (const entry of reading.read(limit, context.connection.signal)) {
    reading.advance(entry);
    yield { text: entryText(entry, form, true) };
  }
  yield { text: `{${nextMembers(reading)}}` };
}

/** `next` of an answer, and `end` when it showed all that there was. */
export function nextMembers(reading: Reading): string {
  return `"next":${reading.next()}${reading.isAtEnd() ? ',"end":true' : ""}`;
}

/** Waits, `ms` at most, until there may be something new for the reading. */
export class Waiting {
  readonly #watch: SpaceWatch;
  readonly #lags: boolean;
  #seen: number;
  #recheckMs = recheckMsMin;

  private constructor(watch: SpaceWatch, lags: boolean) {
    this.#watch = watch;
    this.#lags = lags;
    this.#seen = watch.version;
  }

  /** What is read after this has resolved, or after `changed` has, misses nothing. */
  static async open(services: Services, store: Store, reading: Reading): Promise<Waiting> {
    const opened = await Promise.allSettled(
      reading.spaces.map((space) =>
        services.watches.open(store, space).catch((error: unknown) => {
          throw inSpace(space, error);
        }),
      ),
    );
    const watches = opened.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const failed = opened.find((result) => result.status === "rejected");
    const watch = watchAny(watches);
    if (failed !== undefined) {
      watch.close();
      throw failed.reason as Error;
    }
    return new Waiting(watch, reading.lags);
  }

  async changed(ms: number, signal: AbortSignal): Promise<void> {
    await this.#watch.changed(this.#seen, this.#lags ? Math.min(ms, this.#recheckMs) : ms, signal);
    const moved = this.#watch.version > this.#seen;
    this.#seen = this.#watch.version;
    this.#recheckMs = moved ? recheckMsMin : Math.min(recheckMsMax, 2 * this.#recheckMs);
  }

  close(): void {
    this.#watch.close();
  }
}

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

/** Waits for something to come; that this instance is about to stop ends the wait. */
export async function awaitNews(
  { services, connection }: StreamContext,
  endsAt: number,
  changed: (ms: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, stopping } = services;
  try {
    await changed(Math.max(0, endsAt - clock.elapsed()), AbortSignal.any([connection.signal, stopping]));
  } catch (error) {
    if (!stopping.aborted || connection.signal.aborted) throw error;
  }
}

/** A live stream, of reads or of statuses: it says something at once and at least every so often, and what went wrong as an event. */
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
  // Whoever leaves this stream ends what it waits for. The instance outlives its streams: none may stay tied to its signal.
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
      yield piece.value.text;
    }
  } catch (error) {
    if (connection.signal.aborted) return;
    // Of several the one that failed is named already.
    const failed = spaces.length === 1 && spaces[0] !== undefined ? inSpace(spaces[0], error) : error;
    logFailure(context.logger, "a live stream failed", failed);
    // Not `error`: a browser's EventSource has an event of that name itself.
    yield `event: problem\ndata: ${JSON.stringify(problemOf(failed, context.requestId))}\n\n`;
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

async function* linePieces(
  context: StreamContext,
  lines: AsyncIterable<Line>,
): AsyncGenerator<string, void, undefined> {
  const { signal } = context.connection;
  let piece = "";
  let started = false;
  const place = context.services.streams.open(context.caller);
  place.take(1);
  try {
    for await (const line of lines) {
      if (signal.aborted) return;
      piece += `${asOneLine(line.text)}\n`;
      if (line.urgent !== true && piece.length < wireLimits.pieceCharacters) continue;
      yield piece;
      started = true;
      piece = "";
    }
    if (piece !== "") yield piece;
  } catch (error) {
    if (signal.aborted) return;
    if (!started && piece === "") throw error;
    logFailure(context.logger, "a stream failed on its way", error);
    yield `${piece}${JSON.stringify(problemOf(error, context.requestId))}\n`;
  } finally {
    place.close();
  }
}

/** Nothing between may change a stream, or hold it back. */
const streamHeaders = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };

/** A stream as an answer. A failure before its first piece is thrown. */
async function startedAnswer(type: string, pieces: AsyncGenerator<string, void, undefined>): Promise<HttpResponse> {
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
