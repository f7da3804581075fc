// How much a space has had up to a record: pure.

import { limits } from "../../../core/limits.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { numberIn } from "../../../table/row-values.ts";

/** Entries, and their bytes (`contentBytes`). */
export interface Counts {
  readonly entries: number;
  readonly bytes: number;
}

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
