// Producing: to one segment, or to several at once.

import * as z from "zod";

import { committedTransactionSchema, statusSchema } from "../entries.ts";
import { problemSchema } from "../errors.ts";
import { ackSchema, encodingSchema, idempotencyKeySchema } from "../names.ts";
import { operation } from "../operation.ts";
import { inSegment, inSpace, writeErrors } from "../operation-parts.ts";
import { leaseQuery } from "./leases.ts";
import { produceAllBodySchema, produceBodySchema, recordSchema } from "../records.ts";

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
