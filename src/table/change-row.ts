// Changes one row by what it is: read, decide, write under the ETag that was read, again when someone else came first.
//
// Promise: what is told rests on a write that succeeded on the very row it was decided on, or on a read alone. Deciding
// may happen several times and must do nothing else.

import { sleep } from "../core/clock.ts";
import type { Clock, Random } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { Properties, Refusal, Row, Table, Write } from "./port.ts";
import { TableFailure } from "./port.ts";
import { asStoreError } from "./store-error.ts";

export interface RowPlace {
  readonly table: Table;
  readonly partition: string;
  readonly row: string;
}

export interface SeenRow {
  /** Undefined when there is none. */
  readonly row: Row | undefined;
  /** The storage's time, as the answer told it: whole seconds. */
  readonly now: number;
}

export interface RowChange<T> {
  /** Told when the change is written, or at once where there is none. */
  readonly outcome: T;
  /** The new content of the row, or its removal. Undefined: the row stays as it is. */
  readonly change: { readonly kind: "put"; readonly properties: Properties } | { readonly kind: "delete" } | undefined;
}

/** Lost races in a row before the caller is told to come back. */
const attemptsMax = 8;
/** Before the second attempt, and so much more before each further one, up to double by chance. */
const pauseMs = 10;

/**
 * Creates the table when it is missing. Errors: what `decide` throws; `overloaded` when others always came first;
 * `throttled`, `storage_unavailable` (effect unknown when it may have been written), `internal`.
 */
export async function changeRow<T>(
  { table, partition, row }: RowPlace,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  decide: (seen: SeenRow) => RowChange<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const seen = await read(table, partition, row);
    const { outcome, change } = decide(seen);
    const write = writeOf(row, change, seen.row?.etag);
    if (write === undefined) return outcome;
    const refused = await submit(table, partition, write);
    if (refused === undefined) return outcome;
    if (refused === "table_missing") await create(table);
    if (attempt === attemptsMax) {
      throw new StoreError("overloaded", "Too many callers change this at the same time. Try again a little later.", {
        retryAfterMs: 1_000,
      });
    }
    await sleep(clock, attempt * pauseMs * (1 + random.fraction()));
  }
}

/** Undefined when there is nothing to do: what is to go is not there. */
function writeOf(row: string, change: RowChange<unknown>["change"], etag: string | undefined): Write | undefined {
  if (change === undefined) return undefined;
  if (change.kind === "delete") return etag === undefined ? undefined : { kind: "delete", row, ifMatch: etag };
  const { properties } = change;
  return etag === undefined ? { kind: "insert", row, properties } : { kind: "replace", row, properties, ifMatch: etag };
}

async function read(table: Table, partition: string, row: string): Promise<SeenRow> {
  try {
    const got = await table.get(partition, row);
    return { row: got.row, now: got.serviceTime };
  } catch (error) {
    throw asStoreError(error, "none");
  }
}

/** Why it was refused; undefined when it is done. */
async function submit(table: Table, partition: string, write: Write): Promise<Refusal | undefined> {
  try {
    const result = await table.submit(partition, [write]);
    return result.kind === "done" ? undefined : result.reason;
  } catch (error) {
    throw asStoreError(error, error instanceof TableFailure ? error.effect : "unknown");
  }
}

async function create(table: Table): Promise<void> {
  try {
    await table.create();
  } catch (error) {
    throw asStoreError(error, "none");
  }
}
