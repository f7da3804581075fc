// Pages of spaces that this instance has read lately, for all partitions and workers of its consumers: many read one
// space at about one place, and it is read once for them.
//
// Promise: a page tells all entries between its two places that match its filter; one that reached the end is the end
// as of when its read began, and is told to nobody who asked later. Pages are few, small, and a few seconds old at
// most: what was trimmed or redacted is not delivered for longer. Nothing of a space that was deleted is.

import { LRUCache } from "lru-cache";

import type { Clock } from "../core/clock.ts";
import type { Entry } from "../core/entry.ts";
import { contentBytes } from "../core/entry.ts";
import type { EntryFilter } from "../core/entry-filter.ts";
import { StoreError } from "../core/errors.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";
import { encodeCursor } from "../codec/cursor.ts";
import type { Store } from "../store/store.ts";

export interface SpacePage {
  /** Entries and places are behind it. */
  readonly from: Cursor;
  readonly entries: readonly PlacedEntry[];
  /** Up to here everything was looked at. */
  readonly to: Cursor;
  /** Nothing else had been committed when the reader asked. */
  readonly isEnd: boolean;
  /** The reader's next entries were trimmed, up to here. */
  readonly trimmedTo: Cursor | undefined;
}

export interface PlacedEntry {
  readonly entry: Entry;
  readonly offset: Cursor;
}

interface HeldPage extends SpacePage {
  readonly startedAt: number;
  readonly bytes: number;
}

/** A page is read on until it has so many entries, or bytes of them. */
const entriesMax = 1_000;
const bytesMax = 2 * 1024 * 1024;
/** All pages of an instance together, bytes, and of one reading. */
const heldBytesMax = 64 * 1024 * 1024;
const pagesMax = 64;
/** How long a page is shared, milliseconds. */
const sharedMs = 10_000;
/** About how many bytes an entry takes beside its content. */
const entryBytes = 500;

/** The pages of one space with one filter, and the read that is on its way. */
interface Reading {
  pages: readonly HeldPage[];
  running: Promise<HeldPage> | undefined;
}

export class SpacePages {
  readonly #clock: Clock;
  readonly #readings: LRUCache<string, Reading>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readings = new LRUCache({
      maxSize: heldBytesMax,
      sizeCalculation: ({ pages }) => 1_000 + pages.reduce((sum, { bytes }) => sum + bytes, 0),
    });
  }

  /** The entries behind `from`. The page has all that was committed before `since`, unless it is full. */
  async read(
    store: Store,
    space: SpaceName,
    filter: EntryFilter,
    from: Cursor,
    since: number,
    signal: AbortSignal,
  ): Promise<SpacePage> {
    const key = JSON.stringify([store.id, space, filter.prefixes, [...filter.where].map(([k, v]) => [k, ...v])]);
    for (;;) {
      signal.throwIfAborted();
      const reading = this.#readings.get(key) ?? { pages: [], running: undefined };
      const found = this.#pageAt(reading, from, since);
      if (found !== undefined) {
        await store.confirmSpace?.(space);
        return found;
      }
      const { running } = reading;
      if (running === undefined) return this.#begin(key, reading, store, space, filter, from);
      // Its page may be the one that is wanted; if it is not, the next read is begun for all who waited.
      await running.catch(() => undefined);
    }
  }

  #pageAt({ pages }: Reading, from: Cursor, since: number): SpacePage | undefined {
    const oldest = this.#clock.elapsed() - sharedMs;
    for (const page of pages) {
      if (page.startedAt < oldest || from < page.from) continue;
      const isEnd = page.isEnd && page.startedAt >= since;
      if (from < page.to || (isEnd && from === page.to)) return partOf(page, from, isEnd);
    }
    return undefined;
  }

  async #begin(
    key: string,
    reading: Reading,
    store: Store,
    space: SpaceName,
    filter: EntryFilter,
    from: Cursor,
  ): Promise<SpacePage> {
    const startedAt = this.#clock.elapsed();
    const page = readPage(store, space, filter, from, startedAt);
    reading.running = page;
    this.#readings.set(key, reading);
    try {
      const read = await page;
      const oldest = this.#clock.elapsed() - sharedMs;
      reading.pages = [...reading.pages.filter((one) => one.startedAt > oldest && one.from !== read.from), read].slice(
        -pagesMax,
      );
      return partOf(read, from, read.isEnd);
    } finally {
      reading.running = undefined;
      // Weighed anew.
      this.#readings.delete(key);
      this.#readings.set(key, reading);
    }
  }
}

/** The entries behind a place of the page. */
function partOf({ entries, to, trimmedTo }: HeldPage, from: Cursor, isEnd: boolean): SpacePage {
  return {
    ...{ from, entries: entries.slice(indexBehind(entries, from)), to, isEnd },
    trimmedTo: trimmedTo !== undefined && from !== "" && from < trimmedTo ? trimmedTo : undefined,
  };
}

/** The first entry behind a place. */
function indexBehind(entries: readonly PlacedEntry[], from: Cursor): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.offset ?? "") <= from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One read of the store. Where something was trimmed it goes on from the earliest. */
async function readPage(
  store: Store,
  space: SpaceName,
  filter: EntryFilter,
  from: Cursor,
  startedAt: number,
): Promise<HeldPage> {
  try {
    return await readFrom(store, space, filter, from, startedAt);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "trimmed") throw error;
    const earliest = error.details["earliest"] as Cursor;
    const page = await readFrom(store, space, filter, earliest, startedAt);
    return { ...page, from, trimmedTo: earliest };
  }
}

async function readFrom(
  store: Store,
  space: SpaceName,
  filter: EntryFilter,
  from: Cursor,
  startedAt: number,
): Promise<HeldPage> {
  const entries: PlacedEntry[] = [];
  let to = from;
  let bytes = 0;
  let looked = 0;
  const ended = new AbortController();
  const passed = (place: Parameters<typeof encodeCursor>[0]): void => {
    to = encodeCursor(place);
    looked += 1;
    if (looked >= 100 * entriesMax) ended.abort();
  };
  let isEnd = true;
  const offset = from === "" ? {} : { offset: from };
  try {
    for await (const entry of store.consumeSpace(space, {
      ...offset,
      limit: entriesMax,
      filter,
      passed,
      signal: ended.signal,
    })) {
      to = encodeCursor(entry);
      entries.push({ entry, offset: to });
      bytes += contentBytes(entry) + entryBytes;
      looked += 1;
      isEnd = entries.length < entriesMax && bytes < bytesMax;
      if (!isEnd) break;
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    isEnd = false;
  }
  return { from, entries, to, isEnd, trimmedTo: undefined, startedAt, bytes };
}
