// Appends records: to one segment in chunks, or to several all or nothing. Records are read in turns with everyone
// else's.

import { setImmediate as nextTurn } from "node:timers/promises";

import type * as z from "zod";

import type { AppendRecord, SegmentStatus } from "../core/entry.ts";
import { contentBytes } from "../core/entry.ts";
import type { Cursor } from "../core/ids.ts";
import { encodeCursor } from "../codec/cursor.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { statusText } from "../wire/entries.ts";
import { asOneLine } from "../wire/json-text.ts";
import { readLines } from "../wire/lines.ts";
import { bodyType, mediaTypes, mediaTypesOf } from "../wire/operation.ts";
import { produce as produceOperation, produceAll as produceAllOperation } from "../wire/operations/produce.ts";
import type { Encoding } from "../wire/payload.ts";
import { parseProduceAllBody, parseProduceBody, parseRecord } from "../wire/records.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { chunkRecords } from "../store/create-store.ts";
import { refuseBeyond } from "../store/together.ts";
import type { CommittedTransaction, ProducedChunk, ProduceOptions, SegmentRecords } from "../store/store.ts";
import type { RequestBody } from "./body.ts";
import type { Connection } from "./http.ts";
import { Repeats } from "./repeats.ts";
import { jsonAnswer, endpoint } from "./endpoint.ts";
import { lineAnswer } from "./lines.ts";
import type { Line } from "./lines.ts";
import type { RecordStep } from "../wire/records.ts";
import type { Holding } from "./overload.ts";

export const produce = endpoint(produceOperation, async (services, call) => {
  const { params, query, headers, body, memory, connection } = call;
  const type = bodyType(call.contentType, mediaTypesOf(produceOperation.body));
  const uncommitted = new Uncommitted(memory);
  const repeats = new Repeats(headers["Idempotency-Key"]);
  const records =
    type === mediaTypes.ndjson
      ? recordLines(body, query.encoding, uncommitted, repeats)
      : await checkedRecords(await body.blocks(memory), query.encoding, repeats);
  const store = services.stores.open(params.store);
  const produced = uncommitted.released(
    store.produce(params.space, params.segment, records, optionsOf(headers, query)),
  );
  const chunks = untilGone(repeats.tell(produced), connection);
  if (call.accept === mediaTypes.ndjson) return lineAnswer({ ...call, services }, chunkLines(chunks));
  return jsonAnswer(await producedText(chunks));
});

export const produceAll = endpoint(produceAllOperation, async (services, call) => {
  const { params, query, headers, body, memory } = call;
  bodyType(call.contentType, mediaTypesOf(produceAllOperation.body));
  const blocks = await body.blocks(memory, wireLimits.transactionBodyBytesMax);
  const repeats = new Repeats(headers["Idempotency-Key"]);
  const segments = await segmentRecords(blocks, query.encoding);
  // All or nothing: one segment whose records have their places is enough.
  for (const { records } of segments) if (records[0] !== undefined) repeats.see(records[0]);
  const store = services.stores.open(params.store);
  try {
    const chunks = await store.produceAll(params.space, segments, optionsOf(headers, query));
    return jsonAnswer(`{"segments":[${chunks.map(chunkText).join(",")}]}`);
  } catch (error) {
    throw repeats.explained(error);
  }
});

function optionsOf(
  headers: { readonly "Idempotency-Key"?: ProduceOptions["transactionId"] },
  { ack, leaseKey: key, leaseToken: token }: z.output<typeof produceOperation.query>,
): ProduceOptions {
  const transactionId = headers["Idempotency-Key"];
  if (key === undefined && token !== undefined)
    throw invalidArgument("leaseKey", "the key of the lease with its token");
  if (key !== undefined && token === undefined)
    throw invalidArgument("leaseToken", "the token of the lease with its key");
  return {
    ack,
    transactionId,
    ...(key === undefined || token === undefined ? {} : { lease: { key, token } }),
  };
}

async function* recordLines(
  body: RequestBody,
  encoding: Encoding,
  uncommitted: Uncommitted,
  repeats: Repeats,
): AsyncGenerator<AppendRecord, void, undefined> {
  let total = 0;
  for await (const line of readLines(body.pieces(), (bytes) => uncommitted.begin(bytes))) {
    const record = parseRecord(line.text, encoding, `line ${line.number}`);
    uncommitted.add(contentBytes(record));
    repeats.see(record);
    total += 1;
    yield record;
  }
  repeats.ended(total);
}

/**
 * Yields the records of a body that was checked to its end: nothing is written if any record is wrong. A body of more
 * than one chunk is read again as it is committed, because its records as objects would take many times the memory of
 * their text.
 */
async function checkedRecords(
  blocks: readonly Uint8Array[],
  encoding: Encoding,
  repeats: Repeats,
): Promise<Iterable<AppendRecord> | AsyncIterable<AppendRecord>> {
  let chunks = 0;
  let total = 0;
  let last: readonly AppendRecord[] = [];
  for await (const chunk of chunkRecords(inTurns(parseProduceBody(blocks, encoding)))) {
    chunks += 1;
    total += chunk.length;
    last = chunk;
  }
  repeats.ended(total);
  if (last[0] !== undefined) repeats.see(last[0]);
  return chunks <= 1 ? last : inTurns(parseProduceBody(blocks, encoding));
}

