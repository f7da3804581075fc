// The rows of names: that a space or a segment is there, by being there; or, marked, that it was deleted.
//
// A mark names the last record of the life that was deleted, by its timestamp: the name is listed again by a later
// record alone, never by a late request for an earlier one.

import { limits } from "../../../core/limits.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { decoder, numberIn } from "../../../table/row-values.ts";
import { checkFormat, formatFirst, formatLatest } from "./format.ts";

/** The properties to select from the row of a name. */
export const nameProperties: readonly string[] = ["v", "gone"];

export const listedName: Properties = { v: formatFirst };

/** `through`: the timestamp of the last record of the life that was deleted. */
export function encodeDeletedName(through: number): Properties {
  return { v: formatLatest, gone: BigInt(through) };
}

/** The timestamp of the last record of the life that was deleted; undefined: the name is listed. */
export const deletedThrough = decoder((row: Row): number | undefined => {
  if (row.properties["gone"] === undefined) return undefined;
  checkFormat(row, "a name", 2);
  return numberIn(row, "gone", 0, limits.headNumberMax);
});
