// Reads streams as the Durable Streams protocol has it: what there is, what comes next when there is something, and the
// state alone.
//
// Promise: whoever goes on from each Stream-Next-Offset misses nothing and gets nothing twice; an answer says that the
// stream is closed only to who has read all of it.

import type { SegmentName, SpaceName } from "../core/ids.ts";
import type { StreamState } from "../core/stream.ts";
import { isExpired, needsRenewal } from "../core/stream.ts";
import type { Store, StreamStatus } from "../store/store.ts";
import { isJsonType } from "../store/stream-rules.ts";
import {
  cursorAt,
  offsetText,
  parseStreamName,
  parseStreamOffset,
  streamHeaders,
  streamRead,
} from "../wire/stream-calls.ts";
import type { StreamOffset } from "../wire/stream-calls.ts";
import { invalidArgument } from "../core/errors.ts";
import { goneOffset, noStream, placeHeaders, securityHeaders } from "./durable-answers.ts";
import { streamEvents } from "./durable-events.ts";
import { endpoint } from "./endpoint.ts";
import type { Call } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import type { Services } from "./services.ts";
import { Waiting } from "./waiting.ts";

/** Bytes of one answer, about: what comes beyond is the next answer's. */
const pageBytesMax = 1024 * 1024;
/** How long an answer is waited for, milliseconds. */
const longPollMs = 20_000;
/** How long a cache may give an answer that will not change, or only by more of it, seconds. */
const cacheSeconds = 60;

/** One stream of a store, and how it is read. */
export interface StreamPlace {
  readonly store: Store;
  readonly space: SpaceName;
  readonly segment: SegmentName;
}

export const readStream = endpoint(streamRead, async (services, call) => {
  const { store: id, space, path } = call.params;
  const place = { store: services.stores.open(id), space, segment: parseStreamName(path) };
  const { cursor, live, offset: text } = call.query;
  if (live !== undefined && text === undefined) throw invalidArgument("offset", `an offset with live=${live}`);
  const offset = parseStreamOffset(text);
  const { signal } = call.connection;
  const status = await liveStream(services, place, signal);
  const { life = status.stream.life } = call.query;
  if (life !== status.stream.life) throw goneOffset(status.stream, status.stream.firstSequence);
  if (call.method === "HEAD") return stateAnswer(status);
  const used = await use(services, place, status, signal);
  const at = sequenceAt(offset, used);
  if (live === "sse") return streamEvents({ ...call, services }, place, used, at, cursor);
  if (live === "long-poll") return longPoll(services, call, place, used, at);
  if (offset.kind === "now") {
    const headers = { ...stateHeaders(used), "cache-control": "no-store", [streamHeaders.upToDate]: "true" };
    return { status: 200, headers, body: isJsonType(used.stream.contentType) ? "[]" : "" };
  }
  return pageAnswer(services, call, used, at, await readPage(place, used, at, signal));
});

/** The stream as it is now, or `not_found`. */
export async function liveStream(
  { serviceClock }: Pick<Services, "serviceClock">,
  { segment, space, store }: StreamPlace,
  signal: AbortSignal,
): Promise<StreamStatus> {
  const status = await store.streamOf(space, segment, { signal });
  if (status === undefined || isExpired(status.stream, serviceClock.now())) throw noStream();
  return status;
}

/** A stream that ends unless it is used is used by being read. */
async function use(
  { serviceClock }: Pick<Services, "serviceClock">,
  { segment, space, store }: StreamPlace,
  status: StreamStatus,
  signal: AbortSignal,
): Promise<StreamStatus> {
  const { stream } = status;
  if (!needsRenewal(stream, serviceClock.now())) return status;
  const wish = { kind: "use", life: stream.life } as const;
  const outcome = await store.changeStream(space, segment, { wish, records: [] }, { signal });
  if (outcome.kind === "written") return { ...status, stream: outcome.stream };
  if (outcome.answer.kind === "no_stream") throw noStream();
  return status;
}

/** The last sequence that the caller has. */
function sequenceAt(offset: StreamOffset, { firstSequence, lastSequence, stream }: StreamStatus): number {
  const first = Math.max(firstSequence, stream.firstSequence);
  if (offset.kind === "beginning") return first - 1;
  if (offset.kind === "now") return lastSequence;
  if (offset.life !== stream.life || offset.sequence < first - 1) throw goneOffset(stream, first);
  return Math.min(offset.sequence, lastSequence);
}

export interface StreamPage {
  readonly payloads: readonly Uint8Array[];
  readonly lastSequence: number;
  /** Nothing more was there when it was read. */
  readonly isEnd: boolean;
}

/**
 * What comes after a sequence, about a page of it. The state is of before the read: what it has, the page has, unless
 * it is cut.
 */
export async function readPage(
  { segment, space, store }: StreamPlace,
  status: StreamStatus,
  after: number,
  signal: AbortSignal,
): Promise<StreamPage> {
  const payloads: Uint8Array[] = [];
  let lastSequence = after;
  let bytes = 0;
  if (after < status.lastSequence) {
    for await (const entry of store.consumeSegment(space, segment, { from: after + 1, signal })) {
      // Nothing is left to show of it; in JSON an empty value would be none.
      if (entry.redacted !== true) payloads.push(entry.payload);
      lastSequence = entry.sequence;
      bytes += entry.payload.byteLength;
      if (bytes >= pageBytesMax && lastSequence < status.lastSequence) return { payloads, lastSequence, isEnd: false };
      if (bytes >= pageBytesMax) break;
    }
  }
  return { payloads, lastSequence, isEnd: true };
}

