// Deletes and restores a store, or a space.
//
// A deletion writes the tombstone, in the store's row or in the head of the space's log, under its ETag; then the epoch
// of the store, which makes every instance look again; then it waits until no instance believes otherwise. Dying
// anywhere leaves a deletion that nobody was told of: the same call goes on, and waits anew. A restore takes the
// tombstone away under its ETag, so that it and the removal exclude each other.

import type { Clock, Random } from "../../../core/clock.ts";
import { sleep } from "../../../core/clock.ts";
import type { SpaceName, StoreId } from "../../../core/ids.ts";
import { changeRow } from "../../../table/change-row.ts";
import type { RowPlace } from "../../../table/change-row.ts";
import type { Table } from "../../../table/port.ts";
import type { Deleted, DeletionWish } from "../../store.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { Ending } from "../rows/endings.ts";
import { endedError, isHidden } from "../rows/endings.ts";
import { logHeadRow, logPartition, nameRow, spacesPartition } from "../rows/keys.ts";
import { decodeLogHead, encodeLogHead } from "../rows/log-rows.ts";
import { encodeDeletedName, listedName, nameProperties } from "../rows/name-rows.ts";
import type { StoreRow } from "../rows/store-row.ts";
import { decodeStoreRow, encodeStoreRow, newStore, storeRowKey, storeRowPartition } from "../rows/store-row.ts";

export interface DeletionDeps {
  readonly store: StoreId;
  readonly registry: Table;
  /** The store's, whether it is there or not. */
  readonly table: Table;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Pick<AzureStoreOptions, "landsWithinMs" | "storeHeldMs">;
}

/** Part of `storeHeldMs` that a deletion waits in addition: machines' clocks differ in speed by less than a quarter. */
const waitedParts = 1.25;

export async function deleteStore(deps: DeletionDeps, wish: DeletionWish): Promise<Deleted> {
  const ending = await changeStore(deps, ({ ending, epoch, label }, now) => {
    return { epoch: epoch + 1, ending: nextEnding(deps, ending, now, wish), label };
  });
  await untilKnown(deps);
  return deletedOf(ending);
}

export async function restoreStore(deps: DeletionDeps): Promise<void> {
  const { store } = deps;
  await changeStore(deps, ({ ending, epoch, label }) => {
    if (ending !== undefined && ending.state !== "deleted") throw endedError({ store }, ending);
    return { epoch: epoch + 1, ending: undefined, label };
  });
}

/** Undefined: there is no such space, or nothing of it. */
export async function deleteSpace(
  deps: DeletionDeps,
  space: SpaceName,
  wish: DeletionWish,
): Promise<Deleted | undefined> {
  const ending = await changeRow<Ending | undefined>(logHead(deps, space), deps, ({ now, row }) => {
    const head = row === undefined ? undefined : decodeLogHead(row);
    if (head === undefined || head.ending?.state === "removed") return unchanged;
    const next = nextEnding(deps, head.ending, now, wish);
    return { outcome: next, change: { kind: "put", properties: encodeLogHead({ ...head, ending: next, format: 2 }) } };
  });
  if (ending === undefined) return undefined;
  await alignName(deps, space);
  await changeStore(deps, (before) => ({ ...before, epoch: before.epoch + 1 }));
  await untilKnown(deps);
  return deletedOf(ending);
}

/** It changes nothing of a space that was not deleted. */
export async function restoreSpace(deps: DeletionDeps, space: SpaceName): Promise<void> {
  await changeRow<undefined>(logHead(deps, space), deps, ({ row }) => {
    const head = row === undefined ? undefined : decodeLogHead(row);
    if (head === undefined || !isHidden(head.ending)) return unchanged;
    if (head.ending.state !== "deleted") throw endedError({ space }, head.ending);
    return {
      outcome: undefined,
      change: { kind: "put", properties: encodeLogHead({ ...head, ending: undefined }) },
    };
  });
  await alignName(deps, space);
  await changeStore(deps, (before) => ({ ...before, epoch: before.epoch + 1 }));
}

const unchanged = { outcome: undefined, change: undefined } as const;

/** A repeat keeps the times of the first; who asks for an erasure gets it, as soon as it can be. */
function nextEnding(
  { options }: DeletionDeps,
  before: Ending | undefined,
  now: number,
  { erase, graceMs }: DeletionWish,
): Ending {
  if (before !== undefined && before.state !== "deleted") return before;
  // Rows go when nothing that was sent before everybody knew can land any more.
  const soonest = now + Math.ceil(options.storeHeldMs * waitedParts + options.landsWithinMs);
  const at = before?.at ?? now;
  if (erase) return { state: "removing", at, removeAt: Math.min(before?.removeAt ?? soonest, soonest) };
  return before ?? { state: "deleted", at, removeAt: Math.max(now + graceMs, soonest) };
}

function deletedOf(ending: Ending | undefined): Deleted {
  return { removedFrom: ending?.removeAt ?? 0 };
}

function logHead({ table }: DeletionDeps, space: SpaceName): RowPlace {
  return { table, partition: logPartition(space), row: logHeadRow(space) };
}

/** Answers the store's ending after the change. */
function changeStore(
  deps: DeletionDeps,
  change: (row: StoreRow, now: number) => StoreRow,
): Promise<Ending | undefined> {
  const { registry, store } = deps;
  const place = { table: registry, partition: storeRowPartition(store), row: storeRowKey(store) };
  return changeRow<Ending | undefined>(place, deps, ({ now, row }) => {
    const next = change(row === undefined ? newStore : decodeStoreRow(row), now);
    return { outcome: next.ending, change: { kind: "put", properties: encodeStoreRow(next) } };
  });
}

/**
 * Lists the space's name, or marks it as deleted, as the head of its log says that was read after the row of the name.
 * The row is written even where it says so already: who decided on an older head is refused.
 */
async function alignName(deps: DeletionDeps, space: SpaceName): Promise<void> {
  const { table } = deps;
  const row = nameRow(space);
  for (;;) {
    const { row: name } = await table.get(spacesPartition, row, { select: nameProperties });
    const { row: stored } = await table.get(logPartition(space), logHeadRow(space));
    if (stored === undefined) return;
    const head = decodeLogHead(stored);
    const properties = isHidden(head.ending) ? encodeDeletedName(head.timestamp) : listedName;
    const written = await table.submit(spacesPartition, [
      name === undefined
        ? { kind: "insert", row, properties }
        : { kind: "replace", row, properties, ifMatch: name.etag },
    ]);
    if (written.kind === "done") return;
  }
}

/** Waits until no instance relies on what it read before the epoch was written. */
function untilKnown({ clock, options }: DeletionDeps): Promise<void> {
  return sleep(clock, options.storeHeldMs * waitedParts);
}
