// The formats of stored rows: what this version reads, and what it writes.
//
// Version 2 adds what rows need to end: first sequences, counts, markers, merged rows. A row is written as 2 only where it needs it. Heads say
// which version their log or segment is at, and never go back: an instance that knows only 1 refuses them, and drops nothing.

import type { Row } from "../../../table/port.ts";
import { checkRowFormat } from "../../../table/row-values.ts";

export type Format = 1 | 2;

/** Of rows that every version can read. */
export const formatFirst = 1n;
/** Of rows that only this version and later ones can read. A writer that meets a higher one refuses: it would drop what it does not know. */
export const formatLatest = 2n;

export function checkFormat(row: Row, what: string): void {
  checkRowFormat(row, formatLatest, what);
}

/** Of a row that `checkFormat` has passed. */
export function formatOf(row: Row): Format {
  return row.properties["v"] === formatLatest ? 2 : 1;
}

/** What a head is written as: never less than it was. */
export function laterFormat(stored: Format, wanted: Format): Format {
  return stored === 2 || wanted === 2 ? 2 : 1;
}
