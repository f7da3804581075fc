// Jobs: work that takes longer than a call may.

import * as z from "zod";

import { jobIdSchema, queryInteger, storeIdSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { inStore, none, readErrors } from "../operation-parts.ts";
import { wireLimits } from "../wire-limits.ts";

const factsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const timeSchema = z.int().min(0);

export const jobSchema = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    kind: z.string().meta({ description: "The call that it is of: trimSegment, trimSpace ..." }),
    state: z
      .enum(["waiting", "running", "done", "failed"])
      .meta({ title: "JobState", description: "failed: it cannot be done, and is not tried again." }),
    space: z.string().optional(),
    segment: z.string().optional(),
    asked: factsSchema.meta({ description: "What was asked for." }),
    progress: factsSchema.meta({ description: "How far it is." }),
    caller: z.string().meta({ description: "Who asked for it, as far as is known." }),
    createdAt: timeSchema.meta({ description: "Milliseconds since 1970." }),
    workedAt: timeSchema.optional().meta({ description: "When it was last worked on; absent: not yet." }),
    turns: z.int().min(0).meta({ description: "How many times it was worked on." }),
    lastError: z
      .object({ code: z.string(), message: z.string(), at: timeSchema })
      .optional()
      .meta({ description: "What its last turn failed of. It is tried again, with growing pauses." }),
  })
  .meta({ id: "Job" });

export const jobs = operation({
  id: "jobs",
  method: "GET",
  path: "/v1/stores/{store}/jobs",
  access: "read",
  tag: "Manage",
  summary: "What is being done to a store, and what was done lately",
  description:
    "Jobs, in the order they were started: what takes longer than a call may. The monitor works on them in turns. One that has ended is told of for a week.",
  params: inStore,
  query: z.strictObject({
    next: jobIdSchema.optional().meta({ description: "`next` of the page before." }),
    limit: queryInteger(
      1,
      wireLimits.pageNamesDefault,
      "At most so many jobs; all that a page may have when absent.",
    ).optional(),
  }),
  headers: none,
  status: 200,
  answer: {
    "application/json": {
      schema: z
        .object({
          jobs: z.array(jobSchema),
          next: z.string().optional().meta({ description: "There is more: the next page begins after this." }),
        })
        .meta({ id: "Jobs" }),
    },
  },
  errors: readErrors,
});

export const job = operation({
  id: "job",
  method: "GET",
  path: "/v1/stores/{store}/jobs/{job}",
  access: "read",
  tag: "Manage",
  summary: "How far a job is",
  description: "Since when, how far, for whom, and what its last turn failed of, if it did.",
  params: z.object({ store: storeIdSchema, job: jobIdSchema }),
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: jobSchema } },
  errors: [...readErrors, "not_found"],
});
