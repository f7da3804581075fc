// The formats of stored rows: what this version reads, and what it writes.
//
// All rows are of format 1, but for the heads of logs that count: those are of format 2. A head says which it is and never goes back: an
// instance that knows only 1 refuses it, and drops nothing.

import type { Row } from "../../../table/port.ts";
import { checkRowFormat } from "../../../table/row-values.ts";

export type Format = 1 | 2;

export const formatFirst = 1n;

/** A row of a later format is not ours to read or rewrite: a writer would drop what it does not know. */
export function checkFormat(row: Row, what: string, known: Format = 1): void {
  checkRowFormat(row, BigInt(known), what);
}

/** Of a row that `checkFormat` has passed. */
export function formatOf(row: Row): Format {
  return row.properties["v"] === formatFirst ? 1 : 2;
}

/** What a head is written as: never less than it was. */
export function laterFormat(stored: Format, wanted: Format): Format {
  return stored === 2 || wanted === 2 ? 2 : 1;
}
