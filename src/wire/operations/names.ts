// The names of spaces and of segments.

import * as z from "zod";

import { problemSchema } from "../errors.ts";
import { queryInteger } from "../names.ts";
import { operation } from "../operation.ts";
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