/** No more records are looked at than are committed at once. */
async function segmentRecords(blocks: readonly Uint8Array[], encoding: Encoding): Promise<readonly SegmentRecords[]> {
  const segments: SegmentRecords[] = [];
  let count = 0;
  let records: AppendRecord[] = [];
  for await (const { record, ended } of stepsInTurns(parseProduceAllBody(blocks, encoding))) {
    if (record !== undefined) {
      count += 1;
      refuseBeyond("records", limits.chunkRecordsMax, count);
      records.push(record);
    }
    if (ended === undefined) continue;
    const taken: AppendRecord[] = [];
    for await (const chunk of chunkRecords(records, ended.field)) taken.push(...chunk);
    segments.push({ segment: ended.segment, records: taken });
    records = [];
  }
  return segments;
}

/** A caller that leaves ends its request between two chunks; a commit on its way is never cut. */
async function* untilGone(
  chunks: AsyncIterable<ProducedChunk>,
  connection: Connection,
): AsyncGenerator<ProducedChunk, void, undefined> {
  for await (const chunk of chunks) {
    yield chunk;
    if (connection.signal.aborted) return;
  }
}

async function producedText(chunks: AsyncIterable<ProducedChunk>): Promise<string> {
  let status: SegmentStatus | undefined;
  const transactions: Committed[] = [];
  try {
    for await (const chunk of chunks) {
      status = chunk.status;
      if (chunk.transaction !== undefined) transactions.push(committed(chunk.status, chunk.transaction));
    }
  } catch (error) {
    throw withCommitted(error, status, transactions);
  }
  if (status === undefined) throw new StoreError("internal", "A produce ended without a status.");
  return `{"status":${statusText(status)},"transactions":[${transactions.map(transactionText).join(",")}]}`;
}

/** Adds to a failure the chunks that were committed before it. */
function withCommitted(error: unknown, status: SegmentStatus | undefined, transactions: readonly Committed[]): unknown {
  if (!(error instanceof StoreError) || status === undefined || transactions.length === 0) return error;
  return new StoreError(error.code, error.message, {
    effect: error.effect,
    cause: error,
    retryAfterMs: error.retryAfterMs,
    // A problem has a `status` of its own.
    details: { ...error.details, segmentStatus: status, transactions },
  });
}

async function* chunkLines(chunks: AsyncIterable<ProducedChunk>): AsyncGenerator<Line, void, undefined> {
  for await (const chunk of chunks) yield { text: asOneLine(chunkText(chunk)), urgent: true };
}

function chunkText({ status, transaction }: ProducedChunk): string {
  const statusMember = `"status":${statusText(status)}`;
  return transaction === undefined
    ? `{${statusMember}}`
    : `{${statusMember},"transaction":${transactionText(committed(status, transaction))}}`;
}

/** With the place of its last entry in its space, so that its writer can read on from there. */
type Committed = CommittedTransaction & { readonly offset: Cursor };

/** `status`: the segment as of this transaction. */
function committed(status: SegmentStatus, transaction: CommittedTransaction): Committed {
  const { space, segment, lastTimestamp: timestamp } = status;
  return { ...transaction, offset: encodeCursor({ space, segment, timestamp, sequence: transaction.lastSequence }) };
}

function transactionText({ id, number, firstSequence, lastSequence, offset, duplicate }: Committed): string {
  return JSON.stringify({ id, number, firstSequence, lastSequence, offset, duplicate });
}

// The records of a body on their way to the store: in turns with everyone else, and held against the request's share of
// memory.

/** With pauses, so that others get their turns: none looks at more than twice `turnBytesMax` and one record. */
export async function* inTurns(
  steps: Iterable<RecordStep>,
  pause: () => Promise<unknown> = nextTurn,
): AsyncGenerator<AppendRecord, void, undefined> {
  const looked = turnOf(pause);
  for (const { record, bytes } of steps) {
    if (record !== undefined) yield record;
    const over = looked(bytes);
    if (over !== undefined) await over;
  }
}

/** The same, with the steps that have no record. */
export async function* stepsInTurns<Step extends RecordStep>(
  steps: Iterable<Step>,
  pause: () => Promise<unknown> = nextTurn,
): AsyncGenerator<Step, void, undefined> {
  const looked = turnOf(pause);
  for (const step of steps) {
    yield step;
    const over = looked(step.bytes);
    if (over !== undefined) await over;
  }
}

/** Counts what a turn looks at; gives the pause that is due. */
function turnOf(pause: () => Promise<unknown>): (bytes: number) => Promise<unknown> | undefined {
  let looked = 0;
  return (bytes) => {
    looked += bytes;
    if (looked < wireLimits.turnBytesMax) return undefined;
    looked = 0;
    return pause();
  };
}

/** Counts the memory of lines that are not committed: the records of the present chunk, and the line that has begun. */
export class Uncommitted {
  readonly #memory: Holding;
  #begun = 0;
  #records = 0;
  #last = 0;

  constructor(memory: Holding) {
    this.#memory = memory;
  }

  /** So many bytes are taken by the line that has begun, instead of those before. */
  begin(bytes: number): void {
    if (bytes > this.#begun) this.#memory.take(bytes - this.#begun);
    else this.#memory.give(this.#begun - bytes);
    this.#begun = bytes;
  }

  /** A record of so many bytes. */
  add(bytes: number): void {
    this.#memory.take(bytes);
    this.#records += bytes;
    this.#last = bytes;
  }

  /** The same chunks; with each its records are given back. */
  async *released(chunks: AsyncIterable<ProducedChunk>): AsyncGenerator<ProducedChunk, void, undefined> {
    for await (const chunk of chunks) {
      // The last record that was read may be the first of the next chunk.
      const left = Math.min(this.#last, this.#records);
      this.#memory.give(this.#records - left);
      this.#records = left;
      yield chunk;
    }
  }
}
