// Ending what is not needed any more: trims of a segment and of a space.

import * as z from "zod";

import { limits } from "../../core/limits.ts";
import { statusSchema } from "../entries.ts";
import { jobSchema } from "./jobs.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inSegment, inSpace, none, writeErrors } from "../operation-parts.ts";

const sequenceExpected = `an integer from 1 to ${limits.sequenceMax}`;
export const trimSegmentBodySchema = z
  .strictObject({
    before: z
      .int({ error: sequenceExpected })
      .min(1, { error: sequenceExpected })
      .max(limits.sequenceMax, { error: sequenceExpected })
      .meta({ description: "The first sequence that stays. Beyond the end: all of what there is now goes." }),
  })
  .meta({ id: "TrimSegment", examples: [{ before: 2 }] });

const pointExpected = "a timestamp, milliseconds since 1970, or an offset";
export const trimSpaceBodySchema = z
  .strictObject({
    // One type, for generators: a timestamp is taken in digits, too.
    before: z
      .unknown()
      .transform((value, context): string => {
        if (typeof value === "string" && value !== "") return value;
        if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return String(value);
        context.addIssue({ code: "custom", message: pointExpected, input: value });
        return z.NEVER;
      })
      .meta({
        type: "string",
        description:
          "A timestamp, milliseconds since 1970: what is older goes. Or an `offset`: what comes up to there goes. Whole commits go, no parts of one.",
      }),
  })
  .meta({ id: "TrimSpace", examples: [{ before: "1767225600000" }] });

const trimErrors = [...writeErrors, ...bodyErrors, "format_not_enabled"] as const;

export const trimSegment = operation({
  id: "trimSegment",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}/trim",
  access: "manage",
  tag: "Manage",
  summary: "Remove the oldest entries of a segment",
  description:
    "For good: nobody who reads the segment sees them any more; the space shows them until its log is compacted. Answers the status. Of what takes longer than a call may, a job removes the rest. A sequence that is below the first one is no error.",
  params: inSegment,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: trimSegmentBodySchema } },
  status: 200,
  answer: { "application/json": { schema: statusSchema } },
  accepted: { "application/json": { schema: jobSchema } },
  errors: [...new Set(trimErrors)],
});

export const trimSpace = operation({
  id: "trimSpace",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/trim",
  access: "manage",
  tag: "Manage",
  summary: "Remove the oldest entries of a space, from its segments too",
  description:
    "For good. `earliest` is the place that what is left follows. `state` done: nothing before the point is there. pending: it stopped before a commit that is not in all its segments, or not notified of, yet. Then the same call goes on from there. Of what takes longer than a call may, a job removes the rest.",
  params: inSpace,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: trimSpaceBodySchema } },
  status: 200,
  answer: {
    "application/json": {
      schema: z
        .object({
          earliest: z.string().meta({ description: "Where to go on reading; empty: nothing was ever trimmed." }),
          state: z.enum(["done", "pending"]),
        })
        .meta({ id: "SpaceTrim" }),
    },
  },
  accepted: { "application/json": { schema: jobSchema } },
  errors: [...new Set(trimErrors)],
});
