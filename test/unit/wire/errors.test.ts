// What a problem tells a program: whether the same request may succeed later.

import { expect, test } from "vitest";

import { leaseHeld, leaseSuperseded } from "../../../src/core/errors.ts";
import { problemOf, retryAfterSeconds } from "../../../src/wire/errors.ts";

test("a lease that another holds may be free later, and the problem says when", () => {
  const held = leaseHeld("worker-7", 1_500);
  expect(problemOf(held, undefined)).toMatchObject({ code: "lease_held", retryable: true });
  expect(retryAfterSeconds(held)).toBe(2);
});

test("a token that a newer one has fenced never succeeds, and the problem says so", () => {
  const superseded = leaseSuperseded("writer", 2, 1);
  expect(problemOf(superseded, undefined)).toMatchObject({ code: "lease_held", retryable: false });
  expect(retryAfterSeconds(superseded)).toBeUndefined();
});
