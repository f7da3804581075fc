// Every call of the interface: path, parameters, bodies, answers and errors, each in one place.

import * as z from "zod";

import { consumeBodySchema } from "./consume-body.ts";
import { committedTransactionSchema, entrySchema, lastEntrySchema, statusSchema } from "./entries.ts";
import { problemSchema } from "./errors.ts";
import {
  ackSchema,
  afterSchema,
  encodingSchema,
  fieldsSchema,
  fromSchema,
  idempotencyKeySchema,
  lastSchema,
  limitSchema,
  offsetSchema,
  queryInteger,
  toSchema,
  untilSchema,
  waitSchema,
} from "./names.ts";
import { operation } from "./operation.ts";
import type { Operation } from "./operation.ts";
import {
  bodyErrors,
  inSegment,
  inSpace,
  inStore,
  lastEventId,
  none,
  readErrors,
  writeErrors,
} from "./operation-parts.ts";
import { leaseAcquire, leaseQuery, leaseRelease } from "./operations-leases.ts";
import { liveStatus } from "./operations-live.ts";
import { subscriptionDelete, subscriptionGet, subscriptionPut, subscriptions } from "./operations-subscriptions.ts";
import { produceAllBodySchema, produceBodySchema, recordSchema } from "./records.ts";
import { wireLimits } from "./wire-limits.ts";

// Produce

export const producedSchema = z.object({
  status: statusSchema,
  transactions: z.array(committedTransactionSchema).meta({ description: "One for each chunk, in order." }),
});

/** One line of a streamed answer. */
export const producedLineSchema = z.union([
  z.object({ status: statusSchema, transaction: committedTransactionSchema.optional() }),
  problemSchema,
]);

export const producedAllSchema = z.object({
  segments: z.array(
    z.object({
      status: statusSchema,
      transaction: committedTransactionSchema.optional().meta({ description: "Absent of a segment without records." }),
    }),
  ),
});

export const produce = operation({
  id: "produce",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}/records",
  access: "write",
  tag: "Produce",
  summary: "Append records to a segment",
  description:
    "Records are committed in chunks, each all or nothing, in order. With sequences they must continue the segment exactly; without they go to its end. As NDJSON they are read as they arrive.",
  params: inSegment,
  query: z.strictObject({ encoding: encodingSchema, ack: ackSchema, ...leaseQuery }),
  headers: z.object({ "Idempotency-Key": idempotencyKeySchema.optional() }),
  body: {
    "application/json": { schema: produceBodySchema },
    "application/x-ndjson": {
      schema: recordSchema,
      description: "One record a line.",
      example: '{"payload":{"item":"book","count":1}}\n{"payload":{"item":"pen","count":2}}\n',
    },
  },
  status: 200,
  answer: {
    "application/json": { schema: producedSchema },
    "application/x-ndjson": {
      schema: producedLineSchema,
      description:
        "One line a chunk; a failure on the way is a last line with a problem. Nothing of it need arrive before the upload has ended.",
    },
  },
  errors: writeErrors,
});

export const produceAll = operation({
  id: "produceAll",
  method: "POST",
  path: "/v1/stores/{store}/spaces/{space}/transactions",
  access: "write",
  tag: "Produce",
  summary: "Append records to several segments of a space, all or nothing",
  description: "One transaction a segment, all under one id. 1,000 records and 768 KiB together.",
  params: inSpace,
  query: z.strictObject({ encoding: encodingSchema, ack: ackSchema, ...leaseQuery }),
  headers: z.object({ "Idempotency-Key": idempotencyKeySchema.optional() }),
  body: { "application/json": { schema: produceAllBodySchema } },
  status: 200,
  answer: { "application/json": { schema: producedAllSchema } },
  errors: writeErrors,
});

// Consume

const endSchema = z
  .literal(true)
  .optional()
  .meta({ description: "There when nothing more was there; absent, there may be more." });
const streamedEntries = {
  schema: z.union([entrySchema, z.object({ next: z.unknown(), end: endSchema }), problemSchema]),
  description: "Everything that matches, one entry a line; the last line is `next`, or a problem.",
};
const liveEntries = {
  schema: z.string(),
  description:
    "Everything that matches, then what comes: one event an entry, `id` is where to go on (Last-Event-ID). `event: live` when all that there was has been told, `event: heartbeat` while nothing comes, each with `next`. Ended by the server from time to time: `event: end`, then reconnect; 204 when nothing more can come. A failure is `event: problem`.",
};

export const consumeSegment = operation({
  id: "consumeSegment",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}/entries",
  access: "read",
  tag: "Consume",
  summary: "Read a segment, by sequence",
  description: "`next` is the `from` to go on with; given also at the end.",
  params: inSegment,
  query: z.strictObject({
    from: fromSchema.optional(),
    to: toSchema.optional(),
    after: afterSchema.optional(),
    until: untilSchema.optional(),
    last: lastSchema.optional(),
    limit: limitSchema.optional(),
    encoding: encodingSchema,
    fields: fieldsSchema.optional(),
    wait: waitSchema.optional(),
  }),
  headers: lastEventId,
  status: 200,
  over: true,
  answer: {
    "application/json": { schema: z.object({ entries: z.array(entrySchema), next: z.int().min(1), end: endSchema }) },
    "application/x-ndjson": streamedEntries,
    "text/event-stream": liveEntries,
  },
  errors: readErrors,
});

