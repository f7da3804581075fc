// Statuses as they change: a page that may be waited for, or a stream of events.
//
// Promise: a reader that is slow gets the last status of each segment, not all that were between; it is asked for the
// next piece only when it has taken the one before. A segment whose status cannot be read is told as such, and logged.

import { invalidArgument } from "../core/errors.ts";
import type { SegmentStatus } from "../core/entry.ts";
import type { SpaceName } from "../core/ids.ts";
import { segmentsWanted } from "../core/segments-wanted.ts";
import { compareUtf8 } from "../codec/lexkey.ts";
import type { Store } from "../store/store.ts";
import { statusText } from "../wire/entries.ts";
import { asOneLine } from "../wire/json-text.ts";
import { mediaTypes } from "../wire/operation.ts";
import { liveStatus as liveStatusOperation } from "../wire/operations/live.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { HttpResponse } from "./http.ts";
import { jsonAnswer, endpoint } from "./endpoint.ts";
import type { SpaceWatch } from "./space-watch.ts";
import { StatusReading } from "./status-reading.ts";
import type { StatusesWanted, UnreadableStatus } from "./status-reading.ts";
import { isTimeUp, liveAnswer, placeEvent } from "./events.ts";
import type { LivePiece, LivePlace } from "./events.ts";
import type { StreamContext } from "./streams.ts";
import { awaitNews } from "./waiting.ts";

export const liveStatus = endpoint(liveStatusOperation, async (services, call) => {
  const { params, query, headers, accept } = call;
  const store = services.stores.open(params.store);
  const wanted = { space: params.space, ...segmentsWanted(query.segment, query.prefix) };
  const { wait = 0 } = query;
  const context = { ...call, services };
  const resumed = headers["Last-Event-ID"] ?? "";
  const reading = new StatusReading(store, wanted, resumed === "" ? (query.cursor ?? "") : resumed);
  if (accept === mediaTypes.events) {
    if (wait > 0) throw invalidArgument("wait", `nothing with Accept: ${accept}`);
    return liveAnswer(context, store, [wanted.space], (own) => events(own, store, wanted, reading));
  }
  return answerPage(context, store, wanted, reading, wait);
});

/**
 * A page of the snapshot, with what changed meanwhile when it is the last; or what has changed, once there is
 * something.
 */
async function answerPage(
  context: StreamContext,
  store: Store,
  { space }: StatusesWanted,
  reading: StatusReading,
  waitSeconds: number,
): Promise<HttpResponse> {
  const { services, connection } = context;
  const { signal } = connection;
  const statuses = new Map<string, SegmentStatus>();
  const isFollowing = reading.follows;
  for await (const status of reading.snapshot(wireLimits.pageNamesDefault, signal)) {
    statuses.set(status.segment, status);
  }
  if (reading.follows) for (const status of await reading.changes(signal)) statuses.set(status.segment, status);
  const answer = (answered: readonly SegmentStatus[], unreadable: readonly UnreadableStatus[]): HttpResponse => {
    logUnreadable(context, store, space, unreadable);
    return pageAnswer(answered, unreadable, reading);
  };
  const unreadable = reading.takeUnreadable();
  if (statuses.size > 0 || unreadable.length > 0 || waitSeconds === 0 || !isFollowing) {
    return answer([...statuses.values()], unreadable);
  }

  const endsAt = services.clock.elapsed() + waitSeconds * 1_000;
  const place = services.livePlaces.take(context.caller, store.id, [space]);
  let watch: SpaceWatch | undefined;
  try {
    watch = await services.watches.open(store, space);
    for (;;) {
      const seen = watch.version;
      const changed = await reading.changes(signal);
      const unreadableNow = reading.takeUnreadable();
      const left = endsAt - services.clock.elapsed();
      if (changed.length > 0 || unreadableNow.length > 0 || left <= 0) return answer(changed, unreadableNow);
      if (!reading.isBehind) await watch.changed(seen, left, signal);
    }
  } finally {
    watch?.close();
    place.close();
  }
}

function pageAnswer(
  statuses: readonly SegmentStatus[],
  unreadable: readonly UnreadableStatus[],
  reading: StatusReading,
): HttpResponse {
  const sorted = statuses.toSorted((a, b) => compareUtf8(a.segment, b.segment));
  const rest = unreadable.length === 0 ? "" : `,"unreadable":[${unreadable.map(unreadableText).join(",")}]`;
  return jsonAnswer(
    `{"statuses":[${sorted.map(statusText).join(",")}],"next":${JSON.stringify(reading.cursor)}${rest}}`,
  );
}

async function* events(
  context: StreamContext,
  store: Store,
  { space }: StatusesWanted,
  reading: StatusReading,
): AsyncGenerator<LivePiece, void, undefined> {
  const { services, connection } = context;
  const { clock, options } = services;
  const { signal } = connection;
  const endsAt = clock.elapsed() + options.streamMs;
  const place = (): LivePlace => ({ id: reading.cursor, next: JSON.stringify(reading.cursor) });
  const unreadableEvents = (): string => {
    const unreadable = reading.takeUnreadable();
    logUnreadable(context, store, space, unreadable);
    return unreadable.map((one) => `event: unreadable\ndata: ${unreadableText(one)}\n\n`).join("");
  };
  let watch: SpaceWatch | undefined;
  try {
    let isNews = !reading.follows;
    let piece = "";
    for await (const status of reading.snapshot(0, signal)) {
      piece += unreadableEvents() + eventOf(reading.cursor, status);
      if (piece.length < wireLimits.pieceCharacters) continue;
      yield { text: piece, place: place() };
      piece = "";
      if (isTimeUp(services, endsAt)) break;
    }
    piece += unreadableEvents();
    let seen = -1;
    while (reading.follows && !isTimeUp(services, endsAt) && !signal.aborted) {
      watch ??= await services.watches.open(store, space);
      if (watch.version > seen || reading.isBehind) {
        seen = watch.version;
        const changed = await reading.changes(signal);
        piece += unreadableEvents() + eventsOf(changed, reading);
      }
      if (isNews && !reading.isBehind) {
        piece += placeEvent("live", place());
        isNews = false;
      }
      if (piece !== "") yield { text: piece, place: place() };
      piece = "";
      if (reading.isBehind) continue;
      const opened = watch;
      await awaitNews(context, endsAt, (ms, signal) => opened.changed(seen, ms, signal));
    }
    if (signal.aborted) return;
    yield { text: piece + placeEvent("end", place()), place: place() };
  } finally {
    watch?.close();
  }
}

/** The last of them moves the place: who is cut off before it gets them all again. */
function eventsOf(statuses: readonly SegmentStatus[], reading: StatusReading): string {
  return statuses
    .map((status, index) =>
      index === statuses.length - 1 ? eventOf(reading.cursor, status) : `data: ${asOneLine(statusText(status))}\n\n`,
    )
    .join("");
}

function eventOf(cursor: string, status: SegmentStatus): string {
  return `id: ${cursor}\ndata: ${asOneLine(statusText(status))}\n\n`;
}

function unreadableText({ segment, error }: UnreadableStatus): string {
  return JSON.stringify({ segment, reason: error.message });
}

function logUnreadable(
  { logger }: StreamContext,
  store: Store,
  space: SpaceName,
  unreadable: readonly UnreadableStatus[],
): void {
  for (const { segment, error } of unreadable) {
    logger.error("a segment's status cannot be read and is left out", { store: store.id, space, segment, error });
  }
}
