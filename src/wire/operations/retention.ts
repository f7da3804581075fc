// How long entries are kept: the policy of a space, and that of a store for the spaces that have none.

import * as z from "zod";

import { limits } from "../../core/limits.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inSpace, inStore, none, readErrors, silentErrors } from "../operation-parts.ts";
import { wireLimits } from "../wire-limits.ts";

const ageExpected = `an integer from ${wireLimits.retentionSecondsMin} to ${limits.sequenceMax}`;
const entriesExpected = `an integer from 1 to ${limits.sequenceMax}`;

const bounds = {
  maxAgeSeconds: z
    .int({ error: ageExpected })
    .min(wireLimits.retentionSecondsMin, { error: ageExpected })
    .max(limits.sequenceMax, { error: ageExpected })
    .optional()
    .meta({ description: "Entries that are older go." }),
  maxEntries: z
    .int({ error: entriesExpected })
    .min(1, { error: entriesExpected })
    .max(limits.sequenceMax, { error: entriesExpected })
    .optional()
    .meta({ description: "Of each segment the newest so many stay." }),
};

export const retentionBodySchema = z
  .strictObject(bounds)
  .refine(({ maxAgeSeconds, maxEntries }) => maxAgeSeconds !== undefined || maxEntries !== undefined, {
    error: "maxAgeSeconds, maxEntries, or both",
  })
  .meta({ id: "RetentionPolicy", examples: [{ maxAgeSeconds: 2_592_000 }] });

const wouldRemoveSchema = z
  .object({
    entries: z.int().min(0),
    segments: z.int().min(0).meta({ description: "Segments that lose some." }),
    complete: z.boolean().meta({ description: "false: time ran out; it is this much at least." }),
  })
  .meta({ id: "WouldRemove", description: "With dryRun: what would go now. Nothing is changed." });

export const retentionSchema = z
  .object({
    ...bounds,
    of: z
      .enum(["space", "store"])
      .meta({ title: "RetentionOf", description: "store: the space has none of its own, and its store's is for it." }),
    wouldRemove: wouldRemoveSchema.optional(),
  })
  .meta({ id: "Retention" });

const dryRunQuery = z.strictObject({
  dryRun: z
    .enum(["true", "false"], { error: "true or false" })
    .optional()
    .meta({ description: "Change nothing, and say what would go.", type: "boolean", enum: undefined }),
});
const nothingAsked = z.strictObject({});
const answer = { "application/json": { schema: retentionSchema } };
const putErrors = [...readErrors, ...bodyErrors, "not_confirmed", "format_not_enabled"] as const;
const keptUp =
  "The monitor keeps it up: what is past its age goes within a sixtieth of that age, or an hour where that is less, and a few minutes; segments that are written are looked at every ten minutes, after a rest within six hours.";

export const spaceRetentionPut = operation({
  id: "spaceRetentionPut",
  method: "PUT",
  path: "/v1/stores/{store}/spaces/{space}/retention",
  access: "manage",
  tag: "Manage",
  summary: "Say how long entries of a space are kept",
  description: `In the place of its store's policy. ${keptUp}`,
  params: inSpace,
  query: dryRunQuery,
  headers: none,
  body: { "application/json": { schema: retentionBodySchema } },
  status: 200,
  answer,
  errors: putErrors,
});

export const spaceRetentionGet = operation({
  id: "spaceRetentionGet",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/retention",
  access: "read",
  tag: "Manage",
  summary: "How long entries of a space are kept",
  description: "By its own policy or its store's; 404 without either: all is kept.",
  params: inSpace,
  query: nothingAsked,
  headers: none,
  status: 200,
  answer,
  errors: [...readErrors, "not_found"],
});

export const spaceRetentionDelete = operation({
  id: "spaceRetentionDelete",
  method: "DELETE",
  path: "/v1/stores/{store}/spaces/{space}/retention",
  access: "manage",
  tag: "Manage",
  summary: "Let a space have no policy of its own",
  description: "From then on its store's is for it, if there is one; else all is kept.",
  params: inSpace,
  query: nothingAsked,
  headers: none,
  status: 204,
  answer: {},
  errors: [...silentErrors, "not_found"],
});

export const storeRetentionPut = operation({
  id: "storeRetentionPut",
  method: "PUT",
  path: "/v1/stores/{store}/retention",
  access: "manage",
  tag: "Manage",
  summary: "Say how long entries are kept in the spaces of a store",
  description: `For all spaces that have no policy of their own, and those that come. ${keptUp} A job begins it in the spaces that there are.`,
  params: inStore,
  query: dryRunQuery,
  headers: none,
  body: { "application/json": { schema: retentionBodySchema } },
  status: 200,
  answer,
  errors: putErrors,
});

export const storeRetentionGet = operation({
  id: "storeRetentionGet",
  method: "GET",
  path: "/v1/stores/{store}/retention",
  access: "read",
  tag: "Manage",
  summary: "How long entries are kept in the spaces of a store",
  description: "404 without a policy: all is kept, but for spaces that have one of their own.",
  params: inStore,
  query: nothingAsked,
  headers: none,
  status: 200,
  answer,
  errors: [...readErrors, "not_found"],
});

export const storeRetentionDelete = operation({
  id: "storeRetentionDelete",
  method: "DELETE",
  path: "/v1/stores/{store}/retention",
  access: "manage",
  tag: "Manage",
  summary: "Let a store have no policy",
  description: "All is kept from then on, but for spaces that have a policy of their own.",
  params: inStore,
  query: nothingAsked,
  headers: none,
  status: 204,
  answer: {},
  errors: [...silentErrors, "not_found"],
});
