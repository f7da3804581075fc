// Finds the newest entries of a space from its end backwards: a log is read forward only, so it is looked at in windows of time.
//
// Promise: the place is exact at the version of the log that the head was read at, whatever is committed meanwhile. Only summaries are
// read, and what was trimmed is not there. A window that holds more than a page is halved before it is read on, so that a burst long ago costs no more than a quiet log.

import type { Cursor, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { cursorAfter, encodeCursor } from "../../../codec/cursor.ts";
import type { KeyRange, Page, Row, Table } from "../../../table/port.ts";
import { asStoreError } from "../instance/failure.ts";
import { keyAfter, logPartition, recordRange, timestampOfRow } from "../rows/keys.ts";
import { decodeRecordSummary, summaryProperties } from "../rows/log-rows.ts";
import { isMarker } from "../rows/markers.ts";

/** The end of the log according to its head: its last timestamp, and how many records it has. */
interface LogEnd {
  readonly timestamp: number;
  readonly records: number;
}

/** The first window: of a space that is written to it has a few records, and never more than a page, as timestamps differ. */
const windowMsMin: number = limits.pageRowsMax;
/** Each further one is so much wider: from a second to the beginning of time in a dozen. */
const windowGrowth = 8;

/** The place that the newest `count` entries of a log follow. */
export async function readTail(
  table: Table,
  space: SpaceName,
  end: LogEnd,
  count: number,
  signal?: AbortSignal,
): Promise<Cursor> {
  let wanted = count;
  let records = end.records;
  let to = end.timestamp;
  let windowMs = windowMsMin;
  while (to > 0 && records > 0) {
    const range = recordRange(logPartition(space), Math.max(1, to - windowMs + 1), to);
    const page = await query(table, range, undefined, signal);
    if (page.continuation !== undefined && windowMs > windowMsMin) {
      windowMs = Math.max(windowMsMin, Math.floor(windowMs / 2));
      continue;
    }
    const rows = await wholeWindow(table, range, page, signal);
    for (const row of rows.toReversed()) {
      // Nothing is before it.
      if (isMarker(row)) return cursorAfter(space, timestampOfRow(row.row));
      const { timestamp, transactions } = decodeRecordSummary(row);
      for (const { segment, firstSequence, lastSequence } of transactions.toReversed()) {
        const entries = lastSequence - firstSequence + 1;
        if (entries >= wanted) return encodeCursor({ space, timestamp, segment, sequence: lastSequence - wanted });
        wanted -= entries;
      }
    }
    records -= rows.length;
    to -= windowMs;
    windowMs *= windowGrowth;
  }
  return "" as Cursor;
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
