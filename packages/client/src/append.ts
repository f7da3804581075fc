// Appends: what is sent, and what it is answered with.

import type { Codec } from "./codecs.ts";
import { encodingOf, recordText } from "./entries.ts";
import type { SegmentStatus, StreamRecord } from "./entries.ts";
import { isStreamkitError, StreamkitError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";
import type { Query } from "./paths.ts";
import type { Call } from "./transport.ts";

/** The grant of a lease, as its holder has it. */
export interface LeaseProof {
  readonly key: string;
  readonly token: number;
}

export interface WriteOptions extends OperationOptions {
  /**
   * `applied`, the default: every read anywhere sees the records. `committed`: they are durable; reads of the segment
   * follow.
   */
  readonly ack?: "applied" | "committed" | undefined;
  /**
   * Makes a repeat by another process, or after a restart, the same write: a UUID, or up to 255 printable characters of
   * ASCII. Repeats of one call need none.
   */
  readonly idempotencyKey?: string | undefined;
  /** Refused with `lease_held` once a newer holder of the lease has written to the space. */
  readonly lease?: LeaseProof | undefined;
}

export interface AppendOptions extends WriteOptions {
  /**
   * Where the segment must end for the records to be written, else `sequence_mismatch`: at this sequence; `none`: it
   * never had an entry. Default `any`.
   */
  readonly expected?: Expected | undefined;
}

export type Expected = number | "none" | "any";

export interface AppendResult {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Where a reader of the space goes on after these records. */
  readonly offset: string;
  /**
   * They had been written before: by an earlier call with the same `idempotencyKey`, or by an attempt whose answer was
   * lost.
   */
  readonly duplicate: boolean;
  /** The id of the first transaction; more than 1,000 records, or 768 KiB, are more than one. */
  readonly transactionId: string;
  readonly status: SegmentStatus;
}

/** The records for one segment of a transaction over several. */
export interface SegmentRecords<T> {
  readonly segment: string;
  readonly records: readonly StreamRecord<T>[];
  readonly expected?: Expected | undefined;
}

export function appendCall<T>(
  path: string,
  records: readonly StreamRecord<T>[],
  codec: Codec<T>,
  options: AppendOptions,
): Call {
  if (records.length === 0) throw nothingToAppend("records");
  const body = `{"records":${recordsText(records, codec, options.expected)}}`;
  return writeCall(`${path}/records`, body, codec, options, isPlace(options.expected));
}

export function transactionCall<T>(
  path: string,
  segments: readonly SegmentRecords<T>[],
  codec: Codec<T>,
  options: WriteOptions,
): Call {
  if (segments.length === 0) throw nothingToAppend("segments");
  const parts = segments.map(({ segment, records, expected }, index) => {
    if (records.length === 0) throw nothingToAppend(`segments[${index}].records`);
    return `{"segment":${JSON.stringify(segment)},"records":${recordsText(records, codec, expected)}}`;
  });
  const body = `{"segments":[${parts.join(",")}]}`;
  const isPlaced = segments.some(({ expected }) => isPlace(expected));
  return writeCall(`${path}/transactions`, body, codec, options, isPlaced);
}

/** Of a batch of a producer, each record as text already. */
export function batchCall<T>(path: string, texts: readonly string[], codec: Codec<T>, options: WriteOptions): Call {
  return writeCall(`${path}/records`, `{"records":[${texts.join(",")}]}`, codec, options, false);
}

/** The same, to several segments: one transaction. */
export function batchesCall<T>(
  path: string,
  bySegment: ReadonlyMap<string, readonly string[]>,
  codec: Codec<T>,
  options: WriteOptions,
): Call {
  const parts = [...bySegment].map(
    ([segment, texts]) => `{"segment":${JSON.stringify(segment)},"records":[${texts.join(",")}]}`,
  );
  return writeCall(`${path}/transactions`, `{"segments":[${parts.join(",")}]}`, codec, options, false);
}

interface ChunkJson {
  readonly id: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly offset: string;
  readonly duplicate: boolean;
}

/** Of `{ status, transactions }`. */
export function appendResult(answer: unknown): AppendResult {
  const { status, transactions } = answer as {
    readonly status: SegmentStatus;
    readonly transactions: readonly ChunkJson[];
  };
  const [first] = transactions;
  const last = transactions.at(-1);
  if (first === undefined || last === undefined) {
    throw new StreamkitError("unexpected_answer", "The answer tells of no transaction.", { effect: "unknown" });
  }
  return {
    firstSequence: first.firstSequence,
    lastSequence: last.lastSequence,
    offset: last.offset,
    duplicate: transactions.every(({ duplicate }) => duplicate),
    transactionId: first.id,
    status,
  };
}

/** Of `{ segments: [{ status, transaction }] }`, in the order in which they were sent. */
export function transactionResults(answer: unknown): readonly AppendResult[] {
  const { segments } = answer as {
    readonly segments: readonly { readonly status: SegmentStatus; readonly transaction: ChunkJson }[];
  };
  return segments.map(({ status, transaction }) => appendResult({ status, transactions: [transaction] }));
}

function isPlace(expected: Expected | undefined): boolean {
  return expected === "none" || typeof expected === "number";
}

/** Records that have their places say them: only there they fit, and only there a repeat looks for them. */
function recordsText<T>(
  records: readonly StreamRecord<T>[],
  codec: Codec<T>,
  expected: Expected | undefined = "any",
): string {
  const encoding = encodingOf(codec);
  const last = expected === "none" ? 0 : expected;
  if (last !== "any" && !(Number.isSafeInteger(last) && last >= 0)) {
    throw new StreamkitError("invalid_argument", `expected: expected a sequence, none or any; received ${last}.`, {
      effect: "none",
    });
  }
  const texts = records.map((record, index) => {
    const text = recordText(record, codec, encoding);
    return last === "any" ? text : `{"sequence":${last + index + 1},${text.slice(1)}`;
  });
  return `[${texts.join(",")}]`;
}

/** With a key, whoever made it: so a repeat is the same write. */
function writeCall<T>(path: string, body: string, codec: Codec<T>, options: WriteOptions, isPlaced: boolean): Call {
  const { ack, idempotencyKey = crypto.randomUUID(), lease } = options;
  const query: Query = { encoding: encodingOf(codec), ack, leaseKey: lease?.key, leaseToken: lease?.token };
  return {
    ...{ method: "POST", path, query, body, accept: "application/json", contentType: "application/json" },
    headers: { "idempotency-key": idempotencyKey },
    // The place is another's, or the key is: so no attempt of this call has been there, and none can come to be.
    refutes: (error) => isStreamkitError(error, "transaction_id_mismatch", ...(isPlaced ? ["sequence_mismatch"] : [])),
  };
}

function nothingToAppend(field: string): StreamkitError {
  return new StreamkitError("invalid_argument", `${field}: expected one at least.`, { effect: "none" });
}
