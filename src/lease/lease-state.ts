// The state of a lease at one moment, and how an acquire changes it: pure. And the row that keeps it.
//
// Promise: the token grows with every new holder, also after the lease has expired or was released, and never shrinks.

import type { LeaseHolder } from "../core/ids.ts";
import { parseLeaseHolder } from "../core/ids.ts";
import { corruptData, readStored } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Properties } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

export interface Lease {
  readonly holder: LeaseHolder;
  /** By the storage's time, milliseconds since 1970. 0: released. */
  readonly expiresAt: number;
  /** 1, 2, 3 ...: one more for every new holder. */
  readonly token: number;
}

export type Claim = { readonly kind: "grant"; readonly lease: Lease } | { readonly kind: "held"; readonly by: Lease };

/** `Date` tells whole seconds: the moment it was told may be so much later, and a holder is given all of its time. */
export const dateStepMs = 1_000;

/** `now`: the storage's time as the answer with `lease` told it. Undefined: there never was one. */
export function claimLease(lease: Lease | undefined, holder: LeaseHolder, ttlMs: number, now: number): Claim {
  const expiresAt = now + dateStepMs + ttlMs;
  if (lease === undefined) return { kind: "grant", lease: { holder, expiresAt, token: 1 } };
  if (!isHeld(lease, now)) return { kind: "grant", lease: { holder, expiresAt, token: nextToken(lease) } };
  // The same holder again: a renewal, or the repeat of an acquire whose answer was lost. It never shortens the lease:
  // who never hears of it counts on what it was told before.
  if (lease.holder === holder) {
    return { kind: "grant", lease: { ...lease, expiresAt: Math.max(expiresAt, lease.expiresAt) } };
  }
  return { kind: "held", by: lease };
}

export function isHeld(lease: Lease, now: number): boolean {
  return lease.expiresAt > now;
}

/** Nobody's, with its token remembered. */
export function releasedLease(lease: Lease): Lease {
  return { ...lease, expiresAt: 0 };
}

const formatVersion = 1n;

export function encodeLease({ holder, expiresAt, token }: Lease): Properties {
  return { [formatProperty]: formatVersion, holder, expires: BigInt(expiresAt), token: BigInt(token) };
}

export const decodeLease = decoder((row): Lease => {
  checkRowFormat(row, formatVersion, "a lease");
  const holder = readStored("the holder of a lease", () => parseLeaseHolder(textIn(row, "holder")));
  return { holder, expiresAt: numberIn(row, "expires"), token: numberIn(row, "token", 1) };
});

function nextToken(lease: Lease): number {
  if (lease.token >= limits.sequenceMax) throw corruptData("a lease's token is beyond counting");
  return lease.token + 1;
}
