// Reading a keyspace as a store: names, the entries of a segment, the entries of a space.
//
// Promise: in order, each once, a page at a time; nothing is read before the first `next` or after the last; an error
// comes after what was read before it.

import type { Entry } from "../../../src/core/entry.ts";
import { invalidArgument } from "../../../src/core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../../../src/core/ids.ts";
import { decodeBlock } from "../../../src/codec/block.ts";
import type { Compressor } from "../../../src/codec/block.ts";
import { cursorAfter, encodeCursor, parseCursor } from "../../../src/codec/cursor.ts";
import { compareUtf8 } from "../../../src/codec/lexkey.ts";
import type { ConsumeSegmentArgs, ConsumeSpaceArgs, NamesOptions } from "../../../src/store/store.ts";
import { segmentOfKey, spaceOfKey, timestampOfKey } from "./keys.ts";
import type { StoreKeys } from "./keys.ts";
import type { KeyValue, Keyspace, Range } from "./keyspace.ts";

export interface Source {
  readonly keyspace: Keyspace;
  readonly keys: StoreKeys;
  readonly compressor: Compressor;
}

export async function* readSpaces(source: Source, options: NamesOptions = {}): AsyncGenerator<SpaceName> {
  yield* take(options.limit, names(source, source.keys.spaces(options.after), spaceOfKey, options.signal));
}

export async function* readSegments(
  source: Source,
  space: SpaceName,
  options: NamesOptions = {},
): AsyncGenerator<SegmentName> {
  yield* take(options.limit, names(source, source.keys.segments(space, options.after), segmentOfKey, options.signal));
}

export async function* readSegment(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  args: ConsumeSegmentArgs = {},
): AsyncGenerator<Entry> {
  const from = args.from ?? 0;
  const to = open(args.to);
  const after = args.after ?? 0;
  const until = open(args.until);
  if (to < from) return;
  const range = source.keys.blocks(space, segment, Math.max(from, 1));
  yield* take(args.limit, within());

  async function* within(): AsyncGenerator<Entry> {
    for await (const entry of entries(source, range, args.signal)) {
      if (entry.sequence > to || entry.timestamp > until) return;
      if (entry.sequence >= from) {
        if (entry.timestamp > after) yield entry;
        else args.passed?.(entry.sequence);
      }
      // Here rather than at the next entry, which is not asked for and may be beyond reading.
      if (entry.sequence === to) return;
    }
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
    for await (const entry of entries(source, range, args.signal)) {
      if (entry.timestamp > until) return;
      if (place === undefined || isAfter(entry, place)) yield entry;
    }
  }
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
    if (row === undefined) return "" as Cursor;
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

function isAfter(entry: Entry, place: ReturnType<typeof parseCursor>): boolean {
  if (entry.timestamp !== place.timestamp) return entry.timestamp > place.timestamp;
  const order = compareUtf8(entry.segment, place.segment);
  return order === 0 ? entry.sequence > place.sequence : order > 0;
}
