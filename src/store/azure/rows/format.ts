// The parts that all heads carry: the format of their rows, and how much a space has had.
//
// Format 2 is what data needs to end: first sequences, counts, markers. A row is written as 2 only where it needs it. A
// head says which it is and never goes back: an instance that knows only 1 refuses it, and drops nothing.

import type { Counts } from "../../store.ts";
import type { Row, Properties } from "../../../table/port.ts";
import { checkRowFormat, numberIn } from "../../../table/row-values.ts";
import { limits } from "../../../core/limits.ts";

export type Format = 1 | 2;

/** The format of rows that every version can read. */
export const formatFirst = 1n;
/** The format of rows that only this version and later ones can read. */
export const formatLatest = 2n;

/** A row of a later format is not ours to read or rewrite: a writer would drop what it does not know. */
export function checkFormat(row: Row, what: string, known: Format = 1): void {
  checkRowFormat(row, BigInt(known), what);
}

/** The format of a row that `checkFormat` has passed. */
export function formatOf(row: Row): Format {
  return row.properties["v"] === formatFirst ? 1 : 2;
}

/** The format to write a head in: never an earlier one than it has. */
export function laterFormat(stored: Format, wanted: Format): Format {
  return stored === 2 || wanted === 2 ? 2 : 1;
}

/** How much a space has had up to a record. */
export type { Counts };

export function encodeCounts(counts: Counts | undefined): Properties {
  return counts === undefined ? {} : { ce: BigInt(counts.entries), cb: BigInt(counts.bytes) };
}

/** Both or none: one alone is damage. */
export function decodeCounts(row: Row): Counts | undefined {
  if (row.properties["ce"] === undefined && row.properties["cb"] === undefined) return undefined;
  return {
    entries: numberIn(row, "ce", 0, limits.headNumberMax),
    bytes: numberIn(row, "cb", 0, limits.headNumberMax),
  };
}