export const consumeSpace = operation({
  id: "consumeSpace",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/entries",
  access: "read",
  tag: "Consume",
  summary: "Read a space, by timestamp",
  description:
    "In the order of (timestamp, segment, sequence), the same for every reader. `next` is the `offset` to go on with; given also at the end.",
  params: inSpace,
  query: z.strictObject({
    offset: offsetSchema.optional(),
    after: afterSchema.optional(),
    until: untilSchema.optional(),
    last: lastSchema.optional(),
    limit: limitSchema.optional(),
    encoding: encodingSchema,
    fields: fieldsSchema.optional(),
    wait: waitSchema.optional(),
  }),
  headers: lastEventId,
  status: 200,
  over: true,
  answer: {
    "application/json": { schema: z.object({ entries: z.array(entrySchema), next: z.string(), end: endSchema }) },
    "application/x-ndjson": streamedEntries,
    "text/event-stream": liveEntries,
  },
  errors: readErrors,
});

export const consume = operation({
  id: "consume",
  method: "POST",
  path: "/v1/stores/{store}/consume",
  access: "read",
  tag: "Consume",
  summary: "Read several spaces, merged by timestamp",
  description: "Only the spaces named. `next` holds the `offsets` to go on with; given also at the end.",
  params: inStore,
  query: z.strictObject({ encoding: encodingSchema, fields: fieldsSchema.optional(), wait: waitSchema.optional() }),
  headers: lastEventId,
  body: { "application/json": { schema: consumeBodySchema } },
  status: 200,
  over: true,
  answer: {
    "application/json": {
      schema: z.object({ entries: z.array(entrySchema), next: z.record(z.string(), z.string()), end: endSchema }),
    },
    "application/x-ndjson": streamedEntries,
    "text/event-stream": liveEntries,
  },
  errors: [...readErrors, ...bodyErrors],
});

export const peek = operation({
  id: "peek",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}/last",
  access: "read",
  tag: "Consume",
  summary: "The last entry of a segment",
  description: "Of a segment without entries: its names and sequence 0, nothing else.",
  params: inSegment,
  query: z.strictObject({ encoding: encodingSchema, fields: fieldsSchema.optional() }),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: lastEntrySchema } },
  errors: readErrors,
});

export const segmentStatus = operation({
  id: "segmentStatus",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/segments/{segment}",
  access: "read",
  tag: "Consume",
  summary: "Where a segment begins and ends",
  description: "Zeros when it has no entries.",
  params: inSegment,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: statusSchema } },
  errors: readErrors,
});

// Names

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

// Service

const healthSchema = z.object({
  status: z.literal("ok"),
  version: z.string().meta({ description: "Of the app that answers.", examples: ["0.1.0"] }),
  storage: z.literal("ok").optional(),
  ms: z.number().int().optional().meta({ description: "How long the storage took." }),
});

export const health = operation({
  id: "health",
  method: "GET",
  path: "/health",
  access: "public",
  tag: "Service",
  summary: "Whether the service answers",
  description:
    "With `deep=true`, whether its storage takes a conditional write and a read, too, and how long they took.",
  params: none,
  query: z.strictObject({
    deep: z
      .enum(["true", "false"], { error: "true or false" })
      .optional()
      .meta({ description: "Ask the storage, too.", type: "boolean", enum: undefined }),
  }),
  headers: none,
  status: 200,
  answer: {
    "application/json": { schema: healthSchema },
  },
  errors: ["invalid_argument", "not_acceptable", "storage_unavailable", "misconfigured", "internal"],
});

export const openapi = operation({
  id: "openapi",
  method: "GET",
  path: "/openapi.json",
  access: "public",
  tag: "Service",
  summary: "This description",
  description: "OpenAPI, made from the definitions that requests are parsed with. It describes the app as it is set.",
  params: none,
  query: z.strictObject({
    media: z
      .enum(["all", "json"], { error: "all or json" })
      .default("all")
      .meta({
        title: "DescribedMedia",
        description: "json: without lines and events, for generators that make one method of each call.",
        examples: ["all"],
      }),
    version: z
      .enum(["3.1", "3.2"], { error: "3.1 or 3.2" })
      .default("3.1")
      .meta({
        title: "OpenApiVersion",
        description: "Of OpenAPI. 3.2 describes each line and each event by a schema.",
        examples: ["3.1"],
      }),
  }),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: z.looseObject({ openapi: z.string() }).meta({ id: "OpenApiDocument" }) } },
  errors: ["invalid_argument", "not_acceptable", "misconfigured"],
});

export const operations: readonly Operation[] = [
  produce,
  produceAll,
  consumeSegment,
  consumeSpace,
  consume,
  peek,
  segmentStatus,
  liveStatus,
  spaces,
  segments,
  leaseAcquire,
  leaseRelease,
  subscriptionPut,
  subscriptionGet,
  subscriptionDelete,
  subscriptions,
  health,
  openapi,
];
