// The calls on consumers: what an operator sets, what workers fetch and acknowledge, and what is parked.

import * as z from "zod";

import { limits } from "../../core/limits.ts";
import {
  ackBodySchema,
  acknowledgedSchema,
  consumerBodySchema,
  consumerNameSchema,
  consumerSchema,
  fetchBodySchema,
  fetchedSchema,
  nackBodySchema,
  parkedBodySchema,
  parkedSchema,
  resetBodySchema,
} from "../consumer-schemas.ts";
import { idempotencyKeySchema, queryInteger, storeIdSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inStore, none, readErrors, silentErrors } from "../operation-parts.ts";

const inConsumer = z.object({ store: storeIdSchema, consumer: consumerNameSchema });
const path = "/v1/stores/{store}/consumers/{consumer}";
const noQuery = z.strictObject({});

export const consumerPut = operation({
  id: "consumerPut",
  method: "PUT",
  path,
  access: "write",
  tag: "Consumers",
  summary: "Make a consumer, or change its rules",
  description:
    "Members that are absent have their defaults. `from` counts when it is made, and for spaces that are added. Safe to repeat.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  body: { "application/json": { schema: consumerBodySchema } },
  status: 200,
  created: true,
  answer: { "application/json": { schema: consumerSchema } },
  errors: [...readErrors, ...bodyErrors],
});

export const consumerGet = operation({
  id: "consumerGet",
  method: "GET",
  path,
  access: "read",
  tag: "Consumers",
  summary: "How a consumer stands",
  description: "Its rules, and of each partition who holds it, how far it has come and how far it is behind.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  status: 200,
  answer: { "application/json": { schema: consumerSchema } },
  errors: [...readErrors, "not_found"],
});

export const consumerDelete = operation({
  id: "consumerDelete",
  method: "DELETE",
  path,
  access: "write",
  tag: "Consumers",
  summary: "Remove a consumer",
  description: "With its positions and what is parked. Workers that come back are told that there is none.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  status: 204,
  answer: {},
  errors: [...silentErrors, "not_found"],
});

export const consumers = operation({
  id: "consumers",
  method: "GET",
  path: "/v1/stores/{store}/consumers",
  access: "read",
  tag: "Consumers",
  summary: "The consumers of a store",
  description: `Without the state of their partitions; at most ${limits.consumersPerStoreMax}.`,
  params: inStore,
  query: noQuery,
  headers: none,
  status: 200,
  answer: { "application/json": { schema: z.object({ consumers: z.array(consumerSchema) }) } },
  errors: readErrors,
});

export const consumerFetch = operation({
  id: "consumerFetch",
  method: "POST",
  path: `${path}/fetch`,
  access: "write",
  tag: "Consumers",
  summary: "Hold partitions, acknowledge, and get what comes next",
  description:
    "Renews what the worker holds, acknowledges, takes what is free, and delivers: at least once, each segment in order. Afterwards the worker holds the partitions of `deliveries`, by the claims there. Nothing more comes of a partition while entries of it are outstanding. Safe to repeat with the same body; one without claims with the same Idempotency-Key, too.",
  params: inConsumer,
  query: noQuery,
  headers: z.object({ "Idempotency-Key": idempotencyKeySchema.optional() }),
  body: { "application/json": { schema: fetchBodySchema } },
  status: 200,
  answer: { "application/json": { schema: fetchedSchema } },
  errors: [...readErrors, ...bodyErrors, "not_found"],
});

export const consumerAck = operation({
  id: "consumerAck",
  method: "POST",
  path: `${path}/ack`,
  access: "write",
  tag: "Consumers",
  summary: "Acknowledge, or keep a claim",
  description:
    "Renews the claim; the next call needs the one that is answered. `lease_held`, never to be repeated, when the partition is no longer held by it.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  body: { "application/json": { schema: ackBodySchema } },
  status: 200,
  answer: { "application/json": { schema: acknowledgedSchema } },
  errors: [...readErrors, ...bodyErrors, "not_found", "lease_held"],
});

export const consumerNack = operation({
  id: "consumerNack",
  method: "POST",
  path: `${path}/nack`,
  access: "write",
  tag: "Consumers",
  summary: "Say that an entry failed",
  description:
    "Acknowledges what stands before it, and voids the rest of the delivery, which comes again. An entry that failed `maxDeliveries` times is parked.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  body: { "application/json": { schema: nackBodySchema } },
  status: 200,
  answer: { "application/json": { schema: acknowledgedSchema } },
  errors: [...readErrors, ...bodyErrors, "not_found", "lease_held"],
});

export const consumerReset = operation({
  id: "consumerReset",
  method: "POST",
  path: `${path}/reset`,
  access: "write",
  tag: "Consumers",
  summary: "Set a consumer back, or ahead",
  description:
    "Every claim is lost, what is parked is forgotten, and the keys of entries are new: what is delivered again is produced again.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  body: { "application/json": { schema: resetBodySchema } },
  status: 200,
  answer: { "application/json": { schema: consumerSchema } },
  errors: [...readErrors, ...bodyErrors, "not_found"],
});

export const consumerParked = operation({
  id: "consumerParked",
  method: "GET",
  path: `${path}/parked`,
  access: "read",
  tag: "Consumers",
  summary: "What is parked",
  description:
    "Of each parked segment the first entry that waits. `next` is the `after` to go on with; absent at the end.",
  params: inConsumer,
  query: z.strictObject({
    after: z.string().optional().meta({ description: "Only what comes behind this id." }),
    limit: queryInteger(1, 1_000, "At most this many. Default 100.").optional(),
  }),
  headers: none,
  status: 200,
  answer: {
    "application/json": { schema: z.object({ parked: z.array(parkedSchema), next: z.string().optional() }) },
  },
  errors: [...readErrors, "not_found"],
});

export const consumerSettle = operation({
  id: "consumerSettle",
  method: "POST",
  path: `${path}/parked`,
  access: "write",
  tag: "Consumers",
  summary: "Replay or drop what is parked",
  description:
    "One of `ids`, `space` with `segment`, and `all`. The worker that holds the partition does it with its next fetches. What is being delivered again at the moment is not dropped.",
  params: inConsumer,
  query: noQuery,
  headers: none,
  body: { "application/json": { schema: parkedBodySchema } },
  status: 200,
  answer: {
    "application/json": {
      schema: z.object({
        changed: z.int().min(0).meta({ description: "Segments, or entries, that were given the wish." }),
        more: z.boolean().meta({ description: "Others are left: `limit` kept them back." }),
      }),
    },
  },
  errors: [...readErrors, ...bodyErrors, "not_found"],
});
