// What the rows beside the data hold: a segment's head, where a transaction id was committed, the leases a space has
// seen. JSON, checked when read.

import * as z from "zod";
import { corruptData } from "../../../src/core/errors.ts";
import type { ProducerState, StreamState } from "../../../src/core/stream.ts";
import { parseSegmentName, parseTransactionId } from "../../../src/core/ids.ts";

const count = z.int().min(0);
const id = z.string().transform((text) => parseTransactionId(text));

const optional = { ttlSeconds: undefined, expiresAt: undefined, lastSeq: undefined };

const streamRow = z
  .object({
    life: count,
    firstSequence: count,
    contentType: z.string(),
    closed: z.boolean(),
    ttlSeconds: count.optional(),
    expiresAt: count.optional(),
    lastSeq: z.string().optional(),
  })
  .transform((stream): StreamState => ({ ...optional, ...stream }));

const producerRow = z.object({ epoch: count, sequence: count, timestamp: count, life: count });

const headRow = z.object({
  firstSequence: count,
  firstTimestamp: count,
  lastSequence: count,
  lastTimestamp: count,
  /** The last transaction's number; the next one is one more. */
  transactionNumber: count,
  /** What it is as a stream. */
  stream: streamRow.optional(),
});

const transactionRow = z.object({
  id,
  number: count,
  firstSequence: count,
  lastSequence: count,
  /** Timestamp of the log record that it is in. */
  timestamp: count,
  digest: z.string(),
  /** How many segments were committed under this id, this one included. */
  segments: count,
});

/** By the lease's key, the greatest token that has committed. */
const fencesRow = z.array(z.tuple([z.string(), count])).transform((pairs) => new Map(pairs));

/** The last entry that a trim of the space has removed. */
const trimRow = z.object({
  timestamp: count,
  segment: z.string().transform((text) => parseSegmentName(text)),
  sequence: count,
});

export type TrimRow = z.infer<typeof trimRow>;
export type HeadRow = z.infer<typeof headRow>;
export type TransactionRow = z.infer<typeof transactionRow>;
export type Fences = ReadonlyMap<string, number>;

/** The status of a segment without entries. */
export const emptyHead: HeadRow = {
  firstSequence: 0,
  firstTimestamp: 0,
  lastSequence: 0,
  lastTimestamp: 0,
  transactionNumber: 0,
};

export function encodeRow(row: HeadRow | TransactionRow | TrimRow | ProducerState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(row));
}

export function encodeFences(fences: Fences): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([...fences]));
}

export function decodeHead(value: Uint8Array | undefined): HeadRow {
  return value === undefined ? emptyHead : decode("a segment's head", headRow, value);
}

export function decodeTransaction(value: Uint8Array | undefined): TransactionRow | undefined {
  return value === undefined ? undefined : decode("a transaction's place", transactionRow, value);
}

export function decodeProducer(value: Uint8Array | undefined): ProducerState | undefined {
  return value === undefined ? undefined : decode("how far a producer has come", producerRow, value);
}

export function decodeTrim(value: Uint8Array | undefined): TrimRow | undefined {
  return value === undefined ? undefined : decode("the trim of a space", trimRow, value);
}

export function decodeFences(value: Uint8Array | undefined): Fences {
  return value === undefined ? new Map() : decode("the leases of a space", fencesRow, value);
}

function decode<T>(what: string, schema: z.ZodType<T>, value: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(value)));
  } catch (error) {
    throw corruptData(what, error);
  }
}
