// Reading: entries of a segment, of a space or of several, the last one, the status.

import * as z from "zod";

import { consumeBodySchema } from "../consume-body.ts";
import { entrySchema, lastEntrySchema, statusSchema } from "../entries.ts";
import { problemSchema } from "../errors.ts";
import {
  afterSchema,
  clampSchema,
  encodingSchema,
  fieldsSchema,
  fromSchema,
  lastSchema,
  limitSchema,
  minSchema,
  offsetSchema,
  prefixSchema,
  toSchema,
  untilSchema,
  waitSchema,
  whereSchema,
} from "../names.ts";
import { operation } from "../operation.ts";
import { bodyErrors, inSegment, inSpace, inStore, lastEventId, none, readErrors } from "../operation-parts.ts";

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
    "Everything that matches, then what comes: one event an entry, `id` is where to go on (Last-Event-ID). `event: live` when all that there was has been told, `event: heartbeat` while nothing comes, each with `next`. Ended by the server from time to time: `event: end`, then reconnect; 204 when nothing more can come. A failure is `event: problem`; where what comes next was trimmed, `event: trimmed` with the same data.",
};

/** The parameters that readers of a segment and of a space share. */
const readingQuery = {
  after: afterSchema.optional(),
  until: untilSchema.optional(),
  last: lastSchema.optional(),
  limit: limitSchema.optional(),
  clamp: clampSchema.optional(),
  encoding: encodingSchema,
  fields: fieldsSchema.optional(),
  wait: waitSchema.optional(),
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
    min: minSchema.optional(),
    ...readingQuery,
  }),
  headers: lastEventId,
  status: 200,
  over: true,
  answer: {
    "application/json": { schema: z.object({ entries: z.array(entrySchema), next: z.int().min(1), end: endSchema }) },
    "application/x-ndjson": streamedEntries,
    "text/event-stream": liveEntries,
  },
  errors: [...readErrors, "trimmed"],
});

export const consumeSpace = operation({
  id: "consumeSpace",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/entries",
  access: "read",
  tag: "Consume",
  summary: "Read a space, by timestamp",
  description:
    "In the order of (timestamp, segment, sequence), the same for every reader. `next` is the `offset` to go on with; given also at the end, and past what a filter hides: a page without entries and without `end` has looked for ten seconds.",
  params: inSpace,
  query: z.strictObject({
    offset: offsetSchema.optional(),
    prefix: prefixSchema.optional(),
    where: whereSchema.optional(),
    ...readingQuery,
  }),
  headers: lastEventId,
  status: 200,
  over: true,
  answer: {
    "application/json": { schema: z.object({ entries: z.array(entrySchema), next: z.string(), end: endSchema }) },
    "application/x-ndjson": streamedEntries,
    "text/event-stream": liveEntries,
  },
  errors: [...readErrors, "trimmed"],
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
  errors: [...readErrors, ...bodyErrors, "trimmed"],
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
  query: z.strictObject({ min: minSchema.optional(), encoding: encodingSchema, fields: fieldsSchema.optional() }),
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
  query: z.strictObject({ min: minSchema.optional() }),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: statusSchema } },
  errors: readErrors,
});
