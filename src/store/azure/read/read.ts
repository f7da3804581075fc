// Reads a store: names, the entries of a segment, the entries of a space.
//
// Promise: in order, each entry once, at most what was asked for. Nothing is requested before the first `next` or after
// the loop is left; the next page is on its way while one is decoded; an error comes after what was read before it. A row of a list
// that cannot be read is logged and left out: it costs the others nothing.

import type { Entry, SegmentStatus } from "../../../core/entry.ts";
import { corruptData, invalidArgument, isUnreadable } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Logger } from "../../../core/logger.ts";
import { withFields } from "../../../core/logger.ts";
import type { Compressor } from "../../../codec/block.ts";
import { dataPropertyNames } from "../../../codec/block.ts";
import { parseCursor } from "../../../codec/cursor.ts";
import { compareUtf8 } from "../../../codec/lexkey.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Row, Table } from "../../../table/port.ts";
import type { Memory } from "../../memory.ts";
import type { ConsumeSegmentArgs, ConsumeSpaceArgs, NamesOptions } from "../../store.ts";
import { asStoreError } from "../instance/failure.ts";
import {
  blockRange,
  lastRecordTimestamp,
  logPartition,
  nameRange,
  recordRange,
  segmentHeadRow,
  segmentOfRow,
  segmentPartition,
  segmentsPartition,
  spaceOfRow,
  spacesPartition,
  timestampOfRow,
} from "../rows/keys.ts";
import { blocks, rows } from "./pages.ts";
import {
  blockProperties,
  decodeSegmentHead,
  emptySegment,
  headProperties,
  lastEntryOf,
  statusOf,
} from "../rows/segment-rows.ts";

export interface Source {
  readonly table: Table;
  readonly compressor: Compressor;
  /** What one read holds. Absent: nobody counts it. */
  readonly openMemory?: () => Memory;
}

/** A source of lists, where rows may be left out. */
export interface ListSource extends Pick<Source, "table"> {
  readonly logger: Logger;
}

const recordProperties: readonly string[] = ["v", ...dataPropertyNames];

export async function* readSpaces(source: ListSource, options: NamesOptions = {}): AsyncGenerator<SpaceName> {
  yield* readNames(source, spacesPartition, spaceOfRow, options);
}

export async function* readSegments(
  source: ListSource,
  space: SpaceName,
  options: NamesOptions = {},
): AsyncGenerator<SegmentName> {
  const logger = withFields(source.logger, { space });
  yield* readNames({ ...source, logger }, segmentsPartition(space), segmentOfRow, options);
}

export async function* readSegment(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  args: ConsumeSegmentArgs = {},
): AsyncGenerator<Entry> {
  const from = Math.max(args.from ?? 0, 1);
  const to = open(args.to);
  const until = open(args.until);
  const after = args.after ?? 0;
  const wanted = Math.min(open(args.limit), to - from + 1);
  if (wanted <= 0) return;
  const range = blockRange(segmentPartition(space, segment), from, limits.sequenceMax);
  // A block has an entry at least, so no more rows than entries are needed, unless the time hides some.
  const rowsMax = after === 0 ? wanted : Infinity;
  let left = open(args.limit);
  // Whoever names the last one wants them all: in as few pages as the service gives.
  const firstRows = to === Infinity ? {} : { firstRows: Math.min(wanted, limits.pageRowsMax) };
  const options = { signal: args.signal, select: blockProperties, limit: rowsMax, ...firstRows };
  for await (const batches of blocks(source, range, options)) {
    for (const entry of entriesOf(batches, args.signal)) {
      if (entry.sequence > to || entry.timestamp > until) return;
      if (entry.sequence < from) continue;
      if (entry.timestamp <= after) {
        args.passed?.(entry.sequence);
        continue;
      }
      yield entry;
      left -= 1;
      // Not at the entry after the last: its block was not asked for and may be beyond reading.
      if (left <= 0 || entry.sequence === to) return;
    }
  }
}

