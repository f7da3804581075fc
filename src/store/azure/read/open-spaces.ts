// The spaces of a store whose logs are open: one query tells which of many spaces may have had a commit lately.
//
// Promise: a space is among them from before each of its commits until its log has rested for the idle time: a writer
// registers the log before it sends a commit, and the monitor takes it off only after that time (docs/protocol.md).
// Nothing is written.

import { StoreError } from "../../../core/errors.ts";
import type { SpaceName, StoreId } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Table } from "../../../table/port.ts";
import { openLogOfRow, openLogRange } from "../rows/keys.ts";
import { rows } from "./pages.ts";

/** Undefined: there are more than `max`. */
export async function listOpenSpaces(
  registry: Table,
  store: StoreId,
  max: number,
  signal?: AbortSignal,
): Promise<ReadonlySet<SpaceName> | undefined> {
  const spaces = new Set<SpaceName>();
  let count = 0;
  const limit = max + 1;
  const options = { select: ["v"], limit, firstRows: Math.min(limit, limits.pageRowsMax), signal };
  for await (const { row } of rows(registry, openLogRange(store), options)) {
    count += 1;
    if (count > max) return undefined;
    const space = spaceOf(row);
    if (space !== undefined) spaces.add(space);
  }
  return spaces;
}

/** Undefined: a key that no writer has written; the monitor tells of it. */
function spaceOf(row: string): SpaceName | undefined {
  try {
    return openLogOfRow(row).space;
  } catch (error) {
    if (error instanceof StoreError && error.code === "corrupt_data") return undefined;
    throw error;
  }
}
