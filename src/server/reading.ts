// A reading: what one consume asks for and how far it has come. Pages, streams and live readers all go on from it.

import type { Clock } from "../core/clock.ts";
import type { Entry } from "../core/entry.ts";
import { contentBytes } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Telemetry } from "../core/telemetry.ts";
import { encodeCursor } from "../codec/cursor.ts";
import { compareUtf8 } from "../codec/lexkey.ts";
import { offsetsText } from "../wire/consume-body.ts";
import { cursorOf } from "../wire/names.ts";
import { encodePlace, isEntryAt, notAnId, parsePlacesId, placesId } from "../wire/places.ts";
import type { Store } from "../store/store.ts";

export interface Reading {
  /** Where a commit may bring something new. */
  readonly spaces: readonly SpaceName[];
  /** Whether what is committed may be readable only a while after it. */
  readonly lags: boolean;
  /** What matches beyond the present place; 0 is no limit. */
  read(limit: number, signal: AbortSignal): AsyncIterable<Entry>;
  advance(entry: Entry): void;
  /** The present place, as JSON: `next` of an answer. */
  next(): string;
  /** The present place, as the id of an event. */
  eventId(): string;
  /** Once all that is there was read: nothing more can come. */
  finished(): boolean;
}

/** Clocks may be a little apart, and what a writer that died has committed is in its segment only when the monitor has been there. */
const lateMsMax = 300_000;

export interface Bounds {
  readonly after?: number | undefined;
  readonly until?: number | undefined;
}

export interface SegmentBounds extends Bounds {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export function segmentReading(
  store: Store,
  space: SpaceName,
  segment: SegmentName,
  bounds: SegmentBounds,
  lastEventId: string | undefined,
  clock: Clock,
): Reading {
  let from = Math.max(1, bounds.from ?? 0);
  if (lastEventId !== undefined && lastEventId !== "") from = parseSequence(lastEventId) + 1;
  const to = bounds.to ?? 0;
  const times = timesOf(bounds);
  return {
    spaces: [space],
    lags: true,
    read: (limit, signal) => store.consumeSegment(space, segment, { from, to, ...times, limit, signal }),
    advance: (entry) => {
      from = entry.sequence + 1;
    },
    next: () => String(from),
    eventId: () => String(from - 1),
    finished: () => (to > 0 && from > to) || isOver(bounds, clock),
  };
}

export function spaceReading(
  store: Store,
  space: SpaceName,
  bounds: Bounds & { readonly offset?: string | undefined },
  lastEventId: string | undefined,
  clock: Clock,
): Reading {
  const resumed = lastEventId === undefined || lastEventId === "" ? undefined : lastEventId;
  let offset = resumed === undefined ? cursorOf(bounds.offset ?? "", space) : cursorOf(resumed, space, "Last-Event-ID");
  const times = timesOf(bounds);
  return {
    spaces: [space],
    lags: false,
    read: (limit, signal) => store.consumeSpace(space, { ...placeOf(offset), ...times, limit, signal }),
    advance: (entry) => {
      offset = encodeCursor(entry);
    },
    next: () => JSON.stringify(offset),
    eventId: () => offset,
    finished: () => isOver(bounds, clock),
  };
}

export async function spacesReading(
  store: Store,
  bounds: Bounds & { readonly offsets: ReadonlyMap<SpaceName, Cursor> },
  lastEventId: string | undefined,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Reading> {
  const offsets = new Map(bounds.offsets);
  // Whatever order the caller named them in: it may be another one when it comes back.
  const spaces = [...offsets.keys()].sort(compareUtf8);
  if (lastEventId !== undefined && lastEventId !== "") {
    for (const [space, offset] of await resumedOffsets(store, spaces, lastEventId, signal)) offsets.set(space, offset);
  }
  const times = timesOf(bounds);
  /** Parts of the present id: of a hundred spaces, an entry moves one. */
  const places = new Map<SpaceName, Uint8Array>();
  const placeIn = (space: SpaceName): Uint8Array => {
    const place = places.get(space) ?? encodePlace(offsets.get(space) ?? ("" as Cursor));
    places.set(space, place);
    return place;
  };
  return {
    spaces,
    lags: false,
    read: (limit, signal) => store.consume({ offsets: new Map(offsets), ...times, limit, signal }),
    advance: (entry) => {
      offsets.set(entry.space, encodeCursor(entry));
      places.delete(entry.space);
    },
    next: () => offsetsText(offsets),
    eventId: () => placesId(spaces.map(placeIn)),
    finished: () => isOver(bounds, clock),
  };
}

/** Where the id says that its reader was; a space of which it had read nothing is not among them. */
async function resumedOffsets(
  store: Store,
  spaces: readonly SpaceName[],
  id: string,
  signal: AbortSignal,
): Promise<readonly (readonly [SpaceName, Cursor])[]> {
  const places = parsePlacesId(id, spaces.length);
  const found = spaces.map(async (space, index) => {
    const place = places[index];
    if (place === undefined) return [];
    const { timestamp } = place;
    for await (const entry of store.consumeSpace(space, { after: timestamp - 1, until: timestamp, signal })) {
      if (isEntryAt(entry, place)) return [[space, encodeCursor(entry)] as const];
    }
    throw notAnId(id);
  });
  return (await Promise.all(found)).flat();
}

/** The same reading; what is read is measured. */
export function measuredReading(reading: Reading, telemetry: Telemetry): Reading {
  return { ...reading, read: (limit, signal) => measured(reading.read(limit, signal), telemetry) };
}

async function* measured(entries: AsyncIterable<Entry>, telemetry: Telemetry): AsyncGenerator<Entry, void, undefined> {
  let count = 0;
  let bytes = 0;
  try {
    for await (const entry of entries) {
      count += 1;
      bytes += contentBytes(entry);
      yield entry;
    }
  } finally {
    telemetry.record("streamkit.consume.pages", 1);
    telemetry.record("streamkit.consume.entries", count);
    telemetry.record("streamkit.consume.bytes", bytes);
  }
}

function timesOf(bounds: Bounds): { readonly after: number; readonly until: number } {
  return { after: bounds.after ?? 0, until: bounds.until ?? 0 };
}

/** Whether `until` is so long past that what has a timestamp up to it is there, and readable. */
function isOver({ until = 0 }: Bounds, clock: Clock): boolean {
  return until > 0 && until < clock.now() - lateMsMax;
}

function placeOf(offset: Cursor): { readonly offset?: Cursor } {
  return offset === "" ? {} : { offset };
}

function parseSequence(text: string): number {
  const sequence = /^[0-9]{1,16}$/.test(text) ? Number(text) : -1;
  if (sequence < 0 || sequence >= limits.sequenceMax)
    throw invalidArgument("Last-Event-ID", "the id of an event", text);
  return sequence;
}
