// Entries as server-sent events: every one that matches, then each that comes.
//
// Promise: a client that reconnects by itself, with the id of the last event it got, misses nothing, gets nothing twice
// and no more than its limit, and is told when there is nothing to come back for.

import { EntryWriter } from "../wire/entries.ts";
import type { EntryForm } from "../wire/entry-form.ts";
import { eventIdOf } from "../wire/places.ts";
import type { ResumedAt } from "../wire/places.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Store } from "../store/store.ts";
import type { HttpResponse } from "./http.ts";
import type { Reading } from "./reading.ts";
import { emptyAnswer } from "./endpoint.ts";
import { isTimeUp, liveAnswer, placeEvent } from "./events.ts";
import type { LivePiece, LivePlace } from "./events.ts";
import type { StreamContext } from "./streams.ts";
import { awaitNews, Waiting } from "./waiting.ts";

export interface LiveWanted {
  readonly form: EntryForm;
  /** Over all connections of the reader; 0: no limit. */
  readonly limit: number;
  readonly resumed: ResumedAt | undefined;
}

/** 204 for a client that comes back though nothing more can come: it then stays away. */
export async function liveEntries(
  context: StreamContext,
  store: Store,
  reading: Reading,
  { form, limit, resumed }: LiveWanted,
): Promise<HttpResponse> {
  const left = limit === 0 ? Infinity : (resumed?.left ?? limit);
  if (resumed !== undefined && (left === 0 || (await isOver(reading, context)))) return emptyAnswer;
  return liveAnswer(context, store, reading.spaces, (own) => events(own, store, reading, left, form));
}

/** Whether nothing is left to be read, nor ever will be. */
async function isOver(reading: Reading, { connection }: StreamContext): Promise<boolean> {
  if (!reading.finished()) return false;
  for await (const _ of reading.read(1, connection.signal)) return false;
  return true;
}

async function* events(
  context: StreamContext,
  store: Store,
  reading: Reading,
  limit: number,
  form: EntryForm,
): AsyncGenerator<LivePiece, void, undefined> {
  const { services } = context;
  const { clock, options } = services;
  const { signal } = context.connection;
  const endsAt = clock.elapsed() + options.streamMs;
  const writer = new EntryWriter(form, true);
  let left = limit;
  let isLive = false;
  let complete = false;
  let waiting: Waiting | undefined;
  const place = (): LivePlace => ({
    id: eventIdOf({ place: reading.place(), left: left === Infinity ? undefined : left }),
    next: reading.next(),
  });
  try {
    while (!isTimeUp(services, endsAt) && !signal.aborted) {
      let piece = "";
      let isCut = false;
      for await (const entry of reading.read(left === Infinity ? 0 : left, signal)) {
        reading.advance(entry);
        left -= 1;
        piece += `id: ${place().id}\ndata: ${writer.text(entry)}\n\n`;
        if (piece.length < wireLimits.pieceCharacters) continue;
        yield { text: piece, place: place() };
        piece = "";
        isCut = isTimeUp(services, endsAt);
        if (isCut) break;
      }
      if (!isLive && !isCut && left > 0 && !reading.finished()) {
        isLive = true;
        piece += placeEvent("live", place());
      }
      // Also without an entry: a heartbeat then tells how far a filter has come.
      yield { text: piece, place: place() };
      complete = left === 0 || (!isCut && reading.finished());
      if (complete) break;
      if (waiting === undefined) {
        waiting = await Waiting.open(services, store, reading);
        continue; // It came before the watch was open.
      }
      const opened = waiting;
      await awaitNews(context, endsAt, (ms, signal) => opened.changed(ms, signal));
    }
    if (!signal.aborted) yield { text: placeEvent("end", place(), `,"complete":${complete}`), place: place() };
  } finally {
    waiting?.close();
  }
}
