// Restoring the entries of a backup.

import * as z from "zod";

import { encodingSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inSpace, none, writeErrors } from "../operation-parts.ts";
import { restoredEntrySchema } from "../restore.ts";

const example = {
  ...{ sequence: 7, timestamp: 1735689600000 },
  trx: {
    ...{ id: "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d", node: "4d3c2b1a-0f9e-4d8c-b7a6-958473625140", number: 3 },
  },
  ...{ payload: { item: "book" }, segment: "order-1" },
};

export const restoreEntries = operation({
  id: "restoreEntries",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/restore-entries",
  access: "manage",
  tag: "Manage",
  summary: "Write the entries of a backup to a space, as they were",
  description:
    "With their sequences, timestamps and transactions: the lines that a read of the space gave, in their order, all of one timestamp in one call. They come behind what the space has, and not more than five seconds in the future; a segment without entries begins at any sequence. What the space has already, the same, is passed over, so a call whose answer was lost is sent again as it was. Nobody is notified. What keys of idempotency were used for is not restored, nor what makes a segment a stream.",
  params: inSpace.extend({ space: inSpace.shape.space.meta({ examples: ["restored"] }) }),
  query: z.strictObject({ encoding: encodingSchema }),
  headers: none,
  body: {
    "application/x-ndjson": {
      schema: restoredEntrySchema,
      description: "One entry a line.",
      example: `${JSON.stringify(example)}\n`,
    },
  },
  status: 200,
  answer: {
    "application/json": {
      schema: z
        .object({
          restored: z.int().min(0).meta({ description: "Entries that were written now." }),
          present: z.int().min(0).meta({ description: "Entries that the space had already." }),
          lastTimestamp: z.int().min(0).meta({ description: "Of the last of them; 0: there were none." }),
        })
        .meta({ id: "RestoredEntries" }),
    },
  },
  errors: [...new Set([...writeErrors, ...bodyErrors, "stream_closed", "format_not_enabled"] as const)],
});
