// Answers that are streams: lines of JSON to their end, and server-sent events for as long as the caller listens.
//
// Promise: memory is bounded by a piece; a caller that leaves stops the reads; a failure on the way is said in the stream's own
// words after what was read before it, never by a shorter stream.

import { problemOf } from "../wire/errors.ts";
import { entryText } from "../wire/entries.ts";
import type { Encoding } from "../wire/payload.ts";
import { mediaTypes } from "../wire/media.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Connection, HttpAnswer } from "./http.ts";
import type { Logger } from "../core/log.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Store } from "../store/store.ts";
import { logFailure } from "./serve.ts";
import type { Holder } from "./overload.ts";
import type { Reading } from "./reading.ts";
import type { Services } from "./services.ts";
import { watchAny } from "./space-watch.ts";
import type { SpaceWatch } from "./space-watch.ts";

/** A reader of a segment looks again by itself, at these intervals after a change: an apply may come late. */
const recheckMsMin = 25;
const recheckMsMax = 5_000;
/** What a browser waits before it reconnects. */
const reconnectMs = 1_000;
/** What a live stream says when there has been nothing to say for a while. */
export const heartbeat = ": still here\n\n";

export interface StreamContext {
  readonly services: Services;
  readonly connection: Connection;
  readonly holder: Holder;
  readonly requestId: string;
  readonly log: Logger;
}

/** Lines as an answer. A failure before the first of them is thrown, so that it becomes a proper status. */
export async function lineAnswer(context: StreamContext, lines: AsyncIterable<Line>): Promise<HttpAnswer> {
  return startedAnswer(mediaTypes.ndjson, linePieces(context, lines));
}

export interface Line {
  readonly text: string;
  /** Leaves at once, not when a piece is full. */
  readonly urgent?: boolean;
}

/** Every entry that matches, then the place to go on from. */
export async function* entryLines(
  context: StreamContext,
  reading: Reading,
  limit: number,
  encoding: Encoding,
): AsyncGenerator<Line, void, undefined> {
  for await (const entry of reading.read(limit, context.connection.gone)) {
    reading.advance(entry);
    yield { text: entryText(entry, encoding, true) };
  }
  yield { text: `{"next":${reading.next()}}` };
}

/** Every entry that matches as an event, then each that comes. */
export async function eventAnswer(
  context: StreamContext,
  store: Store,
  reading: Reading,
  limit: number,
  encoding: Encoding,
): Promise<HttpAnswer> {
  return liveAnswer(context, store, reading.spaces, events(context, store, reading, limit, encoding));
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
    const opened = await Promise.allSettled(reading.spaces.map((space) => services.watches.open(store, space)));
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

async function* events(
  context: StreamContext,
  store: Store,
  reading: Reading,
  limit: number,
  encoding: Encoding,
): AsyncGenerator<string, void, undefined> {
  const { services } = context;
  const { clock, options } = services;
  const { gone } = context.connection;
  const endsAt = clock.elapsed() + options.streamMs;
  let left = limit === 0 ? Infinity : limit;
  let complete = false;
  let waiting: Waiting | undefined;
  try {
    let saidAt = clock.elapsed();
    while (clock.elapsed() < endsAt && !gone.aborted) {
      let piece = "";
      let isCut = false;
      for await (const entry of reading.read(left === Infinity ? 0 : left, gone)) {
        reading.advance(entry);
        left -= 1;
        piece += `id: ${reading.eventId()}\ndata: ${entryText(entry, encoding, true)}\n\n`;
        if (piece.length < wireLimits.pieceCharacters) continue;
        yield piece;
        piece = "";
        isCut = clock.elapsed() >= endsAt;
        if (isCut) break;
      }
      if (piece === "" && clock.elapsed() - saidAt >= options.heartbeatMs) piece = heartbeat;
      if (piece !== "") {
        yield piece;
        saidAt = clock.elapsed();
      }
      complete = left === 0 || (!isCut && reading.finished());
      if (complete) break;
      if (waiting === undefined) {
        waiting = await Waiting.open(services, store, reading);
        continue; // What came before the watch was open.
      }
      const ms = Math.min(saidAt + options.heartbeatMs, endsAt) - clock.elapsed();
      await waiting.changed(Math.max(0, ms), gone);
    }
    if (gone.aborted) return;
    yield `event: end\ndata: {"next":${reading.next()},"complete":${complete}}\n\n`;
  } finally {
    waiting?.close();
  }
}

/** A live stream, of reads or of statuses: it says something at once, and what went wrong as an event. */
export function liveAnswer(
  context: StreamContext,
  store: Store,
  spaces: readonly SpaceName[],
  events: AsyncIterable<string>,
): Promise<HttpAnswer> {
  return startedAnswer(mediaTypes.events, livePieces(context, store, spaces, events));
}

async function* livePieces(
  context: StreamContext,
  store: Store,
  spaces: readonly SpaceName[],
  events: AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  const place = context.services.livePlaces.take(context.holder, store.id, spaces);
  try {
    yield `: live\nretry: ${reconnectMs}\n\n`;
    yield* events;
  } catch (error) {
    if (context.connection.gone.aborted) return;
    logFailure(context.log, "a live stream failed", error);
    yield `event: error\ndata: ${JSON.stringify(problemOf(error, context.requestId))}\n\n`;
  } finally {
    place.close();
  }
}

async function* linePieces(
  context: StreamContext,
  lines: AsyncIterable<Line>,
): AsyncGenerator<string, void, undefined> {
  const { gone } = context.connection;
  let piece = "";
  let started = false;
  const place = context.services.streams.open(context.holder);
  place.take(1);
  try {
    for await (const line of lines) {
      if (gone.aborted) return;
      piece += `${line.text}\n`;
      if (line.urgent !== true && piece.length < wireLimits.pieceCharacters) continue;
      yield piece;
      started = true;
      piece = "";
    }
    if (piece !== "") yield piece;
  } catch (error) {
    if (gone.aborted) return;
    if (!started && piece === "") throw error;
    logFailure(context.log, "a stream failed on its way", error);
    yield `${piece}${JSON.stringify(problemOf(error, context.requestId))}\n`;
  } finally {
    place.close();
  }
}

/** A stream as an answer. A failure before its first piece is thrown. */
async function startedAnswer(type: string, pieces: AsyncGenerator<string, void, undefined>): Promise<HttpAnswer> {
  const first = await pieces.next();
  return { status: 200, headers: { "content-type": type, "cache-control": "no-store" }, body: resumed(first, pieces) };
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
