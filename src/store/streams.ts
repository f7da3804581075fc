// Cuts what is to be appended to a stream into chunks, and names their transactions, so that the repeat of an append
// that a crash has cut completes it.

import type { Random } from "../core/clock.ts";
import { newTransactionId } from "../core/clock.ts";
import type { AppendRecord } from "../core/entry.ts";
import { StoreError } from "../core/errors.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { appendedTransactionId, derivedTransactionId } from "../codec/transaction.ts";
import type { Backend } from "./create-store.ts";
import { chunkRecords } from "./create-store.ts";
import type { StreamOutcome, StreamRequest } from "./store.ts";
import type { StreamWish } from "./stream-rules.ts";

type Signal = AbortSignal | undefined;
type StreamBackend = Pick<Backend, "changeStream" | "streamOf">;

export async function changeStream(
  backend: StreamBackend,
  random: Random,
  space: SpaceName,
  segment: SegmentName,
  { records, wish }: StreamRequest,
  signal: Signal,
): Promise<StreamOutcome> {
  signal?.throwIfAborted();
  const chunks: (readonly AppendRecord[])[] = [];
  for await (const chunk of chunkRecords(records)) chunks.push(chunk);
  if (chunks.length > 1 && wish.kind === "append")
    return appendChunks(backend, random, space, segment, wish, chunks, signal);
  if (chunks.length > 1) throw tooMuchToBegin();
  // A repeat on this instance must not hear that nothing happened while the append may still land.
  const step = wish.kind === "append" ? wish.producer : undefined;
  const id = step === undefined ? newTransactionId(random) : appendedTransactionId(0, step);
  return backend.changeStream(space, segment, { wish, records }, { id, keyed: false }, signal);
}

/**
 * Dying between two of them leaves some chunks there: the producer has not moved, and its repeat finds them by their
 * ids.
 */
async function appendChunks(
  backend: StreamBackend,
  random: Random,
  space: SpaceName,
  segment: SegmentName,
  wish: Extract<StreamWish, { kind: "append" }>,
  chunks: readonly (readonly AppendRecord[])[],
  signal: Signal,
): Promise<StreamOutcome> {
  const status = await backend.streamOf(space, segment, signal);
  if (status === undefined) return { kind: "answered", answer: { kind: "no_stream" }, lastSequence: 0 };
  const { life } = status.stream;
  const { producer } = wish;
  const first = producer === undefined ? newTransactionId(random) : appendedTransactionId(life, producer);
  let outcome: StreamOutcome | undefined;
  for (const [position, records] of chunks.entries()) {
    signal?.throwIfAborted();
    const goesOn = position < chunks.length - 1;
    const transaction = { id: derivedTransactionId(first, position), keyed: goesOn && producer !== undefined };
    const request = { wish: { ...wish, life: wish.life ?? life, goesOn }, records };
    outcome = await backend.changeStream(space, segment, request, transaction, signal);
    if (outcome.kind === "answered") return outcome;
  }
  if (outcome === undefined) throw new Error("An append of no chunks.");
  return outcome;
}

function tooMuchToBegin(): StoreError {
  return new StoreError(
    "request_too_large",
    `A stream can begin with ${limits.chunkRecordsMax} records of ${limits.chunkBytesMax} bytes together at most. Make it without them, and append them.`,
    { details: { limit: limits.chunkBytesMax } },
  );
}
