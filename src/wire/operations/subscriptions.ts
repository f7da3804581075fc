// The calls on subscriptions: where status notifications go.

import * as z from "zod";

import { parseSubscriptionId } from "../../core/ids.ts";
import { limits } from "../../core/limits.ts";
import { segmentPrefixSchema, storeIdSchema, wantedSegmentSchema, wantedSpaceSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { textFor } from "../parse.ts";
import { bodyErrors, inStore, none, readErrors, silentErrors } from "../operation-parts.ts";

const subscriptionIdSchema = textFor(parseSubscriptionId).meta({
  description: "A subscription: 1 to 128 letters, digits, and . _ : -",
  examples: ["billing"],
});

const targetRule = '{ "queue": "sub-..." } or { "webhook": "https://..." }';

/**
 * One of the two. As one shape, of which one member may be null: that is how clients have it that were made by
 * generators.
 */
export const targetSchema = z
  .strictObject(
    {
      queue: z
        .string()
        .nullish()
        .meta({
          type: ["string", "null"],
          anyOf: undefined,
          description: "A queue of the app's storage account; its name begins with `sub-`.",
        }),
      webhook: z
        .string()
        .max(limits.webhookUrlCharactersMax)
        .nullish()
        .meta({
          type: ["string", "null"],
          anyOf: undefined,
          maxLength: limits.webhookUrlCharactersMax,
          description: "An HTTPS URL: gets a POST for each message, signed by the Standard Webhooks scheme.",
        }),
    },
    { error: targetRule },
  )
  // Described as answers are, which have it, too: open.
  .meta({ id: "Target", description: "Where messages go: a queue or a webhook.", additionalProperties: undefined });

const wantedTargetSchema = targetSchema.transform(({ queue, webhook }, context) => {
  if (typeof queue === "string" && typeof webhook !== "string") return { queue };
  if (typeof webhook === "string" && typeof queue !== "string") return { webhook };
  context.addIssue({ code: "custom", message: targetRule, input: { queue, webhook } });
  return z.NEVER;
});

export const subscriptionSchema = z
  .object({
    id: z.string(),
    space: z.string(),
    segment: z.string(),
    prefix: z.string().optional().meta({ description: "Absent: all segments, or the one that is named." }),
    target: targetSchema,
    createdAt: z.int().min(0).meta({ description: "Milliseconds since 1970." }),
    delivered: z.int().min(0).meta({ description: "Messages that the target took; soon, and about right." }),
    failed: z.int().min(0).meta({ description: "Tries that failed; soon, and about right." }),
    givenUp: z.int().min(0).optional().meta({
      description:
        "Messages that will not be tried again: the target failed for a day, or too many wait for it. The entries are consumed with a cursor, which misses nothing.",
    }),
    lastDeliveredAt: z.int().min(0).optional(),
    lastError: z.object({ at: z.int().min(0), reason: z.string() }).optional(),
    lastGivenUpAt: z.int().min(0).optional(),
    failingSince: z.int().min(0).optional().meta({ description: "While the target fails: since when." }),
    nextAttemptAt: z.int().min(0).optional().meta({ description: "While the target fails: when it is tried again." }),
    waiting: z
      .int()
      .min(0)
      .optional()
      .meta({
        description: `While the target fails: about how many messages wait for it, of at most ${limits.waitingPerSubscriptionMax}.`,
      }),
    disabledAt: z.int().min(0).optional().meta({
      description: "When the webhook answered 410: nothing is sent to it until the subscription is put again.",
    }),
    secret: z.string().optional().meta({
      description: "`whsec_...`: told once, when it was made. Lost? Make a new one with `rotateSecret`.",
    }),
  })
  .meta({ id: "Subscription" });

/** The members that a caller sends for a subscription. */
const wantedMembers = {
  space: wantedSpaceSchema,
  segment: wantedSegmentSchema.optional(),
  prefix: segmentPrefixSchema.optional(),
  target: wantedTargetSchema,
};

/** The members that the service makes. A caller may PUT the answer of a GET: they are ignored there. */
const readOnlyMembers = Object.fromEntries(
  Object.entries(subscriptionSchema.shape)
    .filter(([name]) => !Object.hasOwn(wantedMembers, name))
    .map(([name, schema]) => [name, ignored(schema)]),
);

function ignored(schema: z.ZodType): z.ZodOptional<z.ZodUnknown> {
  const described = z.toJSONSchema(schema) as Record<string, unknown>;
  delete described["$schema"];
  return z
    .unknown()
    .optional()
    .meta({ ...described, readOnly: true });
}

export const subscriptionBodySchema = z
  .strictObject({
    ...readOnlyMembers,
    ...wantedMembers,
    rotateSecret: z.boolean().optional().meta({
      description: "Webhooks: makes a new secret; for a day messages are signed with the former one, too.",
    }),
  })
  .meta({ examples: [{ space: "orders", segment: "*", target: { queue: "sub-billing" } }] });

const listSchema = z.object({
  subscriptions: z.array(subscriptionSchema),
  unreadable: z
    .array(z.object({ id: z.string(), reason: z.string() }))
    .optional()
    .meta({
      description:
        "Those whose rows cannot be read, if there are any: nothing is delivered to them. Remove them and make them again.",
    }),
});

const inSubscription = z.object({ store: storeIdSchema, id: subscriptionIdSchema });
const subscriptionAnswer = { "application/json": { schema: subscriptionSchema } };

export const subscriptionPut = operation({
  id: "subscriptionPut",
  method: "PUT",
  path: "/v1/stores/{store}/subscriptions/{id}",
  access: "write",
  tag: "Subscriptions",
  summary: "Subscribe to changes of status, or change a subscription",
  description: `201 when it is new. Takes effect within seconds. Enables one that is disabled. At most ${limits.subscriptionsPerStoreMax} in a store.`,
  params: inSubscription,
  query: z.strictObject({}),
  headers: none,
  body: { "application/json": { schema: subscriptionBodySchema } },
  status: 200,
  created: true,
  answer: subscriptionAnswer,
  errors: [...readErrors, ...bodyErrors, "not_confirmed"],
});

// Only for writers: where messages go may be as secret as a key.
export const subscriptionGet = operation({
  id: "subscriptionGet",
  method: "GET",
  path: "/v1/stores/{store}/subscriptions/{id}",
  access: "write",
  tag: "Subscriptions",
  summary: "A subscription, and how its deliveries go",
  description: "Without its secret.",
  params: inSubscription,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: subscriptionAnswer,
  errors: [...readErrors, "not_found"],
});

export const subscriptionDelete = operation({
  id: "subscriptionDelete",
  method: "DELETE",
  path: "/v1/stores/{store}/subscriptions/{id}",
  access: "write",
  tag: "Subscriptions",
  summary: "Unsubscribe",
  description: "Messages on their way may still be delivered within seconds.",
  params: inSubscription,
  query: z.strictObject({}),
  headers: none,
  status: 204,
  answer: {},
  errors: [...silentErrors, "not_found"],
});

export const subscriptions = operation({
  id: "subscriptions",
  method: "GET",
  path: "/v1/stores/{store}/subscriptions",
  access: "write",
  tag: "Subscriptions",
  summary: "All subscriptions of a store",
  description: "In the order of their ids, without their secrets.",
  params: inStore,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: listSchema } },
  errors: readErrors,
});
