// Redacts entries: payload and metadata are gone from every row, place, time and transaction stay.
//
// The order: the rows of the log are rewritten; the log's head counts the redaction; then each block is rewritten, in
// one transaction with the segment's head, which names that count and gives up its copy of the last entry, and with the
// rows of the ids, whose digests go. All that is pending was applied before, so no applier has an ETag left under which
// it could write the entries again. A repair that looked at the log before the count was written finds a greater count
// in the segment's head, and looks again. Every row goes under its own ETag, and each step may be done twice: if the
// process dies between two of them, the same call goes on.

import { corruptData, invalidArgument, StoreError } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Compressor } from "../../../codec/block.ts";
import { cutData, dataPropertyNames, decodeBlock, encodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import { redactedDigest, withoutContent } from "../../../codec/transaction.ts";
import type { KeyRange, Properties, Row, Table, Write } from "../../../table/port.ts";
import { numberIn } from "../../../table/row-values.ts";
import { backOff } from "../instance/back-off.ts";
import { asStoreError, isTransient } from "../instance/failure.ts";
import type { LogReader } from "../log/log-reader.ts";
import { rows } from "../read/pages.ts";
import { formatLatest } from "../rows/format.ts";
import {
  blockRange,
  lastRecordTimestamp,
  recordRange,
  segmentHeadRow,
  segmentPartition,
  segmentRowOf,
  timestampOfRow,
  transactionRow,
} from "../rows/keys.ts";
import { decodeRecordSummary, encodeLogHead, encodeRecord } from "../rows/log-rows.ts";
import type { RecordSummary } from "../rows/log-rows.ts";
import { isMarker, kindProperty } from "../rows/markers.ts";
import { decodeMergedRecords, encodeMergedRecords, isMerged } from "../rows/merged-rows.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import {
  decodeSegmentHead,
  decodeTransactionRow,
  encodeSegmentHead,
  encodeTransactionRow,
  lastEntryOf,
  rebuiltTransactionsMax,
  tombstoneOf,
} from "../rows/segment-rows.ts";
import type { TrimDeps } from "../trim/segment-trim.ts";
import { crowded, triesMax } from "../trim/segment-trim.ts";

export interface RedactDeps extends Omit<TrimDeps, "telemetry"> {
  readonly reader: Pick<LogReader, "headRow" | "partition" | "readHead">;
}

/** The other operations of a transaction: the head and the block. */
const otherOperations = 2;

/** Refuses what the segment does not have, before anything is written. */
export async function checkRedactable(
  { table, signal }: Pick<RedactDeps, "signal" | "table">,
  space: SpaceName,
  segment: SegmentName,
  sequences: readonly number[],
): Promise<void> {
  const partition = segmentPartition(space, segment);
  try {
    const { row } = await table.get(partition, segmentHeadRow(partition), { signal });
    const head = row === undefined ? undefined : decodeSegmentHead(row);
    for (const sequence of sequences) checkThere(segment, sequence, head);
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  }
}

/** All that is pending of the segment was applied, and its head has all of the sequences. */
export async function redactEntries(
  deps: RedactDeps,
  space: SpaceName,
  segment: SegmentName,
  sequences: readonly number[],
): Promise<void> {
  const redaction = new Redaction(deps, space, segment);
  await each(deps, sequences, (left) => redaction.redactRecords(left));
  const count = await insist(deps, () => redaction.count());
  await each(deps, sequences, (left) => redaction.redactBlock(left, count));
}

/** Until the work has answered each of the sequences. */
async function each(
  deps: RedactDeps,
  sequences: readonly number[],
  work: (left: ReadonlySet<number>) => Promise<readonly number[] | undefined>,
): Promise<void> {
  const left = new Set(sequences);
  while (left.size > 0) for (const sequence of await insist(deps, () => work(left))) left.delete(sequence);
}

/** Tries again where a row was not as it was read (undefined), or where the storage may do better. */
async function insist<T>(deps: RedactDeps, work: () => Promise<T | undefined>): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    deps.signal?.throwIfAborted();
    try {
      const done = await work();
      if (done !== undefined) return done;
      if (failures >= triesMax) throw crowded("the rows of these entries");
    } catch (error) {
      if (!isTransient(error) || failures >= triesMax) throw error;
    }
    await backOff(deps, failures);
  }
}

class Redaction {
  readonly #deps: RedactDeps;
  readonly #segment: SegmentName;
  readonly #partition: string;
  readonly #headRow: string;

