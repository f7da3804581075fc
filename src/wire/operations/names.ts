// The names of spaces and of segments.

import * as z from "zod";

import { problemSchema } from "../errors.ts";
import { queryInteger } from "../names.ts";
import { operation } from "../operation.ts";
import { retentionSchema } from "./retention.ts";
import { inSpace, inStore, none, readErrors } from "../operation-parts.ts";
import { wireLimits } from "../wire-limits.ts";

const namesQuery = z.strictObject({
  limit: queryInteger(
    0,
    wireLimits.pageNamesMax,
    `JSON only: at most this many names; ${wireLimits.pageNamesDefault} when 0 or absent.`,
  ).optional(),
  next: z.string().optional().meta({ description: "`next` of the page before." }),
});
const nextNames = z.string().optional().meta({ description: "Where to go on; absent on the last page." });

export const spaces = operation({
  id: "spaces",
  method: "GET",
  path: "/v1/stores/{store}/spaces",
  access: "read",
  tag: "Names",
  summary: "The spaces of a store",
  description: "In the order of their UTF-8. JSON is paged; NDJSON gives all, one string a line.",
  params: inStore,
  query: namesQuery,
  headers: none,
  status: 200,
  answer: {
    "application/json": { schema: z.object({ spaces: z.array(z.string()), next: nextNames }) },
    "application/x-ndjson": { schema: z.union([z.string(), problemSchema]), description: "One name a line." },
  },
  errors: readErrors,
});

export const segments = operation({
  id: "segments",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/segments",
  access: "read",
  tag: "Names",
  summary: "The segments of a space",
  description: "In the order of their UTF-8. JSON is paged; NDJSON gives all, one string a line.",
  params: inSpace,
  query: namesQuery,
  headers: none,
  status: 200,
  answer: {
    "application/json": { schema: z.object({ segments: z.array(z.string()), next: nextNames }) },
    "application/x-ndjson": { schema: z.union([z.string(), problemSchema]), description: "One name a line." },
  },
  errors: readErrors,
});

const spaceSchema = z
  .object({
    space: z.string(),
    entries: z.int().min(0).optional().meta({
      description:
        "What a reader of the space is given from its start: what a segment's own trim removed counts until it leaves the space, too. Absent: nobody has counted yet what an earlier version wrote; the monitor does, when the space is written again.",
    }),
    bytes: z.int().min(0).optional().meta({ description: "Of these: payloads and metadata, before compression." }),
    pending: z.int().min(0).meta({ description: "Commits that are not in all of their segments yet." }),
    firstTimestamp: z
      .int()
      .min(0)
      .meta({ description: "Of its first commit, milliseconds since 1970; 0: there is none." }),
    lastTimestamp: z.int().min(0).meta({ description: "Of its last commit." }),
    retention: retentionSchema.optional().meta({ description: "How long entries are kept; absent: all are." }),
  })
  .meta({ id: "Space" });

export const spaceStatus = operation({
  id: "spaceStatus",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}",
  access: "read",
  tag: "Names",
  summary: "What there is of a space",
  description:
    "How much, since when, and for how long. A few requests to the storage, whatever the space's size. Zeros for a space that never was.",
  params: inSpace,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: spaceSchema } },
  errors: readErrors,
});
