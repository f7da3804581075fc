// A reading: what one consume asks for and how far it has come. Pages, streams and live readers all go on from it.

import type { Clock } from "../core/clock.ts";
import type { Entry } from "../core/entry.ts";
import { contentBytes } from "../core/entry.ts";
import type { EntryFilter } from "../core/entry-filter.ts";
import { inSpace, invalidArgument } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Telemetry } from "../core/telemetry.ts";
import { cursorAfter, encodeCursor, laterCursor } from "../codec/cursor.ts";
import type { Place } from "../codec/cursor.ts";
import { compareUtf8 } from "../codec/lexkey.ts";
import { offsetsText } from "../wire/consume-body.ts";
import type { ResumedAt } from "../wire/places.ts";
import { cursorOf, filterOf, theEnd } from "../wire/names.ts";
import type { FilterMembers } from "../wire/names.ts";
import { cursorBeside, cursorBetween, encodePlace, notAnId, parsePlacesId, placesId } from "../wire/places.ts";
import type { Store } from "../store/store.ts";
import { readStatus } from "./status-reading.ts";

export interface Reading {
  /** Where a commit may bring something new. */
  readonly spaces: readonly SpaceName[];
  /** Whether what is committed may be readable only a while after it. */
  readonly lags: boolean;
  /**
   * The entries that match beyond the present place; 0 is no limit. A read ends early, not at the end, when `mayLook`
   * refuses to look on. `ended` is told when it is over.
   */
  read(limit: number, signal: AbortSignal, mayLook?: () => boolean, ended?: () => void): AsyncIterable<Entry>;
  advance(entry: Entry): void;
  /** The present place, as JSON: `next` of an answer. */
  next(): string;
  /** The present place, as a part of the id of an event. */
  place(): string;
  /** Whether the last read has shown that nothing more is there. */
  isAtEnd(): boolean;
  /** Once all that is there was read: nothing more can come. */
  finished(): boolean;
}

/** The caller, and its way of reading. A live reader goes on where others have their answer. */
export interface ReadingContext {
  readonly serviceClock: Pick<Clock, "now">;
  readonly signal: AbortSignal;
  readonly isLive: boolean;
}

/**
 * Clocks may be a little apart, and what a writer that died has committed is in its segment only when the monitor has
 * been there.
 */
const lateMsMax = 300_000;

export interface Bounds {
  /** Go on from the earliest, where what comes next was trimmed. */
  readonly clamp?: boolean | undefined;
  readonly after?: number | undefined;
  readonly until?: number | undefined;
}

/** `last`: begins with the newest so many. */
export interface SegmentBounds extends Bounds {
  readonly from?: number | typeof theEnd | undefined;
  readonly to?: number | undefined;
  readonly last?: number | undefined;
  /** What its space has up to there is read of it, too. */
  readonly min?: Cursor | undefined;
}

export interface SpaceBounds extends Bounds, FilterMembers {
  readonly offset?: string | undefined;
  readonly last?: number | undefined;
}

export async function segmentReading(
  store: Store,
  space: SpaceName,
  segment: SegmentName,
  bounds: SegmentBounds,
  resumed: ResumedAt | undefined,
  context: ReadingContext,
): Promise<Reading> {
  const { last = 0, min } = bounds;
  refuseBeside("last", last, { from: bounds.from, to: bounds.to, until: bounds.until });
  let from = typeof bounds.from === "number" ? Math.max(1, bounds.from) : 1;
  let to = bounds.to ?? 0;
  if (resumed !== undefined) {
    from = parseSequence(resumed.place) + 1;
  } else if (last > 0 || bounds.from === theEnd) {
    const { lastSequence } = await readStatus(store, space, segment, { min, signal: context.signal });
    from = Math.max(1, lastSequence - last + 1);
    // The newest when they were asked for; what comes while they are read is for those who go on.
    if (last > 0 && !context.isLive) to = lastSequence;
  }
  const bounded = limitsOf(bounds);
  const passed = (sequence: number): void => {
    from = Math.max(from, sequence + 1);
  };
  const isPastTo = (): boolean => to > 0 && from > to;
  const open = (limit: number, signal: AbortSignal) =>
    store.consumeSegment(space, segment, { from, to, min, ...bounded, limit, signal, passed });
  const reads = new Reads(open);
  return {
    spaces: [space],
    lags: true,
    read: (limit, signal, _mayLook, ended) => reads.read(limit, signal, undefined, ended),
    advance: (entry) => {
      from = entry.sequence + 1;
    },
    next: () => String(from),
    place: () => String(from - 1),
    isAtEnd: () => reads.isAtEnd || isPastTo(),
    finished: () => isPastTo() || isOver(bounds, context.serviceClock),
  };
}

