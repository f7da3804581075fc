// Reading entries: a page, all that matches as lines, or live.

import { invalidArgument } from "../core/errors.ts";
import { EntryWriter, emptyEntryText, statusText } from "../wire/entries.ts";
import type { EntryForm } from "../wire/entry-form.ts";
import { mediaTypes } from "../wire/operation.ts";
import {
  consume as consumeOperation,
  consumeSegment as consumeSegmentOperation,
  consumeSpace as consumeSpaceOperation,
  peek as peekOperation,
  segmentStatus as segmentStatusOperation,
} from "../wire/operations/consume.ts";
import { parseConsumeBody } from "../wire/consume-body.ts";
import { parseEventId } from "../wire/places.ts";
import type { ResumedAt } from "../wire/places.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Store } from "../store/store.ts";
import { bodyText } from "./body.ts";
import type { Connection, HttpResponse } from "./http.ts";
import { liveEntries } from "./live-entries.ts";
import { measuredReading, nextMembers, segmentReading, spaceReading, spacesReading } from "./reading.ts";
import type { Reading, ReadingContext } from "./reading.ts";
import { jsonAnswer, endpoint } from "./endpoint.ts";
import type { Services } from "./services.ts";
import { readStatus } from "./status-reading.ts";
import { entryLines, lineAnswer } from "./lines.ts";
import type { StreamContext } from "./streams.ts";
import { Waiting } from "./waiting.ts";

export const consumeSegment = endpoint(consumeSegmentOperation, async (services, call) => {
  const { params, query } = call;
  const store = services.stores.open(params.store);
  const resumed = parseEventId(call.headers["Last-Event-ID"]);
  const context = contextOf(services, call);
  const reading = await segmentReading(store, params.space, params.segment, query, resumed, context);
  return answerReading({ ...call, services }, store, reading, { ...call, ...query, resumed });
});

export const consumeSpace = endpoint(consumeSpaceOperation, async (services, call) => {
  const { params, query } = call;
  const store = services.stores.open(params.store);
  const resumed = parseEventId(call.headers["Last-Event-ID"]);
  const reading = await spaceReading(store, params.space, query, resumed, contextOf(services, call));
  return answerReading({ ...call, services }, store, reading, { ...call, ...query, resumed });
});

export const consume = endpoint(consumeOperation, async (services, call) => {
  const body = parseConsumeBody(await bodyText(consumeOperation, call));
  const store = services.stores.open(call.params.store);
  const resumed = parseEventId(call.headers["Last-Event-ID"]);
  const reading = await spacesReading(store, body, resumed, contextOf(services, call));
  return answerReading({ ...call, services }, store, reading, { ...call, ...call.query, limit: body.limit, resumed });
});

export const peek = endpoint(peekOperation, async (services, call) => {
  const { store, space, segment } = call.params;
  const { min } = call.query;
  const entry = await services.stores.open(store).peek(space, segment, { min, signal: call.connection.signal });
  return jsonAnswer(
    entry === undefined ? emptyEntryText(space, segment, call.query) : new EntryWriter(call.query, false).text(entry),
  );
});

export const segmentStatus = endpoint(segmentStatusOperation, async (services, call) => {
  const { store: id, space, segment } = call.params;
  const wanted = { min: call.query.min, signal: call.connection.signal };
  return jsonAnswer(statusText(await readStatus(services.stores.open(id), space, segment, wanted)));
});

interface Wanted extends EntryForm {
  readonly accept: "application/json" | "application/x-ndjson" | "text/event-stream";
  readonly limit?: number | undefined;
  readonly last?: number | undefined;
  readonly wait?: number | undefined;
  readonly resumed: ResumedAt | undefined;
}

function contextOf(
  { serviceClock }: Services,
  { accept, connection }: { readonly accept: string; readonly connection: Connection },
): ReadingContext {
  return { serviceClock, signal: connection.signal, isLive: accept === mediaTypes.events };
}

async function answerReading(
  context: StreamContext,
  store: Store,
  unmeasured: Reading,
  wanted: Wanted,
): Promise<HttpResponse> {
  const reading = measuredReading(unmeasured, context.services.telemetry);
  const { accept, encoding, fields, wait = 0, resumed } = wanted;
  const form = { encoding, fields };
  const limit = wanted.limit ?? 0;
  if (wait > 0 && accept !== mediaTypes.json) throw invalidArgument("wait", `nothing with Accept: ${accept}`);
  if (accept === mediaTypes.events) return liveEntries(context, store, reading, { form, limit, resumed });
  // Returns no more of the newest than the caller wants, also when others arrive while they are read.
  const most = limit === 0 ? (wanted.last ?? 0) : limit;
  if (accept === mediaTypes.ndjson) return lineAnswer(context, entryLines(context, reading, most, form));
  const entries = await readPage(context, reading, most, form);
  if (entries.length > 0 || wait === 0 || reading.finished()) return pageAnswer(entries, reading);
  return pageAnswer(await awaitPage(context, store, reading, { form, limit: most, wait }), reading);
}

async function readPage(
  context: StreamContext,
  reading: Reading,
  limit: number,
  form: EntryForm,
): Promise<readonly string[]> {
  const most = limit === 0 ? wireLimits.pageEntriesDefault : Math.min(limit, wireLimits.pageEntriesMax);
  const entries: string[] = [];
  const writer = new EntryWriter(form, false);
  let characters = 0;
  const { clock } = context.services;
  const endsAt = clock.elapsed() + wireLimits.filteredPageMs;
  for await (const entry of reading.read(most, context.connection.signal, () => clock.elapsed() < endsAt)) {
    const text = writer.text(entry);
    entries.push(text);
    reading.advance(entry);
    characters += text.length;
    if (characters >= wireLimits.pageCharactersMax) break;
  }
  return entries;
}

/** A page with something in it, or an empty one when the time is up. */
async function awaitPage(
  context: StreamContext,
  store: Store,
  reading: Reading,
  wanted: { readonly form: EntryForm; readonly limit: number; readonly wait: number },
): Promise<readonly string[]> {
  const { services, connection } = context;
  const endsAt = services.clock.elapsed() + wanted.wait * 1_000;
  const place = services.livePlaces.take(context.caller, store.id, reading.spaces);
  let waiting: Waiting | undefined;
  try {
    waiting = await Waiting.open(services, store, reading);
    for (;;) {
      const entries = await readPage(context, reading, wanted.limit, wanted.form);
      const left = endsAt - services.clock.elapsed();
      if (entries.length > 0 || left <= 0 || reading.finished()) return entries;
      if (!reading.isAtEnd()) continue;
      await waiting.changed(left, connection.signal);
    }
  } finally {
    waiting?.close();
    place.close();
  }
}

function pageAnswer(entries: readonly string[], reading: Reading): HttpResponse {
  return jsonAnswer(`{"entries":[${entries.join(",")}],${nextMembers(reading)}}`);
}
