// The calls on leases, and how a produce carries one.

import * as z from "zod";

import { parseLeaseHolder, parseLeaseKey } from "../../core/ids.ts";
import { limits } from "../../core/limits.ts";
import { queryInteger, storeIdSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { textFor } from "../parse.ts";
import { bodyErrors, none, readErrors, silentErrors } from "../operation-parts.ts";

const leaseKeySchema = textFor(parseLeaseKey).meta({
  minLength: 1,
  description: `A lease: 1 to ${limits.leaseKeyBytesMax} bytes of UTF-8, by the rules of a space's name. Percent-encoded in a path, \`/\` as %2F or %252F.`,
  examples: ["reports"],
});

const leaseHolderSchema = textFor(parseLeaseHolder).meta({
  minLength: 1,
  description: `Who asks: 1 to ${limits.leaseHolderBytesMax} bytes of UTF-8, another for each process that contends.`,
  examples: ["worker-7"],
});

const { leaseTtlSecondsMin: ttlMin, leaseTtlSecondsMax: ttlMax } = limits;
const ttlSecondsSchema = z
  .int({ error: `an integer from ${ttlMin} to ${ttlMax}` })
  .min(ttlMin, { error: `an integer from ${ttlMin} to ${ttlMax}` })
  .max(ttlMax, { error: `an integer from ${ttlMin} to ${ttlMax}` })
  .meta({ description: "How long the lease lasts unless it is renewed, seconds." });

/**
 * The lease of a produce: both parameters or none. They are in the query, because a key may be any Unicode and a body
 * of lines has no place for it.
 */
export const leaseQuery = {
  leaseKey: leaseKeySchema.optional().meta({
    description: "With `leaseToken`: the lease that this is produced under.",
    examples: ["reports"],
  }),
  leaseToken: queryInteger(
    1,
    limits.sequenceMax,
    "Refused with `lease_held` once a newer token of the lease has committed to the space.",
  ).optional(),
};

export const leaseBodySchema = z
  .strictObject({ holder: leaseHolderSchema, ttlSeconds: ttlSecondsSchema })
  .meta({ examples: [{ holder: "worker-7", ttlSeconds: 30 }] });

export const leaseSchema = z
  .object({
    holder: z.string(),
    expiresAt: z.int().min(0).meta({
      description: "By the storage's time, milliseconds since 1970: until then nobody else is granted the lease.",
    }),
    token: z.int().min(1).meta({ description: "Grows with every new holder: fences what former ones still send." }),
  })
  .meta({ id: "Lease" });

const inLease = z.object({ store: storeIdSchema, key: leaseKeySchema });

export const leaseAcquire = operation({
  id: "leaseAcquire",
  method: "PUT",
  path: "/v1/stores/{store}/leases/{key}",
  access: "write",
  tag: "Leases",
  summary: "Acquire or renew a lease",
  description:
    "Granted when nobody holds it. Who holds it renews it, and keeps the token; a renewal never shortens it. Safe to repeat. `lease_held` says who holds it and for how long it may still be held.",
  params: inLease,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: leaseBodySchema } },
  status: 200,
  answer: { "application/json": { schema: leaseSchema } },
  errors: [...readErrors, ...bodyErrors, "lease_held"],
});

export const leaseRelease = operation({
  id: "leaseRelease",
  method: "DELETE",
  path: "/v1/stores/{store}/leases/{key}",
  access: "write",
  tag: "Leases",
  summary: "Release a lease",
  description: "Also when there is nothing to release. `lease_held` when another holds it.",
  params: inLease,
  query: z.strictObject({ holder: leaseHolderSchema }),
  headers: none,
  status: 204,
  answer: {},
  errors: [...silentErrors, "lease_held"],
});