export async function spaceReading(
  store: Store,
  space: SpaceName,
  bounds: SpaceBounds,
  resumed: ResumedAt | undefined,
  context: ReadingContext,
): Promise<Reading> {
  const { last = 0 } = bounds;
  const given = bounds.offset === "" ? undefined : bounds.offset;
  refuseBeside("last", last, { offset: given, until: bounds.until });
  let offset: Cursor;
  if (resumed !== undefined) offset = cursorOf(resumed.place, space, "Last-Event-ID");
  else if (last > 0) offset = await store.spaceTail(space, last, { signal: context.signal });
  else offset = await offsetOf(store, space, given ?? "", context.signal);
  offset = pastTime(space, offset, bounds);
  const bounded = { ...limitsOf(bounds), filter: filterOf(bounds) };
  const at = new Position(offset);
  const open = (limit: number, signal: AbortSignal, passed: () => void) =>
    store.consumeSpace(space, {
      ...{ ...placeOf(at.cursor), ...bounded, limit, signal },
      passed: (place) => {
        at.moveTo(place);
        passed();
      },
    });
  const reads = new Reads(open);
  return {
    spaces: [space],
    lags: false,
    read: (limit, signal, mayLook, ended) => reads.read(limit, signal, mayLook, ended),
    advance: (entry) => at.moveTo(entry),
    next: () => JSON.stringify(at.cursor),
    place: () => at.cursor,
    isAtEnd: () => reads.isAtEnd,
    finished: () => isOver(bounds, context.serviceClock),
  };
}

export async function spacesReading(
  store: Store,
  bounds: Bounds & { readonly offsets: ReadonlyMap<SpaceName, Cursor | typeof theEnd>; readonly filter: EntryFilter },
  resumed: ResumedAt | undefined,
  { serviceClock, signal }: ReadingContext,
): Promise<Reading> {
  // Sorted, because the caller may name them in another order when it comes back.
  const spaces = [...bounds.offsets.keys()].sort(compareUtf8);
  const resumedAt = resumed === undefined ? [] : parsePlacesId(resumed.place, spaces.length);
  const places = await Promise.all(
    spaces.map(async (space, index) => {
      const place = resumedAt[index];
      // A space of which nothing had been read begins where it is said to.
      try {
        const offset =
          place === undefined || resumed === undefined
            ? await offsetOf(store, space, bounds.offsets.get(space) ?? "", signal)
            : await resumedOffset(store, space, place, resumed.place, signal);
        return [space, pastTime(space, offset, bounds)] as const;
      } catch (error) {
        throw inSpace(space, error);
      }
    }),
  );
  // In the order that the caller named them in.
  const positions = new Map([...bounds.offsets.keys()].map((space) => [space, new Position("" as Cursor)]));
  for (const [space, offset] of places) positions.set(space, new Position(offset));
  const offsets = (): ReadonlyMap<SpaceName, Cursor> =>
    new Map([...positions].map(([space, { cursor }]) => [space, cursor]));
  const bounded = { ...limitsOf(bounds), filter: bounds.filter };
  /** Parts of the present id: of a hundred spaces, an entry moves one. */
  const parts = new Map<SpaceName, Uint8Array>();
  const partOf = (space: SpaceName): Uint8Array => {
    const part = parts.get(space) ?? encodePlace(positions.get(space)?.cursor ?? ("" as Cursor));
    parts.set(space, part);
    return part;
  };
  const moveTo = (place: Place): void => {
    positions.get(place.space)?.moveTo(place);
    parts.delete(place.space);
  };
  const open = (limit: number, own: AbortSignal, passed: () => void) =>
    store.consume({
      ...{ offsets: offsets(), ...bounded, limit, signal: own },
      passed: (place) => {
        moveTo(place);
        passed();
      },
    });
  const reads = new Reads(open);
  return {
    spaces,
    lags: false,
    read: (limit, own, mayLook, ended) => reads.read(limit, own, mayLook, ended),
    advance: moveTo,
    next: () => offsetsText(offsets()),
    place: () => placesId(spaces.map(partOf)),
    isAtEnd: () => reads.isAtEnd,
    finished: () => isOver(bounds, serviceClock),
  };
}

/** A place in a space: its cursor is made when it is asked for, not with each entry that is passed. */
class Position {
  #cursor: Cursor;
  #place: Place | undefined;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  get cursor(): Cursor {
    if (this.#place !== undefined) this.#cursor = encodeCursor(this.#place);
    this.#place = undefined;
    return this.#cursor;
  }