  constructor(deps: RedactDeps, space: SpaceName, segment: SegmentName) {
    this.#deps = deps;
    this.#segment = segment;
    this.#partition = segmentPartition(space, segment);
    this.#headRow = segmentHeadRow(this.#partition);
  }

  /** The log's head counts the redaction. */
  async count(): Promise<number | undefined> {
    const { reader, table } = this.#deps;
    const { etag, head } = await reader.readHead(this.#deps.signal);
    if (etag === undefined) throw corruptData(`segment ${this.#segment} has entries, and its log has no head`);
    const redactions = (head.redactions ?? 0) + 1;
    const properties = encodeLogHead({ ...head, redactions, format: 2 });
    const write: Write = { kind: "replace", row: reader.headRow, properties, ifMatch: etag };
    return (await table.submit(reader.partition, [write])).kind === "done" ? redactions : undefined;
  }

  /** Those of the first of these sequences that one block has: the log has nothing of them any more. */
  async redactRecords(sequences: ReadonlySet<number>): Promise<readonly number[] | undefined> {
    const found = await this.#find(sequences);
    if (found === undefined) return undefined;
    const { gone, holders } = found;
    for (const { timestamp } of holders) await insist(this.#deps, () => this.#redactRecord(timestamp, gone));
    return [...gone];
  }

  /** The same of the segment. Undefined: a row is not as it was. */
  async redactBlock(sequences: ReadonlySet<number>, count: number): Promise<readonly number[] | undefined> {
    const found = await this.#find(sequences);
    if (found === undefined) return undefined;
    const { block, gone, head, headRow, holders } = found;
    const changed = block.batches.map((batch) => withoutContent(batch, gone) ?? batch);
    const redactions = Math.max(head.redactions ?? 0, count);
    // The copy of the last entry goes with it.
    const lastEntry = gone.has(head.lastSequence) ? undefined : lastEntryOf(headRow);
    const properties = encodeSegmentHead({ ...head, redactions, format: 2 }, lastEntry);
    const data = await encodeBlock(changed, this.#deps.compressor);
    const writes: Write[] = [
      { kind: "replace", row: this.#headRow, properties, ifMatch: headRow.etag },
      { kind: "replace", row: block.row.row, properties: withData(block.row, data), ifMatch: block.row.etag },
    ];
    // Where a merge came upon a repair that has not ended, a block has a transaction twice.
    for (const id of new Set(holders.map(({ trx }) => trx.id))) {
      const { row } = await this.#deps.table.get(this.#partition, transactionRow(id));
      if (row === undefined) continue;
      const place = encodeTransactionRow({ ...decodeTransactionRow(row, id), digest: redactedDigest });
      writes.push({ kind: "replace", row: row.row, properties: place, ifMatch: row.etag });
    }
    return (await this.#deps.table.submit(this.#partition, writes)).kind === "done" ? [...gone] : undefined;
  }

  /** The block that has the first of the sequences, and as many of its transactions as go in one write. */
  async #find(sequences: ReadonlySet<number>): Promise<Found | undefined> {
    const { row: headRow } = await this.#deps.table.get(this.#partition, this.#headRow);
    if (headRow === undefined) throw corruptData(`segment ${this.#segment} has lost its head`);
    const head = decodeSegmentHead(headRow);
    const first = Math.min(...sequences);
    checkThere(this.#segment, first, head);
    const block = await this.#blockOf(first);
    if (block === undefined) return undefined;
    const holders = block.batches
      .filter(({ entries }) => entries.some(({ sequence }) => sequences.has(sequence)))
      .slice(0, Math.max(1, this.#deps.options.batchOperations - otherOperations));
    if (holders.length === 0) throw corruptData(`sequence ${first} of segment ${this.#segment} is missing`);
    const held = holders.flatMap(({ entries }) => entries.map(({ sequence }) => sequence));
    return { block, gone: new Set(held.filter((sequence) => sequences.has(sequence))), head, headRow, holders };
  }

  /** Undefined: it was trimmed, or merged, since the head was read. */
  async #blockOf(sequence: number): Promise<Stored | undefined> {
    const { compressor, signal, table } = this.#deps;
    const [row] = await firstRows(table, blockRange(this.#partition, sequence, limits.sequenceMax), 1, signal);
    if (row === undefined) throw corruptData(`sequence ${sequence} of segment ${this.#segment} is missing`);
    if (isMarker(row)) return undefined;
    const lost = tombstoneOf(row);
    if (lost !== undefined) throw corruptData(`the entries of the log record at ${lost}`);
    if (numberIn(row, "f", 1) > sequence) {
      throw corruptData(`sequence ${sequence} of segment ${this.#segment} is missing`);
    }
    const place = segmentRowOf(row.row);
    const last = place?.kind === "block" ? place.lastSequence : sequence;
    const behind = blockRange(this.#partition, last + 1, limits.sequenceMax);
    const later = await firstRows(table, behind, rebuiltTransactionsMax, signal, ["v", kindProperty, "f"]);
    // A repair has stopped between two of its writes: the entries are in both.
    if (later.some((one) => !isMarker(one) && numberIn(one, "f", 1) <= last)) {
      throw corruptData(`the blocks of segment ${this.#segment} overlap at sequence ${sequence}`);
    }
    return stored(row, compressor);
  }

  /** The row of the log that has the record, or the one it was merged into. */
  async #redactRecord(timestamp: number, gone: ReadonlySet<number>): Promise<true | undefined> {
    const { compressor, reader, signal, table } = this.#deps;
    const [row] = await firstRows(table, recordRange(reader.partition, timestamp, lastRecordTimestamp), 1, signal);
    // It was trimmed, with its segment.
    if (row === undefined || isMarker(row)) return true;
    if (!isMerged(row) && timestampOfRow(row.row) !== timestamp) return true;
    const { batches } = await stored(row, compressor);
    const isOurs = (batch: EntryBatch): boolean =>
      batch.segment === this.#segment && batch.entries.some(({ sequence }) => gone.has(sequence));
    const changed = batches.map((batch) => (isOurs(batch) ? (withoutContent(batch, gone) ?? batch) : batch));
    if (changed.every((batch, index) => batch === batches[index])) return true;
    const data = await encodeBlock(changed, compressor);
    const properties = isMerged(row)
      ? encodeMergedRecords(decodeMergedRecords(row), data)
      : { ...encodeRecord(withoutDigests(row, this.#segment, batches.filter(isOurs)), data), v: formatLatest };
    const write: Write = { kind: "replace", row: row.row, properties, ifMatch: row.etag };
    return (await table.submit(reader.partition, [write])).kind === "done" ? true : undefined;
  }
}

/** A row with its transactions. */
interface Stored {
  readonly row: Row;
  readonly batches: readonly EntryBatch[];
}

interface Found {
  readonly headRow: Row;
  readonly head: SegmentHead;
  readonly block: Stored;
  /** Its transactions that have some of the sequences, and these. */
  readonly holders: readonly EntryBatch[];
  readonly gone: ReadonlySet<number>;
}

async function stored(row: Row, compressor: Compressor): Promise<Stored> {
  return { row, batches: await decodeBlock(joinData(row.properties), compressor) };
}

async function firstRows(
  table: Table,
  range: KeyRange,
  limit: number,
  signal: AbortSignal | undefined,
  select?: readonly string[],
): Promise<readonly Row[]> {
  const found: Row[] = [];
  for await (const row of rows(table, range, { limit, firstRows: limit, signal, select })) found.push(row);
  return found;
}

function checkThere(
  segment: SegmentName,
  sequence: number,
  head: { readonly firstSequence: number; readonly lastSequence: number } | undefined,
): void {
  const { firstSequence, lastSequence } = head ?? { firstSequence: 1, lastSequence: 0 };
  if (sequence > lastSequence) {
    throw invalidArgument("sequences", `sequences that segment ${JSON.stringify(segment)} has, up to ${lastSequence}`, sequence); // prettier-ignore
  }
  if (sequence >= firstSequence) return;
  throw new StoreError(
    "trimmed",
    `Entry ${sequence} of segment ${JSON.stringify(segment)} was trimmed: the segment begins at ${firstSequence}. Trim the space, which may still show it.`,
    { details: { earliest: firstSequence } },
  );
}

/** A block's properties with other data. */
function withData({ properties }: Row, data: Uint8Array): Properties {
  const kept = Object.entries(properties).filter(([name]) => !dataPropertyNames.includes(name));
  return { ...Object.fromEntries(kept), v: formatLatest, ...cutData(data) };
}

function withoutDigests(row: Row, segment: SegmentName, redacted: readonly EntryBatch[]): RecordSummary {
  const summary = decodeRecordSummary(row);
  const numbers = new Set(redacted.map(({ trx }) => trx.number));
  const transactions = summary.transactions.map((one) =>
    one.segment === segment && numbers.has(one.number) ? { ...one, digest: redactedDigest } : one,
  );
  return { ...summary, transactions };
}