/** `beside`: how many spaces are read together: each reads ahead so much less. */
export async function* readSpace(
  source: Source,
  space: SpaceName,
  args: ConsumeSpaceArgs = {},
  beside = 1,
): AsyncGenerator<Entry> {
  const { place, first, last } = boundsOf(space, args);
  if (last < first) return;
  const range = recordRange(logPartition(space), first, last);
  // A record has an entry at least; the one of the cursor may have none left.
  const rowsMax = open(args.limit) + (place === undefined ? 0 : 1);
  let left = open(args.limit);
  // The cursor's record and the next: what is left of the first may be nothing.
  const ahead = beside === 1 ? undefined : { firstRows: place === undefined ? 1 : 2, shares: beside };
  const options = { signal: args.signal, select: recordProperties, limit: rowsMax, ahead };
  for await (const batches of blocks(source, range, options)) {
    for (const entry of entriesOf(batches, args.signal)) {
      if (place !== undefined && !isAfter(entry, place)) continue;
      yield entry;
      left -= 1;
      if (left <= 0) return;
    }
  }
}

/** No entry that the same arguments read has an earlier timestamp; Infinity when there is none. At most the keys of one row are read. */
export async function firstTimestamp(source: Source, space: SpaceName, args: ConsumeSpaceArgs): Promise<number> {
  const { place, first, last } = boundsOf(space, args);
  if (last < first) return Infinity;
  if (place !== undefined) return first;
  const range = recordRange(logPartition(space), first, last);
  const options = { signal: args.signal, select: ["v"], limit: 1, ahead: undefined };
  for await (const { row } of rows(source.table, range, options)) return timestampOfRow(row);
  return Infinity;
}

function boundsOf(
  space: SpaceName,
  args: ConsumeSpaceArgs,
): { readonly place: ReturnType<typeof parseCursor> | undefined; readonly first: number; readonly last: number } {
  const place = args.offset === undefined || args.offset === "" ? undefined : parseCursor(args.offset);
  if (place !== undefined && place.space !== space) {
    throw invalidArgument("offset", `a cursor of space ${JSON.stringify(space)}`, place.space);
  }
  return {
    place,
    first: Math.max(place?.timestamp ?? 0, (args.after ?? 0) + 1),
    last: Math.min(open(args.until), lastRecordTimestamp),
  };
}

export async function readLast(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  signal?: AbortSignal,
): Promise<Entry | undefined> {
  const partition = segmentPartition(space, segment);
  const row = await getRow(source.table, partition, segmentHeadRow(partition), undefined, signal);
  if (row === undefined) return undefined;
  const { lastSequence } = decodeSegmentHead(row);
  const inHead = lastEntryOf(row);
  if (inHead !== undefined) {
    const isOfHere = inHead.sequence === lastSequence && inHead.segment === segment && inHead.space === space;
    if (!isOfHere) throw corruptData(`the last entry in the head of segment ${segment} is another's`);
    return inHead;
  }
  for await (const entry of readSegment(source, space, segment, {
    from: lastSequence,
    to: lastSequence,
    signal,
  })) {
    return entry;
  }
  throw corruptData(`sequence ${lastSequence} of segment ${segment} is missing`);
}

export async function readStatus(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  signal?: AbortSignal,
): Promise<SegmentStatus> {
  const partition = segmentPartition(space, segment);
  const row = await getRow(source.table, partition, segmentHeadRow(partition), headProperties, signal);
  return statusOf(space, segment, row === undefined ? emptySegment : decodeSegmentHead(row));
}

async function* readNames<Name>(
  { table, logger }: ListSource,
  partition: string,
  nameOf: (row: string) => Name,
  { after = "", limit, signal }: NamesOptions,
): AsyncGenerator<Name> {
  let left = open(limit);
  let range = nameRange(partition, after);
  const options = { select: ["v"], signal };
  while (left > 0) {
    let last: string | undefined;
    let taken = 0;
    const asked = left;
    for await (const { row } of rows(table, range, asked === Infinity ? options : { ...options, limit: asked })) {
      [last, taken] = [row, taken + 1];
      try {
        yield nameOf(row);
        left -= 1;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        logger.error("a row of the names cannot be read and is left out", { row, error });
      }
    }
    // In place of those left out, others are due, if there are any.
    if (last === undefined || taken < asked) return;
    range = { ...range, from: `${last}0` };
  }
}

function* entriesOf(batches: readonly EntryBatch[], signal: AbortSignal | undefined): Generator<Entry> {
  for (const { entries } of batches) {
    for (const entry of entries) {
      signal?.throwIfAborted();
      yield entry;
    }
  }
}

async function getRow(
  table: Table,
  partition: string,
  row: string,
  select: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<Row | undefined> {
  signal?.throwIfAborted();
  try {
    return (await table.get(partition, row, { select, signal })).row;
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
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