  moveTo(place: Place): void {
    this.#place = place;
  }
}

/** `passed`: called each time that something was hidden by the filter, once the place is beyond it. */
type OpenRead = (limit: number, signal: AbortSignal, passed: () => void) => AsyncIterable<Entry>;

/**
 * Reads that know whether they came to the end: one entry more than was asked for is looked for, where that takes no
 * further request. That entry is not given, and that it cannot be read is no failure of the others.
 */
class Reads {
  readonly #open: OpenRead;
  #isAtEnd = false;

  constructor(open: OpenRead) {
    this.#open = open;
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  async *read(
    limit: number,
    signal: AbortSignal,
    mayLook?: () => boolean,
    ended?: () => void,
  ): AsyncGenerator<Entry, void, undefined> {
    this.#isAtEnd = false;
    const looksOn = limit > 0 && limit < limits.pageRowsMax;
    const looked = new AbortController();
    const passed = (): void => {
      if (mayLook?.() === false) looked.abort();
    };
    const either = mayLook === undefined ? signal : AbortSignal.any([signal, looked.signal]);
    const entries = this.#open(looksOn ? limit + 1 : limit, either, passed)[Symbol.asyncIterator]();
    try {
      for (let left = limit === 0 ? Infinity : limit; left > 0; left -= 1) {
        const next = await entries.next();
        this.#isAtEnd = next.done === true;
        if (next.done === true) return;
        yield next.value;
      }
      if (looksOn) this.#isAtEnd = await entries.next().then(({ done }) => done === true, () => false); // prettier-ignore
    } catch (error) {
      // The place is past everything that was looked at, so a reader that goes on from there reads on.
      if (!looked.signal.aborted || signal.aborted) throw error;
    } finally {
      ended?.();
      await entries.return?.();
    }
  }
}

/** Where a reader that begins at `offset` is; `end`: behind all that there is now. */
function offsetOf(store: Store, space: SpaceName, offset: string, signal: AbortSignal): Promise<Cursor> | Cursor {
  return offset === theEnd ? store.spaceTail(space, 0, { signal }) : cursorOf(offset, space);
}

/** Behind what `after` hides: whoever goes on from there without it never sees that. */
function pastTime(space: SpaceName, offset: Cursor, { after = 0 }: Bounds): Cursor {
  return laterCursor(offset, cursorAfter(space, after));
}

/** Where the id says that its reader was. */
async function resumedOffset(
  store: Store,
  space: SpaceName,
  place: NonNullable<ReturnType<typeof parsePlacesId>[number]>,
  id: string,
  signal: AbortSignal,
): Promise<Cursor> {
  const between = cursorBetween(space, place);
  if (between !== undefined) return between;
  const { timestamp } = place;
  for await (const entry of store.consumeSpace(space, { after: timestamp - 1, until: timestamp, signal })) {
    const cursor = cursorBeside(entry, place);
    if (cursor !== undefined) return cursor;
  }
  throw notAnId(id);
}

function refuseBeside(field: string, value: number, others: Readonly<Record<string, unknown>>): void {
  if (value === 0) return;
  for (const [name, other] of Object.entries(others)) {
    if (other !== undefined && other !== 0) throw invalidArgument(field, `nothing with ${name}`);
  }
}

/** The same reading; what is read is measured: each entry as the reader goes on behind it. */
export function measuredReading(reading: Reading, telemetry: Telemetry): Reading {
  let count = 0;
  let bytes = 0;
  const ended = (): void => {
    telemetry.record("streamkit.consume.pages", 1);
    telemetry.record("streamkit.consume.entries", count);
    telemetry.record("streamkit.consume.bytes", bytes);
    count = 0;
    bytes = 0;
  };
  return {
    ...reading,
    read: (limit, signal, mayLook) => reading.read(limit, signal, mayLook, ended),
    advance: (entry) => {
      count += 1;
      bytes += contentBytes(entry);
      reading.advance(entry);
    },
  };
}

function limitsOf({ after = 0, until = 0, clamp }: Bounds): {
  readonly after: number;
  readonly until: number;
  readonly clamp: boolean | undefined;
} {
  return { after, until, clamp };
}

/** Whether `until` is so long past that what has a timestamp up to it is there, and readable. */
function isOver({ until = 0 }: Bounds, serviceClock: Pick<Clock, "now">): boolean {
  return until > 0 && until < serviceClock.now() - lateMsMax;
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

/** `next` of an answer, and `end` when it showed all that there was. */
export function nextMembers(reading: Reading): string {
  return `"next":${reading.next()}${reading.isAtEnd() ? ',"end":true' : ""}`;
}
