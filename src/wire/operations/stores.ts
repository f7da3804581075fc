// The stores of the deployment, and what people call them.

import * as z from "zod";

import { queryInteger, storeIdSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inStore, none, readErrors } from "../operation-parts.ts";
import { wireLimits } from "../wire-limits.ts";

const labelExpected = `1 to ${wireLimits.labelCharactersMax} characters of valid Unicode without control characters`;
const labelSchema = z
  .string({ error: labelExpected })
  .min(1, { error: labelExpected })
  .max(wireLimits.labelCharactersMax, { error: labelExpected })
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), { error: labelExpected })
  .meta({ description: `What people call it: ${labelExpected}.`, examples: ["orders of the shop"] });

export const storePutBodySchema = z
  .strictObject({ label: labelSchema.optional() })
  .meta({ id: "StoreLabel", examples: [{ label: "orders of the shop" }] });

const storeSchema = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    label: z.string().optional().meta({ description: "What people call it." }),
    state: z.enum(["active", "unused", "deleted", "removed"]).meta({
      title: "StoreState",
      description:
        "unused: nothing was ever kept in it. deleted: it can be restored. removed: it cannot, and its id is never used again.",
    }),
    removedFrom: z
      .int()
      .min(0)
      .optional()
      .meta({ description: "Of a deleted one: until when it can be restored, milliseconds since 1970." }),
  })
  .meta({ id: "Store" });

const answer = { "application/json": { schema: storeSchema } };

export const stores = operation({
  id: "stores",
  method: "GET",
  path: "/v1/stores",
  access: "read",
  tag: "Stores",
  summary: "The stores of this deployment",
  description:
    "Those in which something is kept, by their ids, the deleted ones that can be restored among them. With tokens this takes the scope `streamkit::*` or `streamkit::*::read`: it is of all stores together.",
  params: none,
  query: z.strictObject({
    next: storeIdSchema.optional().meta({ description: "`next` of the page before." }),
    limit: queryInteger(
      1,
      wireLimits.pageStoresMax,
      "At most so many stores; all that a page may have when absent.",
    ).optional(),
  }),
  headers: none,
  status: 200,
  answer: {
    "application/json": {
      schema: z
        .object({
          stores: z.array(storeSchema),
          next: z.string().optional().meta({ description: "There is more: the next page begins after this." }),
        })
        .meta({ id: "Stores" }),
    },
  },
  errors: readErrors.filter((code) => code !== "deleted"),
});

export const storeGet = operation({
  id: "storeGet",
  method: "GET",
  path: "/v1/stores/{store}",
  access: "read",
  tag: "Stores",
  summary: "What is known of a store",
  description: "Its label and its state, also of a store that was deleted.",
  params: inStore,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer,
  errors: readErrors.filter((code) => code !== "deleted"),
});

export const storePut = operation({
  id: "storePut",
  method: "PUT",
  path: "/v1/stores/{store}",
  access: "manage",
  tag: "Stores",
  summary: "Label a store",
  description:
    "For people: nothing is asked for by a label. Without one in the body it has none. A store may be labelled before anything is kept in it; it is listed from then on that something is.",
  params: inStore,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: storePutBodySchema } },
  status: 200,
  answer,
  errors: [...readErrors, ...bodyErrors, "not_confirmed"],
});
