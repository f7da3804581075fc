// Reads a store: names, the entries of a segment, the entries of a space.
//
// Promise: in order, each entry once, at most what was asked for. Nothing is requested before the first `next` or after
// the loop is left; the next page is on its way while one is decoded; an error comes after what was read before it. A
// row of a list that cannot be read is logged and left out: it costs the others nothing.

import type { Entry, SegmentStatus } from "../../../core/entry.ts";
import type { EntryFilter } from "../../../core/entry-filter.ts";
import { filtersAnything, matchesEntry, matchesSegment } from "../../../core/entry-filter.ts";
import type { StoreError } from "../../../core/errors.ts";
import { corruptData, invalidArgument, isUnreadable, trimmed } from "../../../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Logger } from "../../../core/logger.ts";
import { withFields } from "../../../core/logger.ts";
import type { Compressor } from "../../../codec/block.ts";
import { dataPropertyNames } from "../../../codec/block.ts";
import type { Place } from "../../../codec/cursor.ts";
import { comparePlaces, cursorAfter, leastName, parseCursor } from "../../../codec/cursor.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Row, Table } from "../../../table/port.ts";
import type { Memory } from "../../work.ts";
import type { ConsumeSegmentArgs, ConsumeSpaceArgs, NamesOptions, StreamStatus } from "../../store.ts";
import { asStoreError } from "../instance/failure.ts";
import {
  blockRange,
  keyAfter,
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
import { decodeLogMarker, goneWith, isMarker, logMarkerProperties } from "../rows/markers.ts";
import { decodeMergedRecords, isMerged, mergedProperties } from "../rows/merged-rows.ts";
import { deletedThrough, nameProperties } from "../rows/name-rows.ts";
import { blocks, rows } from "./pages.ts";
import type { RowsOptions } from "./pages.ts";
import { summarisedSegments, summaryProperties } from "../rows/log-rows.ts";
import {
  blockProperties,
  decodeSegmentHead,
  emptySegment,
  goneThrough,
  headProperties,
  lastEntryOf,
  statusOf,
} from "../rows/segment-rows.ts";

export interface Source {
  readonly table: Table;
  readonly compressor: Compressor;
  /** The memory that one read holds. Absent: nobody counts it. */
  readonly openMemory?: () => Memory;
}

/** A source of lists, where rows may be left out. */
export interface ListSource extends Pick<Source, "table"> {
  readonly logger: Logger;
}

const placeProperties: readonly string[] = [...logMarkerProperties, ...mergedProperties];
const recordProperties: readonly string[] = [...logMarkerProperties, ...dataPropertyNames];

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
  // A block has an entry at least, unless it is a marker or the time hides some.
  const likely = after === 0 ? wanted : Infinity;
  let left = open(args.limit);
  // A reader that names the last sequence wants all entries up to it: fetch them in as few pages as the service gives.
  const firstRows = to === Infinity ? {} : { firstRows: Math.min(wanted, limits.pageRowsMax) };
  const options = { signal: args.signal, select: blockProperties, likely, ...firstRows };
  let passed = from - 1;
  let begun = passed > 0;
  for await (const { row, batches } of blocks(source, range, options)) {
    const gone = goneThrough(row);
    if (gone > passed) {
      if (begun && args.clamp !== true) throw trimmed(`segment ${JSON.stringify(segment)}`, gone + 1);
      passed = gone;
    }
    for (const entry of entriesOf(batches, args.signal)) {
      if (entry.sequence > to || entry.timestamp > until) return;
      if (entry.sequence <= passed) continue;
      passed = entry.sequence;
      if (entry.timestamp <= after) {
        args.passed?.(entry.sequence);
        continue;
      }
      yield entry;
      begun = true;
      left -= 1;
      // Not at the entry after the last: its block was not asked for and may be beyond reading.
      if (left <= 0 || entry.sequence === to) return;
    }
    if (passed >= to) return;
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
  // To the end: what is wanted may be in a row whose key is later.
  const range = recordRange(logPartition(space), first, lastRecordTimestamp);
  const filter = args.filter !== undefined && filtersAnything(args.filter) ? args.filter : undefined;
  // A record has an entry at least, unless the filter hides it; the one of the cursor may have none left.
  const likely = filter === undefined ? open(args.limit) + (place === undefined ? 0 : 1) : Infinity;
  let left = open(args.limit);
  // The cursor's record and the next: what is left of the first may be nothing.
  const ahead = beside === 1 ? undefined : { firstRows: place === undefined ? 1 : 2, shares: beside };
  const options = { signal: args.signal, likely, ahead, ...selectedBy(filter) };
  let passed: Omit<Place, "space"> | undefined = place;
  let begun = place !== undefined;
  for await (const { row, batches } of blocks(source, range, options)) {
    const timestamp = timestampOfRow(row.row);
    if (isMarker(row)) {
      const gone = goneWith(space, decodeLogMarker(row));
      if (passed === undefined || comparePlaces(passed, gone) < 0) {
        if (begun && args.clamp !== true) throw trimmedSpace(space, timestamp);
        passed = endOf(timestamp);
      }
      continue;
    }
    for (const entry of entriesOf(batches, args.signal)) {
      if (entry.timestamp > last) return;
      if (entry.timestamp < first || (passed !== undefined && comparePlaces(entry, passed) <= 0)) continue;
      passed = entry;
      begun = true;
      if (filter !== undefined && !matchesEntry(filter, entry)) {
        args.passed?.(entry);
        continue;
      }
      yield entry;
      left -= 1;
      if (left <= 0) return;
    }
    if (timestamp >= last) return;
    if (passed === undefined || passed.timestamp <= timestamp) passed = endOf(timestamp);
    // Entries that were not decoded exist all the same.
    if (filter !== undefined && batches.length === 0) {
      begun = true;
      args.passed?.({ space, ...passed });
    }
  }
}

/** The summary has the names: rows without a wanted segment are not decoded. */
function selectedBy(filter: EntryFilter | undefined): Pick<RowsOptions, "select" | "skips"> {
  if (filter === undefined || filter.prefixes.length === 0) return { select: recordProperties };
  return {
    select: [...recordProperties, ...summaryProperties.filter((name) => !recordProperties.includes(name))],
    skips: (row) => summarisedSegments(row)?.every((segment) => !matchesSegment(filter, segment)) === true,
  };
}

/**
 * The earliest that there is of a space, where somebody who goes on from this place would be told that what comes next
 * was trimmed.
 */
export async function trimmedTo(source: Source, space: SpaceName, offset: Cursor): Promise<Cursor | undefined> {
  const { place, first } = boundsOf(space, { offset });
  if (place === undefined) return undefined;
  const range = recordRange(logPartition(space), first, lastRecordTimestamp);
  for await (const row of rows(source.table, range, { select: logMarkerProperties, likely: 1, firstRows: 1 })) {
    const isGone = isMarker(row) && comparePlaces(place, goneWith(space, decodeLogMarker(row))) < 0;
    return isGone ? cursorAfter(space, timestampOfRow(row.row)) : undefined;
  }
  return undefined;
}

function trimmedSpace(space: SpaceName, timestamp: number): StoreError {
  return trimmed(`space ${JSON.stringify(space)}`, cursorAfter(space, timestamp));
}

/** Behind everything of this timestamp. */
function endOf(timestamp: number): Omit<Place, "space"> {
  return { timestamp: timestamp + 1, segment: leastName, sequence: 0 };
}

/**
 * No entry that the same arguments read has an earlier timestamp; Infinity when there is none. At most the place of one
 * row is read: its key is the last place that it holds, so a merged row says where it begins.
 */
export async function firstTimestamp(source: Source, space: SpaceName, args: ConsumeSpaceArgs): Promise<number> {
  const { place, first, last } = boundsOf(space, args);
  if (last < first) return Infinity;
  if (place !== undefined) return first;
  const range = recordRange(logPartition(space), first, lastRecordTimestamp);
  const options = { signal: args.signal, select: placeProperties, limit: 1, ahead: undefined };
  for await (const row of rows(source.table, range, options)) {
    const begins = isMerged(row) ? decodeMergedRecords(row).firstTimestamp : timestampOfRow(row.row);
    return begins > last ? Infinity : Math.max(first, begins);
  }
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
  const { firstSequence, lastSequence } = decodeSegmentHead(row);
  if (firstSequence > lastSequence) return undefined;
  const inHead = lastEntryOf(row);
  if (inHead !== undefined) {
    const isOfHere = inHead.sequence === lastSequence && inHead.segment === segment && inHead.space === space;
    if (!isOfHere) throw corruptData(`the last entry in the head of segment ${segment} is another's`);
    return inHead;
  }
  const only = { from: lastSequence, to: lastSequence, clamp: true, signal };
  for await (const entry of readSegment(source, space, segment, only)) return entry;
  // It was trimmed since, and something may have come after it.
  const later = await getRow(source.table, partition, segmentHeadRow(partition), headProperties, signal);
  if (later !== undefined && decodeSegmentHead(later).firstSequence > lastSequence) {
    return readLast(source, space, segment, signal);
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

/** The segment's state as a stream, and its end; undefined: it is no stream. One point read. */
export async function readStream(
  source: Source,
  space: SpaceName,
  segment: SegmentName,
  signal?: AbortSignal,
): Promise<StreamStatus | undefined> {
  const partition = segmentPartition(space, segment);
  const row = await getRow(source.table, partition, segmentHeadRow(partition), headProperties, signal);
  if (row === undefined) return undefined;
  const { firstSequence, lastSequence, stream } = decodeSegmentHead(row);
  return stream === undefined ? undefined : { stream, firstSequence, lastSequence };
}

async function* readNames<Name>(
  { table, logger }: ListSource,
  partition: string,
  nameOf: (row: string) => Name,
  { after = "", limit, signal }: NamesOptions,
): AsyncGenerator<Name> {
  let left = open(limit);
  let range = nameRange(partition, after);
  const options = { select: nameProperties, signal };
  while (left > 0) {
    let last: string | undefined;
    let taken = 0;
    const asked = left;
    for await (const found of rows(table, range, asked === Infinity ? options : { ...options, limit: asked })) {
      const { row } = found;
      [last, taken] = [row, taken + 1];
      try {
        if (deletedThrough(found) !== undefined) continue;
        yield nameOf(row);
        left -= 1;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        logger.error("a row of the names cannot be read and is left out", { row, error });
      }
    }
    // In place of those left out, others are due, if there are any.
    if (last === undefined || taken < asked) return;
    range = { ...range, from: keyAfter(last) };
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
