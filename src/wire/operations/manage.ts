// Ending what is not needed any more: trims of a segment and of a space, deletion of a space and of a store, and its
// undoing.

import * as z from "zod";

import { limits } from "../../core/limits.ts";
import { statusSchema } from "../entries.ts";
import { queryBoolean, queryInteger } from "../names.ts";
import { jobSchema } from "./jobs.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inSegment, inSpace, inStore, none, silentErrors, writeErrors } from "../operation-parts.ts";

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
    "For good: nobody who reads the segment sees them any more; the space shows them until it is trimmed itself. Answers the status. Of what takes longer than a call may, a job removes the rest. A sequence that is below the first one is no error.",
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

export const redactBodySchema = z
  .strictObject({
    sequences: z
      .array(
        z
          .int({ error: sequenceExpected })
          .min(1, { error: sequenceExpected })
          .max(limits.sequenceMax, { error: sequenceExpected }),
      )
      .min(1)
      .max(limits.redactedTogetherMax)
      .meta({ description: "The entries that lose their payload and metadata." }),
  })
  .meta({ id: "Redact", examples: [{ sequences: [2] }] });

export const redact = operation({
  id: "redact",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}/redact",
  access: "manage",
  tag: "Manage",
  summary: "Remove payload and metadata of single entries",
  description:
    "For good, from every row, before it is answered. The entries keep their place, time and transaction, and are read with `redacted`. A repeat of their produce gets its first answer; there is nothing left to compare its content with. Again is no error.",
  params: inSegment,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: redactBodySchema } },
  status: 204,
  answer: {},
  errors: [...new Set([...silentErrors, ...bodyErrors, "format_not_enabled", "trimmed"] as const)],
});

const deleteErrors = [...silentErrors, "format_not_enabled"] as const;
const restoreErrors = silentErrors;

function deletionQuery(confirmed: string, example: string) {
  return z.strictObject({
    confirm: z.string().meta({
      description: `${confirmed} once more: nothing is deleted by a slip.`,
      examples: [example],
    }),
    erase: queryBoolean("It cannot be restored, and all of it is removed as soon as can be.").optional(),
    graceSeconds: queryInteger(
      0,
      limits.graceMsMax / 1_000,
      `How long it can be restored, seconds; ${limits.graceMsDefault / 1_000} when absent.`,
    ).optional(),
  });
}

const deletionSchema = z
  .object({
    removedFrom: z
      .int()
      .min(0)
      .meta({ description: "Until then it can be restored; from then on its rows go. Milliseconds since 1970." }),
    job: jobSchema,
  })
  .meta({ id: "Deletion" });

const hiddenText =
  "From the answer on nobody reads anything of it, on any instance, and whoever writes to it is told `deleted`: it is answered after some seconds, when that is known everywhere. Until its time is up it can be restored; then all that it had is removed.";

export const deleteSpace = operation({
  id: "deleteSpace",
  method: "DELETE",
  path: "/v1/stores/{store}/spaces/{space}",
  access: "manage",
  tag: "Manage",
  summary: "Delete a space",
  description: `${hiddenText} After that the space may be written again: its segments begin at 1, its offsets go on. The job that is answered removes the rows; without such a space there is none. A repeat changes nothing, but that it may ask for an erasure.`,
  params: inSpace,
  query: deletionQuery("The name of the space", "orders"),
  headers: none,
  status: 204,
  answer: {},
  accepted: { "application/json": { schema: deletionSchema } },
  errors: deleteErrors,
});

export const restoreSpace = operation({
  id: "restoreSpace",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/restore",
  access: "manage",
  tag: "Manage",
  summary: "Restore a space that was deleted",
  description: "All of it is there again. `deleted`: it is too late. A space that was not deleted stays as it is.",
  params: inSpace,
  query: z.strictObject({}),
  headers: none,
  status: 204,
  answer: {},
  errors: restoreErrors,
});

export const deleteStore = operation({
  id: "deleteStore",
  method: "DELETE",
  path: "/v1/stores/{store}",
  access: "manage",
  tag: "Manage",
  summary: "Delete a store",
  description: `${hiddenText} The id of the store is never used again after that. Leases, subscriptions and whatever else the store has go with it, and come back when it is restored. The job that is answered removes the table.`,
  params: inStore,
  query: deletionQuery("The id of the store", "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d"),
  headers: none,
  status: 204,
  answer: {},
  accepted: { "application/json": { schema: deletionSchema } },
  errors: deleteErrors,
});

export const restoreStore = operation({
  id: "restoreStore",
  method: "POST",
  path: "/v1/stores/{store}/restore",
  access: "manage",
  tag: "Manage",
  summary: "Restore a store that was deleted",
  description: "All of it is there again. `deleted`: it is too late. A store that was not deleted stays as it is.",
  params: inStore,
  query: z.strictObject({}),
  headers: none,
  status: 204,
  answer: {},
  errors: restoreErrors,
});
