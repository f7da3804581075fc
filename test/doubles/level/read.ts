// Reading a keyspace as a store: names, the entries of a segment, the entries of a space.
//
// Promise: in order, each once, a page at a time; nothing is read before the first `next` or after the last; an error
// comes after what was read before it.

import type { Entry } from "../../../src/core/entry.ts";
import { invalidArgument, trimmed } from "../../../src/core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../../../src/core/ids.ts";
import { matchesEntry } from "../../../src/core/entry-filter.ts";
import { decodeBlock } from "../../../src/codec/block.ts";
import type { Compressor } from "../../../src/codec/block.ts";
import { comparePlaces, cursorAfter, encodeCursor, parseCursor } from "../../../src/codec/cursor.ts";
import type { ConsumeSegmentArgs, ConsumeSpaceArgs, NamesOptions } from "../../../src/store/store.ts";
import { segmentOfKey, spaceOfKey, timestampOfKey } from "./keys.ts";
import type { StoreKeys } from "./keys.ts";
import type { KeyValue, Keyspace, Range } from "./keyspace.ts";
import { decodeHead, decodeTrim } from "./rows.ts";

export interface Source {
  readonly keyspace: Keyspace;
  readonly keys: StoreKeys;
  readonly compressor: Compressor;
}

export async function* readSpaces(
  source: Source,
  options: NamesOptions = {},
  isHidden: (space: SpaceName) => Promise<boolean>,
): AsyncGenerator<SpaceName> {
  const listed = names(source, source.keys.spaces(options.after), spaceOfKey, options.signal);
  yield* take(options.limit, shown());

  async function* shown(): AsyncGenerator<SpaceName> {
    for await (const space of listed) if (!(await isHidden(space))) yield space;
  }
}

export async function* readSegments(
  source: Source,
  space: SpaceName,
  options: NamesOptions = {},
): AsyncGenerator<SegmentName> {
  yield* take(options.limit, names(source, source.keys.segments(space, options.after), segmentOfKey, options.signal));
}

/** Sequences have no gaps: what is missing before the first that is there was trimmed, whenever that was. */
export async function* readSegment(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  args: ConsumeSegmentArgs = {},
): AsyncGenerator<Entry> {
  const from = Math.max(args.from ?? 0, 1);
  const to = open(args.to);
  const after = args.after ?? 0;
  const until = open(args.until);
  if (to < from) return;
  const range = source.keys.blocks(space, segment, from);
  const tell = (earliest: number): void => {
    if (from > 1 && args.clamp !== true) throw trimmed(`segment ${JSON.stringify(segment)}`, earliest);
  };
  yield* take(args.limit, within());

  async function* within(): AsyncGenerator<Entry> {
    let some = false;
    for await (const entry of entries(source, range, args.signal)) {
      if (entry.sequence < from) continue;
      if (!some && entry.sequence > from) tell(entry.sequence);
      some = true;
      if (entry.sequence > to || entry.timestamp > until) return;
      if (entry.timestamp > after) yield entry;
      else args.passed?.(entry.sequence);
      // Here rather than at the next entry, which is not asked for and may be beyond reading.
      if (entry.sequence === to) return;
    }
    if (some) return;
    const { firstSequence } = decodeHead(await source.keyspace.get(source.keys.head(space, segment)));
    if (firstSequence > from) tell(firstSequence);
  }
}