/** Of JSON an array of its messages; else the bytes as they were appended. */
export function bodyOf({ contentType }: StreamState, payloads: readonly Uint8Array[]): readonly Uint8Array[] {
  if (!isJsonType(contentType)) return payloads;
  return [
    Buffer.from("["),
    ...payloads.flatMap((payload, index) => (index === 0 ? [payload] : [Buffer.from(","), payload])),
    Buffer.from("]"),
  ];
}

/** Whether the caller has all that there will ever be. */
export function isOver(
  { lastSequence, stream }: StreamStatus,
  page: Pick<StreamPage, "isEnd" | "lastSequence">,
): boolean {
  return stream.closed && page.isEnd && page.lastSequence >= lastSequence;
}

function stateHeaders({ lastSequence, stream }: StreamStatus): Readonly<Record<string, string>> {
  const { contentType, expiresAt, ttlSeconds } = stream;
  return {
    ...placeHeaders(stream, lastSequence),
    "content-type": contentType,
    ...(ttlSeconds === undefined ? {} : { [streamHeaders.ttl]: String(ttlSeconds) }),
    ...(ttlSeconds !== undefined || expiresAt === undefined
      ? {}
      : { [streamHeaders.expiresAt]: new Date(expiresAt).toISOString() }),
  };
}

function stateAnswer(status: StreamStatus): HttpResponse {
  const { lastSequence, stream } = status;
  const etag = etagOf(stream, 0, lastSequence, stream.closed);
  return { status: 200, headers: { ...stateHeaders(status), "cache-control": "no-store", etag } };
}

function pageAnswer(
  services: Pick<Services, "sharesStreams">,
  call: Pick<Call<typeof streamRead>, "headers">,
  status: StreamStatus,
  from: number,
  page: StreamPage,
  more: Readonly<Record<string, string>> = {},
): HttpResponse {
  const { stream } = status;
  const over = isOver(status, page);
  const etag = etagOf(stream, from, page.lastSequence, over);
  // A page before the end never changes. Caches look at the end again, by its tag.
  const isFinal = over || !page.isEnd;
  const who = services.sharesStreams ? "public" : "private";
  const headers = {
    ...placeHeaders({ ...stream, closed: over }, page.lastSequence),
    ...more,
    "content-type": stream.contentType,
    "cache-control": isFinal ? `${who}, max-age=${cacheSeconds}` : `${who}, no-cache`,
    etag,
    ...(page.isEnd ? { [streamHeaders.upToDate]: "true" } : {}),
  };
  if (call.headers["If-None-Match"] === etag) return { status: 304, headers };
  return { status: 200, headers, body: bodyOf(stream, page.payloads) };
}

/** Undefined life and places are in it, so that it is of this answer alone. */
function etagOf({ life }: StreamState, from: number, to: number, over: boolean): string {
  return `"${life}:${from}:${to}${over ? ":c" : ""}"`;
}

/**
 * Answers with what comes after the place, as soon as there is something; 204 when nothing comes for long, or ever
 * will.
 */
async function longPoll(
  services: Services,
  call: Call<typeof streamRead>,
  place: StreamPlace,
  first: StreamStatus,
  at: number,
): Promise<HttpResponse> {
  const { clock, random, serviceClock } = services;
  const { signal } = call.connection;
  const cursor = cursorAt(serviceClock.now(), call.query.cursor, random.fraction());
  const endsAt = clock.elapsed() + longPollMs;
  const held = services.livePlaces.take(call.caller, place.store.id, [place.space]);
  let waiting: Waiting | undefined;
  try {
    for (let status = first; ; status = await liveStream(services, place, signal)) {
      if (status.stream.life !== first.stream.life) throw goneOffset(status.stream, status.stream.firstSequence);
      if (status.lastSequence > at) {
        const page = await readPage(place, status, at, signal);
        return pageAnswer(services, call, status, at, page, { [streamHeaders.cursor]: cursor });
      }
      const left = endsAt - clock.elapsed();
      if (status.stream.closed || left <= 0 || services.stopping.aborted) {
        return nothingNew(status, at, cursor);
      }
      if (waiting === undefined) {
        waiting = await Waiting.open(services, place.store, { spaces: [place.space], lags: true });
        continue; // It came before the watch was open.
      }
      const wait = AbortSignal.any([signal, services.stopping]);
      await waiting.changed(left, wait).catch((error: unknown) => {
        if (signal.aborted) throw error;
      });
    }
  } finally {
    waiting?.close();
    held.close();
  }
}

function nothingNew({ stream }: StreamStatus, at: number, cursor: string): HttpResponse {
  return {
    status: 204,
    headers: {
      ...securityHeaders,
      "cache-control": "no-store",
      [streamHeaders.nextOffset]: offsetText(stream.life, at),
      [streamHeaders.upToDate]: "true",
      ...(stream.closed ? { [streamHeaders.closed]: "true" } : { [streamHeaders.cursor]: cursor }),
    },
  };
}
