// Retention: a policy for a space, or for all spaces of a store that have none of their own, kept up through the
// schedule.
//
// Promise: a space that a policy is for has one row in the schedule as long as it is for it, whether anything is
// written or not: its turn trims, and says when the next is. The row is written before the policy is acknowledged. A
// policy that is changed begins a new chain of turns, and the former one ends at its next turn. A space that comes into
// being under its store's policy gets its row when the monitor visits its log, at the latest before that is closed.

import { LRUCache } from "lru-cache";

import type { Clock, Random } from "../core/clock.ts";
import { formatNotEnabled } from "../core/errors.ts";
import type { SpaceName, StoreId } from "../core/ids.ts";
import { parseJobId } from "../core/ids.ts";
import { changeRow } from "../table/change-row.ts";
import type { RowPlace } from "../table/change-row.ts";
import type { Table } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { newJobId, timeOfJob } from "../jobs/job.ts";
import type { Jobs, JobWork } from "../jobs/jobs.ts";
import type { Next, Schedule, Turn, Work } from "../jobs/schedule.ts";
import type { StoreFactory } from "../store/store.ts";
import { firstExpiry, trimByAge, trimByCount } from "./keep-up.ts";
import {
  decodeRetention,
  encodeRetention,
  retentionPartition,
  spaceRetentionRow,
  storeRetentionRow,
} from "./policy.ts";
import type { RetentionPolicy, RetentionRow } from "./policy.ts";

/**
 * Errors: `format_not_enabled`, `throttled`, `overloaded`, `storage_unavailable`, `corrupt_data`. Without a space: of
 * the store.
 */
export interface Retention {
  put(store: StoreId, space: SpaceName | undefined, policy: RetentionPolicy, caller: string): Promise<void>;
  /** Which policy is for it, and whose it is; undefined: all is kept. */
  get(store: StoreId, space: SpaceName | undefined): Promise<PolicyOf | undefined>;
  /** Whether there was one of its own. */
  remove(store: StoreId, space: SpaceName | undefined): Promise<"removed" | "missing">;
  /** The space's log is visited: a policy of its store is for it from now on. */
  visited(store: StoreId, space: SpaceName): Promise<void>;
}

export interface PolicyOf {
  readonly policy: RetentionPolicy;
  readonly of: "space" | "store";
}

