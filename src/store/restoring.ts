// Restores the entries of a backup: groups them as they were committed, in batches that a backend commits at once, and
// recognises what is there already, so that a call that is repeated goes on where the one before it ended.
//
// Promise: an entry is written with the sequence, the timestamp and the transaction that it is given with, after all
// that its space has, or not at all. Dying between two batches leaves the first of them there; the same call does the
// rest.

import { contentBytes, checkedBytes } from "../core/entry.ts";
import type { Entry } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { NodeId, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { blockPlainBytes } from "../codec/block.ts";
import { compareUtf8 } from "../codec/lexkey.ts";
import type { EntryBatch } from "../codec/transaction.ts";
import type { Backend } from "./create-store.ts";
import type { StreamOptions } from "./store.ts";

/**
 * How far a restored time may be ahead of now, milliseconds: the clocks of two deployments differ, and times that only
 * grow run a little ahead of the clock that they are made by.
 */
const aheadMsMax = 5_000;

export function checkNotFuture(timestamp: number, now: number): void {
  if (timestamp <= now + aheadMsMax) return;
  throw invalidArgument("timestamp", `a time that is not in the future: now is ${now}`, timestamp);
}

/** What one commit wrote: all entries of a space with one timestamp. */
export interface RestoredRecord {
  readonly timestamp: number;
  readonly node: NodeId;
  /** Its transactions, by segment (as UTF-8) and sequence. */
  readonly batches: readonly EntryBatch[];
}

/**
 * `behind`: nothing was written, since the space has a commit at or after the first of the records; `lastTimestamp` is
 * that of its last one.
 */
export type RestoreOutcome = { readonly kind: "done" } | { readonly kind: "behind"; readonly lastTimestamp: number };

export interface RestoredEntries {
  /** Entries that were written now, and those that were there before. */
  readonly restored: number;
  readonly present: number;
  /** The timestamp of the last of them; 0: there were none. */
  readonly lastTimestamp: number;
}

/** A store, as one restores a backup to it. */
export interface RestoringStore {
  /**
   * Writes the entries of a backup, in the order of the space, with their sequences, timestamps and transactions; all
   * of one timestamp in one call. They come behind what the space has, and not more than five seconds in the future; a
   * segment without entries begins at any sequence. What the space has already, the same, is passed over: so a repeat
   * goes on where it ended.
   */
  restoreEntries(
    space: SpaceName,
    entries: AsyncIterable<Entry> | Iterable<Entry>,
    options?: StreamOptions,
  ): Promise<RestoredEntries>;
}

/** Records of one commit of the log: a transaction of a table takes 100 rows, the head is one of them. */
const recordsMax = limits.batchOperationsMax - 1;
/** And their data before compression; one record always fits. A transaction takes 4 MiB. */
const bytesMax = 2 * 1_024 * 1_024;
/** Transactions that one record names, as for one that is produced. */
const transactionsMax = 256;

type RestoreBackend = Pick<Backend, "readSpace" | "restoreRecords">;

export async function restoreEntries(
  backend: RestoreBackend,
  space: SpaceName,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  signal: AbortSignal | undefined,
): Promise<RestoredEntries> {
  let [restored, present, lastTimestamp] = [0, 0, 0];
  try {
    for await (const batch of batchesOf(recordsOf(space, entries))) {
      let records = batch;
      for (;;) {
        signal?.throwIfAborted();
        const outcome = await backend.restoreRecords(space, records, signal);
        if (outcome.kind === "done") break;
        const there = records.filter(({ timestamp }) => timestamp <= outcome.lastTimestamp);
        await checkPresent(backend, space, there, outcome.lastTimestamp, signal);
        present += entriesIn(there);
        records = records.slice(there.length);
      }
      restored += entriesIn(records);
      lastTimestamp = batch.at(-1)?.timestamp ?? lastTimestamp;
    }
    return { restored, present, lastTimestamp };
  } catch (error) {
    throw withRestored(error, { restored, present, lastTimestamp });
  }
}

/** Adds to a failure what was restored before it. */
function withRestored(error: unknown, done: RestoredEntries): unknown {
  if (!(error instanceof StoreError) || done.restored + done.present === 0) return error;
  const { code, details, effect, message, retryAfterMs } = error;
  return new StoreError(code, message, { effect, cause: error, retryAfterMs, details: { ...details, ...done } });
}

/** Throws unless the space has these records, and nothing between them. */
async function checkPresent(
  backend: RestoreBackend,
  space: SpaceName,
  records: readonly RestoredRecord[],
  lastTimestamp: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const first = records[0]?.timestamp ?? 1;
  const until = records.at(-1)?.timestamp;
  const wanted = records.flatMap(({ batches }) => batches.flatMap(({ entries }) => entries));
  let at = 0;
  for await (const entry of backend.readSpace(space, { after: first - 1, until, signal }, 1)) {
    if (!isSame(entry, wanted[at])) break;
    at += 1;
  }
  const missing = wanted[at];
  if (missing === undefined) return;
  const expected = `a time after ${lastTimestamp}, the last of the space, or an entry that the space has already`;
  throw invalidArgument("timestamp", expected, missing.timestamp);
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  return (
    b !== undefined &&
    a.segment === b.segment &&
    a.sequence === b.sequence &&
    a.timestamp === b.timestamp &&
    isSameTransaction(a, b) &&
    Buffer.compare(a.payload, b.payload) === 0 &&
    a.metadata.size === b.metadata.size &&
    [...a.metadata].every(([key, value]) => b.metadata.get(key) === value)
  );
}

function isSameTransaction({ trx: a }: Entry, { trx: b }: Entry): boolean {
  return a.id === b.id && a.number === b.number && a.node === b.node;
}

/** As many as one commit takes. */
async function* batchesOf(records: AsyncIterable<RestoredRecord>): AsyncGenerator<readonly RestoredRecord[]> {
  let batch: RestoredRecord[] = [];
  let bytes = 0;
  for await (const record of records) {
    const size = blockPlainBytes(record.batches);
    if (batch.length === recordsMax || (batch.length > 0 && bytes + size > bytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  // Without any, what the space has of a call before is brought into its segments.
  yield batch;
}

/** Groups entries by their timestamps; refuses those that no log could have. */
async function* recordsOf(
  space: SpaceName,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
): AsyncGenerator<RestoredRecord> {
  let together: Entry[] = [];
  let bytes = 0;
  for await (const entry of entries) {
    checkedBytes(entry, `the entry ${entry.sequence} of ${entry.segment}`);
    const last = together.at(-1);
    if (last !== undefined && entry.timestamp !== last.timestamp) {
      yield recordOf(space, together);
      if (entry.timestamp < last.timestamp)
        throw invalidArgument("timestamp", `${last.timestamp} or later: entries in the order of the space`, entry.timestamp); // prettier-ignore
      together = [];
      bytes = 0;
    }
    bytes += contentBytes(entry);
    if (bytes > limits.plainBytesMax) throw tooLarge(entry.timestamp);
    together.push(entry);
  }
  if (together.length > 0) yield recordOf(space, together);
}

function recordOf(space: SpaceName, entries: readonly Entry[]): RestoredRecord {
  const [first] = entries;
  if (first === undefined) throw new Error("A record of no entries.");
  const { timestamp, trx } = first;
  const runs: Entry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && last.segment === entry.segment && isSameTransaction(last, entry)) {
      if (entry.sequence !== last.sequence + 1)
        throw invalidArgument("sequence", `${last.sequence + 1}, after the entry before it`, entry.sequence);
      run.push(entry);
      continue;
    }
    const isInOrder =
      last === undefined ||
      (compareUtf8(last.segment, entry.segment) || last.sequence - entry.sequence || last.trx.number - entry.trx.number) < 0; // prettier-ignore
    if (!isInOrder) throw invalidArgument("segment", "the entries of one time by segment and sequence", entry.segment);
    if (entry.trx.node !== trx.node)
      throw invalidArgument("trx.node", `${trx.node}, as all entries of one commit have it`, entry.trx.node);
    runs.push([entry]);
  }
  const batches = runs.map((run) => batchOf(space, run));
  const isTooLarge = blockPlainBytes(batches) > limits.dataBytesMax * 0.98 || batches.length > transactionsMax;
  if (isTooLarge) throw tooLarge(timestamp);
  return { timestamp, node: trx.node, batches };
}

function batchOf(space: SpaceName, run: readonly Entry[]): EntryBatch {
  const [first] = run;
  if (first === undefined) throw new Error("A transaction of no entries.");
  const { segment, sequence: firstSequence, timestamp, trx } = first;
  const entries = run.map((entry) => ({ ...entry, space, trx }));
  return { trx, space, segment, firstSequence, lastSequence: firstSequence + run.length - 1, timestamp, entries };
}

function entriesIn(records: readonly RestoredRecord[]): number {
  return records.reduce((sum, { batches }) => sum + batches.reduce((all, { entries }) => all + entries.length, 0), 0);
}

function tooLarge(timestamp: number): StoreError {
  return new StoreError(
    "request_too_large",
    `The entries at ${timestamp} are more than one commit can be: expected ${transactionsMax} transactions and ${limits.dataBytesMax} bytes at most.`,
    { details: { limit: limits.dataBytesMax } },
  );
}
