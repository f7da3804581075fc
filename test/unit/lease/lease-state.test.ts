// What an acquire makes of a lease, case by case.

import { expect, test } from "vitest";
import { parseLeaseHolder } from "../../../src/core/ids.ts";
import { claimLease, decodeLease, encodeLease, isHeld, releasedLease } from "../../../src/lease/lease-state.ts";
import type { Lease } from "../../../src/lease/lease-state.ts";
import type { Row } from "../../../src/table/port.ts";

const [a, b] = [parseLeaseHolder("a"), parseLeaseHolder("b")];
const now = 1_900_000_000_000;
const held: Lease = { holder: a, expiresAt: now + 5_000, token: 7 };
const expired: Lease = { holder: a, expiresAt: now, token: 7 };
const released = releasedLease(held);
/** Whole time, counted from the end of the second that `now` was told in. */
const expiresAt = now + 1_000 + 30_000;

test.each([
  ["one that never was", undefined, a, { kind: "grant", lease: { holder: a, expiresAt, token: 1 } }],
  ["one that another holds", held, b, { kind: "held", by: held }],
  ["one that it holds itself", held, a, { kind: "grant", lease: { holder: a, expiresAt, token: 7 } }],
  ["one that another let expire", expired, b, { kind: "grant", lease: { holder: b, expiresAt, token: 8 } }],
  ["one that it let expire itself", expired, a, { kind: "grant", lease: { holder: a, expiresAt, token: 8 } }],
  ["one that was released", released, b, { kind: "grant", lease: { holder: b, expiresAt, token: 8 } }],
  ["one that it released itself", released, a, { kind: "grant", lease: { holder: a, expiresAt, token: 8 } }],
] as const)("a claim to %s", (_, lease, holder, claim) => {
  expect(claimLease(lease, holder, 30_000, now)).toEqual(claim);
});

test("a renewal never shortens what is left", () => {
  const longer = { ...held, expiresAt: now + 60_000 };
  expect(claimLease(longer, a, 1_000, now)).toEqual({ kind: "grant", lease: longer });
});

test("a lease is held until the second in which it expires", () => {
  expect(isHeld(held, now + 4_999)).toBe(true);
  expect(isHeld(held, now + 5_000)).toBe(false);
  expect(isHeld(released, 0)).toBe(false);
});

const rowOf = (properties: Row["properties"]): Row => ({
  partition: "p",
  row: "r",
  etag: "e",
  writtenAt: 0,
  properties,
});

test("a row gives back the lease that was put into it", () => {
  for (const lease of [held, released]) expect(decodeLease(rowOf(encodeLease(lease)))).toEqual(lease);
});

test("a row of a later format is neither read nor rewritten, and one that makes no sense is corrupt", () => {
  expect(() => decodeLease(rowOf({ ...encodeLease(held), v: 2n }))).toThrow("newer than this version knows");
  expect(() => decodeLease(rowOf({ ...encodeLease(held), token: -1n }))).toThrow("cannot be read");
  expect(() => decodeLease(rowOf({}))).toThrow("has no format version");
});

test("a token that cannot be counted on is no reason to begin anew", () => {
  const last = { ...released, token: Number.MAX_SAFE_INTEGER };
  expect(() => claimLease(last, b, 1_000, now)).toThrow(expect.objectContaining({ code: "corrupt_data" }) as Error);
});
