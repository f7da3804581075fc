// The next entries of a partition: of its consumer's spaces, read as one, the entries that are its own and not parked.
//
// Promise: in the order of all the spaces, each segment's entries without a gap; what is another partition's is passed,
// and told as looked at.

import { contentBytes } from "../core/entry.ts";
import { matchesEntry } from "../core/entry-filter.ts";
import { StoreError } from "../core/errors.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";
import { encodeCursor } from "../codec/cursor.ts";
import type { Store } from "../store/store.ts";
import type { Consumer } from "./consumer.ts";
import { partitionOf } from "./consumer.ts";
import type { Mark } from "./mark.ts";
import type { PlacedEntry, SpacePage, SpacePages } from "./pages.ts";
import { compareInOrder, laterPosition } from "./position.ts";
import type { Position } from "./position.ts";

export interface Batch {
  readonly entries: readonly PlacedEntry[];
  /** Behind the last of the entries, in all spaces. */
  readonly to: Position;
  /** Everything up to here was looked at, and nothing else is the partition's. */
  readonly looked: Position;
  /** All that there was when it was asked for was looked at. */
  readonly isEnd: boolean;
  /** Where something was trimmed that was not read. */
  readonly trimmed: { readonly from: Position; readonly to: Position } | undefined;
}

export interface BatchBounds {
  readonly entriesMax: number;
  /** An entry that crosses it is the last. */
  readonly bytesMax: number;
  /** Not beyond: what a delivery had that is read again. */
  readonly within?: Position | undefined;
}

export interface ReadingOf {
  readonly store: Store;
  readonly pages: SpacePages;
  readonly consumer: Consumer;
  /** By the machine's `elapsed`: what had been committed by then is found. */
  readonly since: number;
  readonly signal: AbortSignal;
}

/** Entries of others that are passed in one batch: a partition that is far behind comes nearer call by call. */
const lookedMax = 20_000;

export async function readBatch(
  reading: ReadingOf,
  partition: number,
  from: Position,
  marks: readonly Mark[],
  { entriesMax, bytesMax, within }: BatchBounds,
): Promise<Batch> {
  const { consumer } = reading;
  const skipped = new Set(marks.filter(({ alone }) => !alone).map(({ space, segment }) => `${space} ${segment}`));
  const heads = consumer.spaces.map(
    (space, index) => new SpaceHead(reading, space, from[index] ?? ("" as Cursor), within?.[index]),
  );
  const entries: PlacedEntry[] = [];
  let to = from;
  let bytes = 0;
  let looked = 0;
  let isCut = false;
  for (;;) {
    const [index, next] = await earliest(heads);
    if (next === undefined) break;
    heads[index]?.pass();
    looked += 1;
    const { entry } = next;
    const isOwn = partitionOf(entry.segment, consumer.partitions) === partition;
    if (isOwn && !skipped.has(`${index} ${entry.segment}`)) {
      entries.push(next);
      bytes += contentBytes(entry);
      to = heads.map((head) => head.passed);
    }
    isCut = entries.length >= entriesMax || bytes >= bytesMax || looked >= lookedMax;
    if (isCut) break;
  }
  const ends = heads.flatMap(({ deleted }) => deleted ?? []);
  if (ends[0] !== undefined && ends.length === heads.length) throw ends[0];
  const position = isCut ? heads.map((head) => head.passed) : heads.map((head) => head.lookedAt);
  return {
    ...{ entries, to, looked: laterPosition(to, position), isEnd: !isCut && heads.every((head) => head.isEnd) },
    trimmed: trimmedOf(heads, from),
  };
}

