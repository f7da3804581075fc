// The leases of one store: acquire, renew, release, each under the ETag of the row it was decided on.
//
// Promise: two instances never both grant a lease that is held: of writes under one ETag one wins, and the others
// decide again. When a lease ends is a matter of time, and the time is the storage's: as the `Date` of its answers
// tells it, never a machine's own. So a lease may pass on early by as much as two of its front ends differ; its token
// tells who came later.

import type { Clock, Random } from "../core/clock.ts";
import type { LeaseHolder, LeaseKey } from "../core/ids.ts";
import { hexKey } from "../codec/lexkey.ts";
import { changeRow } from "../table/change-row.ts";
import type { RowPlace, SeenRow } from "../table/change-row.ts";
import type { Table } from "../table/port.ts";
import { claimLease, decodeLease, encodeLease, isHeld, releasedLease } from "./lease-state.ts";
import type { Lease } from "./lease-state.ts";

export type AcquireOutcome = { readonly kind: "granted"; readonly lease: Lease } | HeldByAnother;
export type ReleaseOutcome = { readonly kind: "released" } | HeldByAnother;

export interface HeldByAnother {
  readonly kind: "held";
  readonly holder: LeaseHolder;
  /** How long it may still be held, milliseconds. */
  readonly remainingMs: number;
}

/** Errors: `throttled`, `overloaded`, `storage_unavailable` (effect unknown: ask again), `corrupt_data`. */
export interface Leases {
  /** The holder of a lease that it still has keeps its token: a renewal, or a repeat whose first answer was lost. */
  acquire(key: LeaseKey, holder: LeaseHolder, ttlMs: number): Promise<AcquireOutcome>;
  /** Releases the lease. A lease that the holder does not have, or has no more, counts as released. */
  release(key: LeaseKey, holder: LeaseHolder): Promise<ReleaseOutcome>;
}

export interface LeasesOptions {
  /** The store's. */
  readonly table: Table;
  readonly clock: Clock;
  readonly random: Random;
}

/** The token of the last grant; 0: there never was one. Throws what the table throws, and `corrupt_data`. */
export async function readLastToken(table: Table, key: string): Promise<number> {
  const { row } = await table.get(leasesPartition, hexKey(key));
  return row === undefined ? 0 : decodeLease(row).token;
}

export function createLeases({ table, clock, random }: LeasesOptions): Leases {
  const place = (key: LeaseKey): RowPlace => ({ table, partition: leasesPartition, row: hexKey(key) });
  return {
    acquire: (key, holder, ttlMs) =>
      changeRow<AcquireOutcome>(place(key), { clock, random }, (seen) => {
        const claim = claimLease(leaseIn(seen), holder, ttlMs, seen.now);
        if (claim.kind === "held") return { outcome: heldBy(claim.by, seen.now), change: undefined };
        const { lease } = claim;
        return { outcome: { kind: "granted", lease }, change: { kind: "put", properties: encodeLease(lease) } };
      }),
    release: (key, holder) =>
      changeRow<ReleaseOutcome>(place(key), { clock, random }, (seen) => {
        const lease = leaseIn(seen);
        if (lease === undefined || !isHeld(lease, seen.now)) {
          return { outcome: { kind: "released" }, change: undefined };
        }
        if (lease.holder !== holder) return { outcome: heldBy(lease, seen.now), change: undefined };
        const properties = encodeLease(releasedLease(lease));
        return { outcome: { kind: "released" }, change: { kind: "put", properties } };
      }),
  };
}

export const leasesPartition = hexKey("LSE");

function leaseIn({ row }: SeenRow): Lease | undefined {
  return row === undefined ? undefined : decodeLease(row);
}

function heldBy({ holder, expiresAt }: Lease, now: number): HeldByAnother {
  return { kind: "held", holder, remainingMs: expiresAt - now };
}
