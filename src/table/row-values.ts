// What a row holds, by name and kind; a row that does not hold it, or is of a later format, is an error.

import { corruptData, StoreError } from "../core/errors.ts";
import type { Row } from "./port.ts";

/** The property that names the format of a row. */
export const formatProperty = "v";

/** A row of a later format is not ours to read or rewrite. */
export function checkRowFormat(row: Row, known: bigint, what: string): void {
  const format = row.properties[formatProperty];
  if (typeof format !== "bigint") throw corruptData(`${what} has no format version`);
  if (format <= known) return;
  throw new StoreError(
    "storage_unavailable",
    `The stored format ${format.toString()} of ${what} is newer than this version knows (${known.toString()}). Deploy the newer version on every instance.`,
    { retryAfterMs: 30_000 },
  );
}

/** A number that JavaScript holds exactly, 0 or more. */
export function numberIn(row: Row, name: string): number {
  const value = row.properties[name];
  if (typeof value === "bigint" && value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw corruptData(`property ${name} of row ${row.row}`);
}

export function textIn(row: Row, name: string): string {
  const value = row.properties[name];
  if (typeof value === "string") return value;
  throw corruptData(`property ${name} of row ${row.row}`);
}