export interface RetentionDeps {
  /** The table of a store. Does no request. */
  readonly table: (store: StoreId) => Table;
  readonly schedule: Pick<Schedule, "put">;
  readonly jobs: Pick<Jobs, "start">;
  /** Whether trims are possible: they write format 2. */
  readonly trims: boolean;
  readonly clock: Clock;
  /** The storage's time. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly random: Random;
}

export const retentionWhat = "retention";
export const applyRetentionKind = "applyRetention";

/** Between two turns of a space by age, milliseconds: a sixtieth of the age, within these. */
const ageRestMs = { min: 60_000, max: 3_600_000, part: 60 };
/** Between two looks at the segments that were written, milliseconds: doubled while nothing is. */
const countRestMs = { min: 600_000, max: 21_600_000 };
/** Until a commit that is not in all its segments is looked at again. */
const pendingRestMs = 300_000;
/** A chain that no row names was never acknowledged, once its writer has had so long to write it. */
const [unwrittenMs, unwrittenRestMs] = [600_000, 60_000];
/**
 * How long a store's policy is believed by visits, and of how many spaces it is remembered that they have their row.
 */
const believedMs = 60_000;
const [storesMax, spacesMax] = [1_000, 100_000];
/** Names of one turn between two looks at the clock. */
const namesTogether = 50;

export function createRetention(deps: RetentionDeps): Retention {
  const { clock, jobs, table } = deps;
  /** The chain of each store's policy; empty: it has none. */
  const chains = new LRUCache<StoreId, { readonly chain: string; readonly at: number }>({ max: storesMax });
  /** The store's chain at which a space was found to have its row. */
  const known = new LRUCache<string, string>({ max: spacesMax });

  const storeChain = async (store: StoreId): Promise<string> => {
    const believed = chains.get(store);
    if (believed !== undefined && clock.elapsed() - believed.at < believedMs) return believed.chain;
    const at = clock.elapsed();
    const chain = (await readRow(table(store), storeRetentionRow))?.chain ?? "";
    chains.set(store, { chain, at });
    return chain;
  };

  return {
    put: async (store, space, policy, caller) => {
      if (!deps.trims) throw formatNotEnabled("A retention");
      if (space !== undefined) return begin(deps, store, space, () => policy);
      const row: RetentionRow = { policy, chain: deps.random.uuid(), after: 0, restMs: 0 };
      await changeRow(placeOf(table(store), storeRetentionRow), deps, () => ({
        outcome: undefined,
        change: { kind: "put", properties: encodeRetention(row) },
      }));
      chains.delete(store);
      // The spaces that there are; those that come are found when they are written.
      await jobs.start(store, { kind: applyRetentionKind, asked: { chain: row.chain }, caller });
    },
    get: (store, space) => policyFor(table(store), space),
    remove: async (store, space) => {
      const key = space === undefined ? storeRetentionRow : spaceRetentionRow(space);
      if ((await readRow(table(store), key))?.policy === undefined) return "missing";
      // A space's next turn finds the store's policy, or none, and ends.
      if (space !== undefined) await begin(deps, store, space, () => undefined);
      else await removeRow(deps, table(store), key, undefined);
      chains.delete(store);
      return "removed";
    },
    visited: async (store, space) => {
      const chain = await storeChain(store);
      const name = `${store} ${space}`;
      if (chain === "" || known.get(name) === chain) return;
      if ((await readRow(table(store), spaceRetentionRow(space))) === undefined) {
        await begin(deps, store, space, (before) => before?.policy);
      }
      known.set(name, chain);
    },
  };
}

/** The job that begins a store's policy in the spaces that there are. */
export function retentionJobs(
  deps: RetentionDeps,
  stores: Pick<StoreFactory, "open">,
): Readonly<Record<string, JobWork>> {
  return {
    [applyRetentionKind]: async ({ asked, progress, store }, turn) => {
      let { after = "", spaces = 0 } = progress as { readonly after?: string; readonly spaces?: number };
      const row = await readRow(deps.table(store), storeRetentionRow);
      // Another policy has its own job, and none needs none.
      if (row?.chain !== asked["chain"]) return { kind: "done", progress };
      for await (const space of stores.open(store).getSpaces({ after })) {
        const own = await readRow(deps.table(store), spaceRetentionRow(space));
        if (own?.policy === undefined) {
          await begin(deps, store, space, (before) => before?.policy);
          spaces += 1;
        }
        after = space;
        if (spaces % namesTogether === 0 && turn.isOver()) return { kind: "more", progress: { after, spaces } };
      }
      return { kind: "done", progress: { after, spaces } };
    },
  };
}

/** The work of the schedule that keeps a policy up in one space. */
export function retentionTurns(deps: RetentionDeps, stores: Pick<StoreFactory, "open">): Work {
  return async ({ life, space, store }, turn) => {
    if (space === undefined) return { kind: "done" };
    const table = deps.table(store);
    const row = await readRow(table, spaceRetentionRow(space));
    if (row?.chain !== life) {
      // It has ended, or whoever began it is about to write it.
      const isNew = turn.now() - timeOfJob(parseJobId(life)) < unwrittenMs;
      return isNew ? { kind: "again", at: turn.now() + unwrittenRestMs } : { kind: "done" };
    }
    const found = row.policy ?? (await policyFor(table, undefined))?.policy;
    if (found === undefined) {
      await removeRow(deps, table, spaceRetentionRow(space), life);
      return { kind: "done" };
    }
    return keepUp(deps, { store, space, row, policy: found }, stores, turn);
  };
}

interface Kept {
  readonly store: StoreId;
  readonly space: SpaceName;
  readonly row: RetentionRow;
  readonly policy: RetentionPolicy;
}

async function keepUp(
  deps: RetentionDeps,
  { store: id, space, row, policy }: Kept,
  stores: Pick<StoreFactory, "open">,
  turn: Turn,
): Promise<Next> {
  const store = stores.open(id);
  const next: number[] = [];
  const { maxAgeSeconds, maxEntries } = policy;
  if (maxAgeSeconds !== undefined) {
    const state = await trimByAge(store, space, maxAgeSeconds, turn);
    const rest = within(ageRestMs, (maxAgeSeconds * 1_000) / ageRestMs.part);
    const expiry = await firstExpiry(store, space, maxAgeSeconds);
    if (state === "more") next.push(turn.now());
    else if (state === "pending") next.push(turn.now() + pendingRestMs);
    // Entries written from now on are not too old before their age has passed.
    else next.push(Math.max(turn.now() + rest, expiry ?? turn.now() + maxAgeSeconds * 1_000));
  }
  if (maxEntries !== undefined) {
    const counted = await trimByCount(store, space, { after: row.after, maxEntries }, turn);
    const restMs = counted.isWritten ? countRestMs.min : within(countRestMs, 2 * row.restMs);
    next.push(turn.now() + (counted.isAll ? restMs : 0));
    await changeRow(placeOf(deps.table(id), spaceRetentionRow(space)), deps, (seen) => {
      const now = seen.row === undefined ? undefined : decodeRetention(seen.row);
      if (now?.chain !== row.chain) return { outcome: undefined, change: undefined };
      const properties = encodeRetention({ ...now, after: counted.after, restMs });
      return { outcome: undefined, change: { kind: "put", properties } };
    });
  }
  return next.length === 0 ? { kind: "done" } : { kind: "again", at: Math.min(...next) };
}

/** A new chain of turns for a space, the first of them at once. */
async function begin(
  deps: RetentionDeps,
  store: StoreId,
  space: SpaceName,
  policyOf: (before: RetentionRow | undefined) => RetentionPolicy | undefined,
): Promise<void> {
  const now = deps.serviceClock.now();
  const chain = newJobId(now, deps.random.uuid());
  await deps.schedule.put({ at: now, what: retentionWhat, store, space, life: chain });
  await changeRow(placeOf(deps.table(store), spaceRetentionRow(space)), deps, ({ row }) => {
    const policy = policyOf(row === undefined ? undefined : decodeRetention(row));
    const properties = encodeRetention({ policy, chain, after: 0, restMs: 0 });
    return { outcome: undefined, change: { kind: "put", properties } };
  });
}

async function policyFor(table: Table, space: SpaceName | undefined): Promise<PolicyOf | undefined> {
  const own = space === undefined ? undefined : await readRow(table, spaceRetentionRow(space));
  if (own?.policy !== undefined) return { policy: own.policy, of: "space" };
  const stores = await readRow(table, storeRetentionRow);
  return stores?.policy === undefined ? undefined : { policy: stores.policy, of: "store" };
}

async function readRow(table: Table, key: string): Promise<RetentionRow | undefined> {
  try {
    const { row } = await table.get(retentionPartition, key);
    return row === undefined ? undefined : decodeRetention(row);
  } catch (error) {
    throw asStoreError(error, "none");
  }
}

/** Unless its chain is another one by now; without a chain whatever it is. */
async function removeRow(deps: RetentionDeps, table: Table, key: string, chain: string | undefined): Promise<void> {
  await changeRow(placeOf(table, key), deps, ({ row }) => {
    const isOther = row !== undefined && chain !== undefined && decodeRetention(row).chain !== chain;
    return { outcome: undefined, change: isOther ? undefined : { kind: "delete" } };
  });
}

function placeOf(table: Table, row: string): RowPlace {
  return { table, partition: retentionPartition, row };
}

function within({ min, max }: { readonly min: number; readonly max: number }, ms: number): number {
  return Math.min(max, Math.max(min, ms));
}
