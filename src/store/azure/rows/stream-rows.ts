// The rows of streams: changes in a log record's summary, the stream in a segment's head, a row for each producer
// beside them.
//
// Only rows of the second format hold them. They are JSON, since streams have few of them for each entry, and are
// checked when read.

import * as z from "zod";

import { corruptData } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import type { ProducerState, SegmentChange, StreamState } from "../../../core/stream.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { bytesIn, decoder, numberIn } from "../../../table/row-values.ts";
import { checkFormat, formatLatest } from "./format.ts";

const count = z.int().min(0).max(limits.sequenceMax);

const changeSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("make"),
    contentType: z.string(),
    ttlSeconds: count.optional(),
    expiresAt: count.optional(),
    closed: z.boolean(),
    adopts: z.boolean(),
  }),
  z.object({
    kind: z.literal("append"),
    life: count,
    producer: z.object({ id: z.string(), epoch: count, sequence: count }).optional(),
    seq: z.string().optional(),
    closes: z.boolean(),
  }),
  z.object({ kind: z.literal("use") }),
  z.object({ kind: z.literal("end") }),
  z.object({ kind: z.literal("restore"), after: count }),
]);

/** Which of the record's transactions it is, and the change. */
const changesSchema = z.array(z.tuple([count, changeSchema]));

const streamSchema = z
  .object({
    life: count,
    firstSequence: count,
    contentType: z.string(),
    closed: z.boolean(),
    ttlSeconds: count.optional(),
    expiresAt: count.optional(),
    lastSeq: z.string().optional(),
  })
  .transform((stored): StreamState => ({ ...absent, ...stored }));

const absent = { ttlSeconds: undefined, expiresAt: undefined, lastSeq: undefined };

/** Bytes that a change adds to what is stored of its record beside the data, at most. */
export function changeBytes(change: SegmentChange | undefined): number {
  // Its place among the transactions, and the brackets.
  return change === undefined ? 0 : Buffer.byteLength(JSON.stringify(change)) + 16;
}

export function encodeChanges(transactions: readonly { readonly change?: SegmentChange | undefined }[]): Properties {
  const changes = transactions.flatMap(({ change }, index) => (change === undefined ? [] : [[index, change]]));
  return changes.length === 0 ? {} : { c: Buffer.from(JSON.stringify(changes)) };
}

/** By the place of their transactions in the record. */
export function decodeChanges(row: Row): ReadonlyMap<number, SegmentChange> {
  if (row.properties["c"] === undefined) return new Map();
  return new Map(parsed("the changes in a log record", changesSchema, bytesIn(row, "c")));
}

export function encodeStream(stream: StreamState): Uint8Array {
  return Buffer.from(JSON.stringify(stream));
}

export function decodeStream(bytes: Uint8Array): StreamState {
  return parsed("the stream in the head of a segment", streamSchema, bytes);
}

export const producerProperties: readonly string[] = ["v", "pe", "ps", "ts", "lf"];

export function encodeProducer({ epoch, life, sequence, timestamp }: ProducerState): Properties {
  return { v: formatLatest, pe: BigInt(epoch), ps: BigInt(sequence), ts: BigInt(timestamp), lf: BigInt(life) };
}

export const decodeProducer = decoder((row): ProducerState => {
  checkFormat(row, "the row of a producer", 2);
  return {
    epoch: numberIn(row, "pe", 0),
    sequence: numberIn(row, "ps", 0),
    timestamp: numberIn(row, "ts", 1),
    life: numberIn(row, "lf", 1),
  };
});

function parsed<T>(what: string, schema: z.ZodType<T>, bytes: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    throw corruptData(what, error);
  }
}
