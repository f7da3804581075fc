// Consumers as callers write and read them: rules, states, deliveries, acknowledgements, what is parked.

import * as z from "zod";

import { parseConsumerName, parseWorkerName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { entrySchema } from "./entries.ts";
import { encodingSchema, prefixSchema, segmentNameSchema, spaceNameSchema, whereSchema } from "./names.ts";
import { textFor } from "./parse.ts";
import { wireLimits } from "./wire-limits.ts";

export const consumerNameSchema = textFor(parseConsumerName).meta({
  minLength: 1,
  description: `A consumer: 1 to ${limits.consumerNameBytesMax} bytes of UTF-8, by the rules of a space's name. Percent-encoded in a path, \`/\` as %2F or %252F.`,
  examples: ["billing"],
});
const workerSchema = textFor(parseWorkerName).meta({
  minLength: 1,
  description: `The process that fetches: 1 to ${limits.workerNameBytesMax} bytes of UTF-8, another for each.`,
  examples: ["worker-7"],
});

const integer = (min: number, max: number, description: string) =>
  z
    .int({ error: `an integer from ${min} to ${max}` })
    .min(min, { error: `an integer from ${min} to ${max}` })
    .max(max, { error: `an integer from ${min} to ${max}` })
    .meta({ description });

const cursors = z.record(z.string(), z.string());
const daySeconds = 86_400;

const fromMembers = {
  from: z
    .string()
    .optional()
    .meta({
      description: "`start`, `end` (the default), or a timestamp in digits: what was committed then or later.",
      examples: ["start"],
    }),
  offsets: cursors.optional().meta({
    description: "Instead of `from`: the cursor of each space; a space that is not named begins at its end.",
  }),
};

const ruleMembers = {
  spaces: z.array(spaceNameSchema).min(1).max(limits.consumerSpacesMax).meta({
    description: "The spaces that are read as one. More may be added later, none left out.",
  }),
  partitions: integer(
    1,
    limits.consumerPartitionsMax,
    "How many workers can share the work; fixed for the consumer's life. Default 4.",
  ).optional(),
  prefix: prefixSchema.optional(),
  where: whereSchema.optional(),
  maxDeliveries: integer(1, 1_000, "Deliveries of an entry that fail before it is parked. Default 5.").optional(),
  backoffSeconds: z
    .array(integer(0, daySeconds, "Seconds."))
    .min(1)
    .max(16)
    .optional()
    .meta({
      description:
        "How long a partition waits after the first, second, third ... failure in a row; the last one goes on. Default 1, 5, 30, 120.",
    }),
  onPoison: z.enum(["parkSegment", "park"], { error: "parkSegment or park" }).optional().meta({
    title: "PoisonRule",
    description:
      "parkSegment (the default): an entry that fails for good is parked with what comes to its segment, until an operator says what becomes of it. park: the entry alone, and its segment goes on out of order.",
  }),
  leaseSeconds: integer(1, 3_600, "How long a worker holds a partition without a word. Default 30.").optional(),
  maxParked: integer(
    1,
    10_000,
    "Parked segments, or entries, of one partition: there it stops. Default 1,000.",
  ).optional(),
  paused: z.boolean().optional().meta({ description: "true: nothing is delivered, and nobody takes a partition." }),
};

export const consumerBodySchema = z
  .strictObject({ ...ruleMembers, ...fromMembers })
  .meta({ examples: [{ spaces: ["orders"], from: "start" }] });

const placeMember = z.object({ space: z.string(), segment: z.string(), sequence: z.int().min(0) });
const partitionSchema = z
  .object({
    partition: z.int().min(0),
    position: cursors.meta({
      description: "Of each space: everything up to this cursor is done, parked or another's.",
    }),
    lagMs: z
      .int()
      .min(0)
      .meta({ description: "How long the first entry that it has not come to has waited; 0: there is none." }),
    holder: z.string().optional(),
    expiresAt: z.int().min(0).optional(),
    token: z.int().min(0).meta({ description: "Grows with each holder." }),
    outstanding: z.boolean().meta({ description: "Whether entries were delivered that are not acknowledged." }),
    failing: placeMember
      .extend({ failures: z.int().min(1), reason: z.string() })
      .optional()
      .meta({ description: "The entry that failed last, and was not acknowledged since." }),
    waitsUntil: z.int().min(0).optional().meta({ description: "After a failure: nothing is delivered before." }),
    acknowledgedAt: z.int().min(0).optional(),
    parked: z.int().min(0).meta({ description: "Segments, or entries, that are parked." }),
    oldestParkedAt: z.int().min(0).optional(),
    trimmed: z
      .object({ from: cursors, to: cursors })
      .optional()
      .meta({ description: "What was trimmed before it was delivered, until a worker has been told." }),
  })
  .meta({ id: "ConsumerPartition" });

export const consumerSchema = z
  .object({
    name: z.string(),
    spaces: z.array(z.string()),
    partitions: z.int().min(1),
    prefix: z.array(z.string()),
    where: z.array(z.string()),
    maxDeliveries: z.int().min(1),
    backoffSeconds: z.array(z.int().min(0)),
    onPoison: z.string(),
    leaseSeconds: z.int().min(1),
    maxParked: z.int().min(1),
    paused: z.boolean(),
    createdAt: z.int().min(0),
    generation: z.int().min(1).meta({ description: "Grows with each reset." }),
    state: z
      .array(partitionSchema)
      .optional()
      .meta({ description: "Of each partition; not in the list of consumers." }),
  })
  .meta({ id: "Consumer" });

const offsetExample = "44415400535041434553006f726465727300800001a206f7ef3b006f726465722d31000000000000000001";

const claimSchema = z
  .string()
  .max(64 * 1024)
  .meta({ description: "What the last call of this worker answered for the partition, as it is." });
const offsetText = "The `offset` of the last entry that is done: everything up to it is acknowledged.";
const releaseSchema = z.boolean().optional().meta({
  description: "true: the partition is given up at once. What is outstanding comes again, and has not failed.",
});

export const fetchBodySchema = z
  .strictObject({
    worker: workerSchema,
    max: integer(1, 1_000, "Entries of each partition, at most. Default 100.").optional(),
    wait: integer(
      0,
      wireLimits.waitSecondsMax,
      "When there is nothing yet, wait up to so many seconds, and no longer than a third of the lease.",
    ).optional(),
    ack: z
      .array(
        z.strictObject({
          claim: claimSchema,
          offset: z
            .string()
            .optional()
            .meta({ description: `${offsetText} Absent: nothing more is done.` }),
          release: releaseSchema,
        }),
      )
      .max(limits.consumerPartitionsMax)
      .optional()
      .meta({
        description:
          "Every partition that the worker holds. One that is left out is given up, as by a process that was started again: what is outstanding of it counts as failed.",
      }),
    encoding: encodingSchema,
  })
  .meta({ examples: [{ worker: "worker-7", wait: 20, encoding: "json" }] });

const deliveredEntrySchema = entrySchema
  .extend({
    key: z.string().meta({
      format: "uuid",
      description:
        "The same whenever the entry is delivered, until a reset: the Idempotency-Key of what a handler produces for it.",
    }),
  })
  .meta({ id: "DeliveredEntry" });

export const fetchedSchema = z
  .object({
    deliveries: z.array(
      z
        .object({
          partition: z.int().min(0),
          claim: z.string(),
          expiresAt: z.int().min(0).meta({ description: "By the storage's time, milliseconds since 1970." }),
          entries: z.array(deliveredEntrySchema),
          failures: z.int().min(1).optional().meta({ description: "Deliveries of the first entry that failed." }),
          replay: z.literal(true).optional().meta({ description: "Entries that had been parked." }),
          trimmed: z
            .object({ from: cursors, to: cursors })
            .optional()
            .meta({ description: "What was trimmed before it was delivered." }),
        })
        .meta({ id: "Delivery" }),
    ),
    lost: z.array(z.int().min(0)).meta({
      description: "Partitions whose claims are worth nothing any more: what is worked on of them is another's.",
    }),
    over: z.array(z.int().min(0)).meta({
      description: "Partitions whose acknowledgement was of a delivery that is over: it changed nothing.",
    }),
  })
  .meta({ id: "Fetched" });

export const ackBodySchema = z
  .strictObject({
    claim: claimSchema,
    offset: z
      .string()
      .optional()
      .meta({ description: `${offsetText} Absent: the claim is renewed.` }),
    release: releaseSchema,
  })
  .meta({ examples: [{ claim: "eyJs..." }] });

export const nackBodySchema = z
  .strictObject({
    claim: claimSchema,
    offset: z.string().meta({ description: "The `offset` of the entry that failed." }),
    action: z.enum(["retry", "park", "skip"], { error: "retry, park or skip" }).meta({
      title: "FailureAction",
      description: "retry: deliver it again, later. park: set it aside. skip: it counts as done.",
    }),
    delaySeconds: integer(0, daySeconds, "Of a retry, instead of what the consumer says.").optional(),
    reason: z
      .string()
      .optional()
      .meta({ description: `Why, in at most ${limits.failureReasonBytesMax} bytes of UTF-8.` }),
  })
  .meta({
    examples: [{ claim: "eyJs...", offset: offsetExample, action: "retry", reason: "The bank does not answer." }],
  });

export const acknowledgedSchema = z
  .object({
    outcome: z.enum(["done", "over"]).meta({
      title: "AcknowledgementOutcome",
      description: "over: it was of a delivery that is over, and changed nothing.",
    }),
    partition: z.int().min(0),
    claim: z.string().optional().meta({ description: "For the next call; absent when the partition was released." }),
    expiresAt: z.int().min(0).optional(),
    parked: z.literal(true).optional(),
  })
  .meta({ id: "Acknowledged" });

export const resetBodySchema = z.strictObject(fromMembers).meta({ examples: [{ from: "start" }] });

export const parkedSchema = z
  .object({
    id: z.string(),
    partition: z.int().min(0),
    ...placeMember.shape,
    offset: z.string(),
    reason: z.string(),
    failures: z.int().min(0),
    parkedAt: z.int().min(0),
    alone: z
      .literal(true)
      .optional()
      .meta({ description: "The entry alone; absent, what comes to its segment as well." }),
    replay: z.literal(true).optional().meta({ description: "It is to be delivered again." }),
    gone: z.literal(true).optional().meta({ description: "The entries were trimmed meanwhile." }),
  })
  .meta({ id: "Parked" });

export const parkedBodySchema = z
  .strictObject({
    action: z.enum(["replay", "drop"], { error: "replay or drop" }).meta({
      title: "ParkedAction",
      description: "replay: deliver it again, before what is new. drop: forget what is there now, and go on.",
    }),
    ids: z.array(z.string()).max(1_000).optional().meta({
      description: "Each means its segment up to its entry.",
    }),
    space: spaceNameSchema.optional(),
    segment: segmentNameSchema.optional(),
    all: z.boolean().optional(),
    limit: integer(1, 10_000, "So many segments, or entries, at most. Default 1,000.").optional(),
  })
  .meta({ examples: [{ action: "replay", all: true }] });
