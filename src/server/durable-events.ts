// A stream as server-sent events, as the Durable Streams protocol has it: what there is, then what comes, each with an
// event of its own that says where the reader is.
//
// Promise: it says something at once and at least every so often; a stream that is closed ends the events; one that
// ends otherwise ends them, too, and the reader who comes back learns why.

import { StoreError } from "../core/errors.ts";
import { isJsonType } from "../store/stream-rules.ts";
import type { StreamStatus } from "../store/store.ts";
import { mediaTypes } from "../wire/operation.ts";
import { cursorAt, offsetText, streamHeaders } from "../wire/stream-calls.ts";
import { securityHeaders } from "./durable-answers.ts";
import { bodyOf, isOver, liveStream, readPage } from "./durable-read.ts";
import type { StreamPlace } from "./durable-read.ts";
import { logFailure } from "./endpoint.ts";
import { isTimeUp } from "./events.ts";
import type { HttpResponse } from "./http.ts";
import { startedAnswer } from "./streams.ts";
import type { StreamContext } from "./streams.ts";
import { awaitNews, Waiting } from "./waiting.ts";

export async function streamEvents(
  context: StreamContext,
  place: StreamPlace,
  status: StreamStatus,
  at: number,
  cursor: string | undefined,
): Promise<HttpResponse> {
  const encoding = isText(status.stream.contentType) ? {} : { [streamHeaders.dataEncoding]: "base64" };
  const answer = await startedAnswer(mediaTypes.events, events(context, place, status, at, cursor));
  return {
    ...answer,
    headers: { ...answer.headers, ...securityHeaders, "cache-control": "no-cache, no-transform", ...encoding },
  };
}

async function* events(
  context: StreamContext,
  place: StreamPlace,
  first: StreamStatus,
  from: number,
  givenCursor: string | undefined,
): AsyncGenerator<string, void, undefined> {
  const { connection, services } = context;
  const { clock, options, random, serviceClock } = services;
  const { signal } = connection;
  const held = services.livePlaces.take(context.caller, place.store.id, [place.space]);
  const endsAt = clock.elapsed() + options.streamMs;
  let waiting: Waiting | undefined;
  let at = from;
  let cursor = cursorAt(serviceClock.now(), givenCursor, random.fraction());
  const control = (more: Readonly<Record<string, unknown>>): string => {
    const told = { streamNextOffset: offsetText(first.stream.life, at), ...more };
    return `event: control\n${dataLines(JSON.stringify(told))}\n`;
  };
  try {
    for (let status = first, isFirst = true; !isTimeUp(services, endsAt) && !signal.aborted; isFirst = false) {
      const page = await readPage(place, status, at, signal);
      at = page.lastSequence;
      const over = isOver(status, page);
      const data = page.payloads.length === 0 ? "" : `event: data\n${dataLines(dataOf(status, page.payloads))}\n`;
      if (over) {
        yield data + control({ streamClosed: true });
        return;
      }
      if (data !== "" || isFirst)
        yield data + control({ streamCursor: cursor, ...(page.isEnd ? { upToDate: true } : {}) });
      if (page.isEnd && waiting === undefined) {
        waiting = await Waiting.open(services, place.store, { spaces: [place.space], lags: true });
      } else if (page.isEnd && waiting !== undefined) {
        const opened = waiting;
        const heartbeatAt = Math.min(endsAt, clock.elapsed() + options.heartbeatMs);
        await awaitNews(context, heartbeatAt, (ms, ended) => opened.changed(ms, ended));
        if (clock.elapsed() >= heartbeatAt && !isTimeUp(services, endsAt)) {
          cursor = cursorAt(serviceClock.now(), cursor, random.fraction());
          yield control({ streamCursor: cursor, upToDate: true });
        }
      }
      status = await liveStream(services, place, signal);
      // Made anew under the name: its reader comes back, and is told.
      if (status.stream.life !== first.stream.life) return;
    }
  } catch (error) {
    if (signal.aborted || (error instanceof StoreError && error.code === "not_found")) return;
    logFailure(context.logger, "a live stream failed", error);
  } finally {
    waiting?.close();
    held.close();
  }
}

/** Text as it is, JSON as an array of its messages, bytes in base64. */
function dataOf({ stream }: StreamStatus, payloads: readonly Uint8Array[]): string {
  const bytes = Buffer.concat(bodyOf(stream, payloads));
  return isText(stream.contentType) ? bytes.toString("utf8") : bytes.toString("base64");
}

function isText(contentType: string): boolean {
  return isJsonType(contentType) || /^text\//i.test(contentType);
}

/** Each line a field of its own, whatever ends it: a payload can never begin another event. */
function dataLines(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `data:${line}\n`)
    .join("");
}
