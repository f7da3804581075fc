// Finds the newest entries of a space from its end backwards: a log is read forward only, so it is looked at in windows
// of time.
//
// Promise: the place is exact at the version of the log that the head was read at, whatever is committed meanwhile.
// Only summaries are read, and the entries of merged rows; trimmed entries are not there. The positions of the rows
// prove that none was passed over: rows that were merged between two windows are told, and the caller begins again. A
// window that holds more than a page is halved before it is read on, so that a burst long ago costs no more than a
// quiet log.

import type { Cursor, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { Compressor } from "../../../codec/block.ts";
import { cursorAfter, encodeCursor } from "../../../codec/cursor.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { KeyRange, Page, Row, Table } from "../../../table/port.ts";
import { asStoreError } from "../instance/failure.ts";
import { keyAfter, logPartition, recordRange, timestampOfRow } from "../rows/keys.ts";
import { decodeRecordSummary, summaryProperties } from "../rows/log-rows.ts";
import { decodeLogMarker, isMarker } from "../rows/markers.ts";
import { decodeMergedRecords, isMerged } from "../rows/merged-rows.ts";
import type { Source } from "./read.ts";

/** The end of the log according to its head: its last timestamp, and how many records it has. */
interface LogEnd {
  readonly timestamp: number;
  readonly records: number;
}

/**
 * The first window: of a space that is written to it has a few records, and never more than a page, as timestamps
 * differ.
 */
const windowMsMin: number = limits.pageRowsMax;
/** Each further one is so much wider: from a second to the beginning of time in a dozen. */
const windowGrowth = 8;

/** The place that the newest `count` entries of a log follow. Undefined: rows were merged meanwhile. */
export async function readTail(
  { compressor, table }: Pick<Source, "compressor" | "table">,
  space: SpaceName,
  end: LogEnd,
  count: number,
  signal?: AbortSignal,
): Promise<Cursor | undefined> {
  let wanted = count;
  let position = end.records;
  let to = end.timestamp;
  let windowMs = windowMsMin;
  while (to > 0 && position > 0) {
    const range = recordRange(logPartition(space), Math.max(1, to - windowMs + 1), to);
    const page = await query(table, range, undefined, signal);
    if (page.continuation !== undefined && windowMs > windowMsMin) {
      windowMs = Math.max(windowMsMin, Math.floor(windowMs / 2));
      continue;
    }
    const rows = await wholeWindow(table, range, page, signal);
    for (const row of rows.toReversed()) {
      // Nothing is before it; records between it and those seen were merged into a row that was passed.
      if (isMarker(row)) {
        return decodeLogMarker(row).position < position ? undefined : cursorAfter(space, timestampOfRow(row.row));
      }
      const stored = isMerged(row) ? await readMerged(table, compressor, row, signal) : storedRecord(row);
      if (stored?.position !== position) return undefined;
      position -= stored.count;
      for (const { segment, timestamp, firstSequence, lastSequence } of stored.transactions.toReversed()) {
        const entries = lastSequence - firstSequence + 1;
        if (entries >= wanted) return encodeCursor({ space, timestamp, segment, sequence: lastSequence - wanted });
        wanted -= entries;
      }
    }
    to -= windowMs;
    windowMs *= windowGrowth;
  }
  return position > 0 ? undefined : ("" as Cursor);
}

interface Stored {
  /** Which record of the log the row's last one is, and how many it holds. */
  readonly position: number;
  readonly count: number;
  readonly transactions: readonly Pick<EntryBatch, "firstSequence" | "lastSequence" | "segment" | "timestamp">[];
}

function storedRecord(row: Row): Stored {
  const { position, timestamp, transactions } = decodeRecordSummary(row);
  return { position, count: 1, transactions: transactions.map((transaction) => ({ ...transaction, timestamp })) };
}

/** Undefined: it is not there any more as it was. */
async function readMerged(
  table: Table,
  compressor: Compressor,
  { etag, partition, row }: Row,
  signal: AbortSignal | undefined,
): Promise<Stored | undefined> {
  try {
    const { row: whole } = await table.get(partition, row, { signal });
    if (whole?.etag !== etag) return undefined;
    const { count, position } = decodeMergedRecords(whole);
    return { count, position, transactions: await decodeBlock(joinData(whole.properties), compressor) };
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  }
}

/** A page may end early for reasons of the service's own. */
async function wholeWindow(
  table: Table,
  range: KeyRange,
  first: Page,
  signal: AbortSignal | undefined,
): Promise<readonly Row[]> {
  const rows = [...first.rows];
  let { from } = range;
  for (let page = first; page.continuation !== undefined;) {
    const last = page.rows.at(-1);
    // By key: a token may point past a row that was rewritten meanwhile.
    if (last !== undefined) from = keyAfter(last.row);
    page = await query(table, { ...range, from }, last === undefined ? page.continuation : undefined, signal);
    rows.push(...page.rows);
  }
  return rows;
}

async function query(
  table: Table,
  range: KeyRange,
  continuation: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Page> {
  signal?.throwIfAborted();
  try {
    return await table.query(range, {
      select: summaryProperties,
      continuation,
      signal,
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  }
}