/** Parked entries of a segment, from the first that waits to what its partition has passed, and was not dropped. */
export async function readParked(
  { store, consumer, signal }: ReadingOf,
  mark: Mark,
  position: Position,
  { entriesMax, bytesMax, to }: { readonly entriesMax: number; readonly bytesMax: number; readonly to: number },
): Promise<readonly PlacedEntry[]> {
  const space = consumer.spaces[mark.space];
  if (space === undefined) return [];
  const passed = position[mark.space] ?? "";
  const entries: PlacedEntry[] = [];
  let bytes = 0;
  const last = mark.alone ? mark.first : to;
  for await (const entry of store.consumeSegment(space, mark.segment, {
    from: mark.first,
    to: last,
    clamp: true,
    signal,
  })) {
    const offset = encodeCursor(entry);
    if (offset > passed) break;
    if (offset <= mark.droppedTo || !matchesEntry(consumer.filter, entry)) continue;
    entries.push({ entry, offset });
    bytes += contentBytes(entry);
    if (entries.length >= entriesMax || bytes >= bytesMax) break;
  }
  return entries;
}

async function earliest(heads: readonly SpaceHead[]): Promise<readonly [number, PlacedEntry | undefined]> {
  let best: readonly [number, PlacedEntry | undefined] = [-1, undefined];
  for (const [index, head] of heads.entries()) {
    const next = await head.peek();
    if (next === undefined) continue;
    if (best[1] === undefined || compareInOrder(next.entry, best[1].entry) < 0) best = [index, next];
  }
  return best;
}

function trimmedOf(heads: readonly SpaceHead[], from: Position): Batch["trimmed"] {
  if (heads.every(({ trimmedTo }) => trimmedTo === undefined)) return undefined;
  return { from, to: heads.map(({ trimmedTo }, index) => trimmedTo ?? from[index] ?? ("" as Cursor)) };
}

/** One of the spaces, from a place on. */
class SpaceHead {
  trimmedTo: Cursor | undefined;
  /** Behind the last entry that was taken. */
  passed: Cursor;
  /** Behind all that was looked at. */
  lookedAt: Cursor;
  isEnd = false;
  deleted: StoreError | undefined;
  readonly #reading: ReadingOf;
  readonly #space: SpaceName;
  readonly #within: Cursor | undefined;
  #page: SpacePage | undefined;
  #next = 0;

  constructor(reading: ReadingOf, space: SpaceName, from: Cursor, within: Cursor | undefined) {
    this.#reading = reading;
    this.#space = space;
    this.#within = within;
    this.passed = from;
    this.lookedAt = from;
    if (within !== undefined && from >= within) this.isEnd = true;
  }

  async peek(): Promise<PlacedEntry | undefined> {
    for (;;) {
      const next = this.#page?.entries[this.#next];
      if (next !== undefined && !this.#isBeyond(next.offset)) return next;
      if (this.isEnd) return undefined;
      if (next !== undefined) {
        this.isEnd = true;
        return undefined;
      }
      if (this.#page !== undefined) {
        this.lookedAt = this.#page.to;
        if (this.#page.isEnd || this.#isBeyond(this.#page.to)) {
          this.isEnd = true;
          return undefined;
        }
      }
      const { store, pages, consumer, since, signal } = this.#reading;
      const page = await this.#held(pages.read(store, this.#space, consumer.filter, this.lookedAt, since, signal));
      if (page === undefined) {
        this.isEnd = true;
        return undefined;
      }
      if (page.trimmedTo !== undefined) this.trimmedTo = page.trimmedTo;
      this.#page = page;
      this.#next = 0;
    }
  }

  /** Undefined: the space was deleted. It has nothing meanwhile, and goes on from its place when it is restored. */
  async #held(reading: Promise<SpacePage>): Promise<SpacePage | undefined> {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "deleted") throw error;
      this.deleted = error;
      return undefined;
    }
  }

  pass(): void {
    const entry = this.#page?.entries[this.#next];
    if (entry === undefined) return;
    this.#next += 1;
    this.passed = entry.offset;
    this.lookedAt = entry.offset;
  }

  #isBeyond(offset: Cursor): boolean {
    return this.#within !== undefined && offset > this.#within;
  }
}
