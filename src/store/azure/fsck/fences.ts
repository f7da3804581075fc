// The lease tokens that a space fences with: for an operator to look at, and to reset where one shuts everybody out.
//
// Promise: a reset takes one lease out of the log's head, as making room for another does: from then on only the last
// token that was granted of it may write. With it, in the same transaction, goes a record of who did it when and why,
// which stays.

import { StoreError } from "../../../core/errors.ts";
import type { SpaceName } from "../../../core/ids.ts";
import type { Row, Table } from "../../../table/port.ts";
import { numberIn, textIn } from "../../../table/row-values.ts";
import { fenceResetRange, fenceResetRow, logHeadRow, logPartition } from "../rows/keys.ts";
import { checkFormat, formatFirst } from "../rows/format.ts";
import { decodeLogHead, encodeLogHead } from "../rows/log-rows.ts";
import { rows } from "../read/pages.ts";

export interface FenceReset {
  /** Milliseconds since 1970, by the storage's time. */
  readonly at: number;
  readonly lease: string;
  /** The token that it fenced with. */
  readonly token: number;
  readonly why: string;
}

export interface SpaceFences {
  /** By the lease's key, the greatest token that has written; the one used last comes last. */
  readonly fences: ReadonlyMap<string, number>;
  /** In the order of their times. */
  readonly resets: readonly FenceReset[];
}

/** Heads that are tried, while writers replace them. */
const triesMax = 50;

/** Errors: `corrupt_data`, and what the table throws. */
export async function readFences(table: Table, space: SpaceName): Promise<SpaceFences> {
  const partition = logPartition(space);
  const { row } = await table.get(partition, logHeadRow(space));
  const resets: FenceReset[] = [];
  for await (const reset of rows(table, fenceResetRange(partition), {})) resets.push(decodeReset(reset));
  return { fences: row === undefined ? new Map() : decodeLogHead(row).fences, resets };
}

/**
 * Safe beside live writers. Errors: `not_found` where the space has no token of the lease, `overloaded`, and those of
 * `readFences`.
 */
export async function resetFence(table: Table, space: SpaceName, lease: string, why: string): Promise<FenceReset> {
  const partition = logPartition(space);
  const headRow = logHeadRow(space);
  for (let tries = 0; tries < triesMax; tries += 1) {
    const { row, serviceTime } = await table.get(partition, headRow);
    const head = row === undefined ? undefined : decodeLogHead(row);
    const token = head?.fences.get(lease);
    if (row === undefined || head === undefined || token === undefined) {
      throw new StoreError(
        "not_found",
        `Space ${JSON.stringify(space)} has no token of lease ${JSON.stringify(lease)}.`,
      );
    }
    const fences = new Map(head.fences);
    fences.delete(lease);
    const reset: FenceReset = { at: serviceTime + tries, lease, token, why };
    const done = await table.submit(partition, [
      {
        kind: "replace",
        row: headRow,
        properties: encodeLogHead({ ...head, fences, droppedAt: head.timestamp }),
        ifMatch: row.etag,
      },
      { kind: "insert", row: fenceResetRow(reset.at), properties: encodeReset(reset) },
    ]);
    if (done.kind === "done") return reset;
  }
  throw new StoreError("overloaded", "Writers always came first. Try again.", { retryAfterMs: 1_000 });
}

function encodeReset({ at, lease, token, why }: FenceReset) {
  return { v: formatFirst, at: BigInt(at), lease, token: BigInt(token), why };
}

function decodeReset(row: Row): FenceReset {
  checkFormat(row, "the record of a reset");
  return {
    at: numberIn(row, "at"),
    lease: textIn(row, "lease"),
    token: numberIn(row, "token"),
    why: textIn(row, "why"),
  };
}