export async function* readSpace(source: Source, space: SpaceName, args: ConsumeSpaceArgs = {}): AsyncGenerator<Entry> {
  const place = args.offset === undefined || args.offset === "" ? undefined : parseCursor(args.offset);
  if (place !== undefined && place.space !== space) {
    throw invalidArgument("offset", `a cursor of space ${JSON.stringify(space)}`, place.space);
  }
  const after = args.after ?? 0;
  const until = open(args.until);
  const range = source.keys.records(space, Math.max(place?.timestamp ?? 0, after === 0 ? 0 : after + 1));
  yield* take(args.limit, within());

  async function* within(): AsyncGenerator<Entry> {
    // Looked at once the records are: what they are a picture of was not trimmed later than that.
    let isChecked = args.clamp === true || args.offset === undefined;
    const check = async (): Promise<void> => {
      if (isChecked) return;
      isChecked = true;
      const earliest = await trimmedTo(source, space, args.offset);
      if (earliest !== undefined) throw trimmed(`space ${JSON.stringify(space)}`, earliest);
    };
    for await (const entry of entries(source, range, args.signal)) {
      await check();
      if (entry.timestamp > until) return;
      if (place !== undefined && comparePlaces(entry, place) <= 0) continue;
      if (entry.timestamp <= after) continue;
      if (args.filter === undefined || matchesEntry(args.filter, entry)) yield entry;
      else args.passed?.(entry);
    }
    await check();
  }
}

/** The earliest there is, where who goes on from the offset has missed something. */
export async function trimmedTo(
  { keyspace, keys }: Source,
  space: SpaceName,
  offset: Cursor | undefined,
): Promise<Cursor | undefined> {
  const trim = decodeTrim(await keyspace.get(keys.trim(space)));
  if (trim === undefined || offset === undefined || offset === "") return undefined;
  return comparePlaces(parseCursor(offset), trim) < 0 ? cursorAfter(space, trim.timestamp) : undefined;
}

/** The last block before or at which a range ends, decoded; undefined when the range is empty. */
export async function lastEntry(source: Source, range: Range): Promise<Entry | undefined> {
  const row = await source.keyspace.last(range);
  if (row === undefined) return undefined;
  return (await decodeBlock(row.value, source.compressor)).at(-1)?.entries.at(-1);
}

/** The place that the newest `count` entries of a space follow; the start when there are no more. */
export async function readTail(
  source: Source,
  space: SpaceName,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Cursor> {
  const range = source.keys.records(space, 0);
  let left = count;
  for (let { to } = range; ;) {
    signal?.throwIfAborted();
    const row = await source.keyspace.last({ from: range.from, to });
    if (row === undefined) {
      // Trimmed entries existed, and their timestamps stay used.
      return cursorAfter(space, decodeTrim(await source.keyspace.get(source.keys.trim(space)))?.timestamp ?? 0);
    }
    if (left === 0) return cursorAfter(space, timestampOfKey(row.key));
    for (const { segment, timestamp, firstSequence, lastSequence } of (
      await decodeBlock(row.value, source.compressor)
    ).reverse()) {
      const entries = lastSequence - firstSequence + 1;
      if (entries >= left) return encodeCursor({ space, timestamp, segment, sequence: lastSequence - left });
      left -= entries;
    }
    to = row.key;
  }
}

/** Rows of a range, one at a time; stops asking when the signal aborts. */
async function* rows(source: Source, range: Range, signal: AbortSignal | undefined): AsyncGenerator<KeyValue> {
  signal?.throwIfAborted();
  for await (const page of source.keyspace.pages(range)) {
    for (const row of page) {
      signal?.throwIfAborted();
      yield row;
    }
    signal?.throwIfAborted();
  }
}

async function* entries(source: Source, range: Range, signal: AbortSignal | undefined): AsyncGenerator<Entry> {
  for await (const { value } of rows(source, range, signal)) {
    for (const batch of await decodeBlock(value, source.compressor)) {
      for (const entry of batch.entries) {
        signal?.throwIfAborted();
        yield entry;
      }
    }
  }
}

async function* names<Name>(
  source: Source,
  range: Range,
  nameOf: (key: Uint8Array) => Name,
  signal: AbortSignal | undefined,
): AsyncGenerator<Name> {
  for await (const { key } of rows(source, range, signal)) yield nameOf(key);
}

/** The first `limit` of them; 0 or absent: all. Asks for nothing beyond the last. */
async function* take<T>(limit: number | undefined, items: AsyncIterable<T>): AsyncGenerator<T> {
  let left = open(limit);
  for await (const item of items) {
    yield item;
    left -= 1;
    if (left === 0) return;
  }
}

function open(bound: number | undefined): number {
  return bound === undefined || bound === 0 ? Infinity : bound;
}
