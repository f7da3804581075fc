// Rebuilds one segment's rows from its log: blocks, rows of transaction ids, head.
//
// Promise: every step is one entity-group transaction under the head's ETag and those of the rows it changes: beside
// live writers it succeeds as a whole or not at all. Dying between two steps leaves a segment that a check finds and a
// repair goes on with.

import type { Entry } from "../../../core/entry.ts";
import { limits } from "../../../core/limits.ts";
import type { SpaceName } from "../../../core/ids.ts";
import { blockPlainBytes, encodeBlock } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import { hasRedacted } from "../../../codec/transaction.ts";
import type { Properties, Table, Write } from "../../../table/port.ts";
import { writeBytes } from "../../../table/sizes.ts";
import { formatLatest } from "../rows/format.ts";
import { blockRow, segmentHeadRow, transactionRow } from "../rows/keys.ts";
import { LogReader } from "../log/log-reader.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { entriesFrom } from "../trim/segment-trim.ts";
import type { Source } from "../read/read.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import {
  emptySegment,
  encodeBlockRow,
  encodeCutBlock,
  encodeCutTombstone,
  encodeSegmentHead,
  encodeTombstone,
  encodeTransactionRow,
  rebuiltTransactionsMax,
} from "../rows/segment-rows.ts";
import { encodeProducer } from "../rows/stream-rows.ts";
import type { SegmentLog } from "./block-check.ts";
import type { LoggedTransaction } from "./log-walk.ts";
import { hasEntries } from "../rows/log-rows.ts";
import type { SegmentPicture } from "./segment-check.ts";

export interface RebuildOptions extends Pick<AzureStoreOptions, "batchOperations" | "batchBytes"> {
  /** The segment has entries that its log does not have: they go. */
  readonly forked: boolean;
  /** How many redactions the log's head counted before its records were read; undefined: it cannot tell. */
  readonly redactions: number | undefined;
}

/** Rows that go together, and the head that goes with them when the segment gets longer by them. */
interface Step {
  readonly writes: readonly Write[];
  readonly grown?: Properties;
}

/** The size of a head with its last entry in a request, bytes. */
const headBytesMax = 64 * 1024;

/**
 * How often the same rows are tried while live writers move the head: between the read and the write there is a moment,
 * not a check.
 */
const triesMax = 20;

/** False when somebody wrote meanwhile: then check again. */
export async function rebuildSegment(
  source: Source,
  space: SpaceName,
  picture: SegmentPicture,
  options: RebuildOptions,
): Promise<boolean> {
  const { partition } = picture;
  // The picture of the log may have what was redacted since.
  if (options.redactions !== undefined && (picture.head?.redactions ?? 0) > options.redactions) return false;
  const rebuild = new Rebuild(space, source, picture, options);
  const rows = new GuardedRows(source.table, picture);
  let writes: Write[] = [];
  let bytes = headBytesMax;
  let grown: Properties | undefined;
  for await (const step of rebuild.steps()) {
    const stepBytes = step.writes.reduce((sum, write) => sum + writeBytes(partition, write), 0);
    const isFull =
      bytes + stepBytes > options.batchBytes || writes.length + step.writes.length >= options.batchOperations;
    if (isFull && writes.length > 0) {
      const head = rebuild.isTrusted ? (grown ?? rows.head) : await rebuild.finalHead();
      if (!(await rows.submit(writes, head, "more follows"))) return false;
      writes = [];
      bytes = headBytesMax;
    }
    writes.push(...step.writes);
    bytes += stepBytes;
    grown = step.grown ?? grown;
  }
  return rows.submit(writes, await rebuild.finalHead(), "the last");
}

/** A segment's rows, written only while its head is the one that was last read or written here. */
class GuardedRows {
  head: Properties | undefined;
  readonly #table: Table;
  readonly #partition: string;
  /** The head as the check has read it. */
  readonly #checked: Properties | undefined;
  #etag: string | undefined;

  constructor(table: Table, { partition, headRow }: SegmentPicture) {
    this.head = headRow?.properties;
    this.#table = table;
    this.#partition = partition;
    this.#checked = this.head;
    this.#etag = headRow?.etag;
  }

  /** Without a head to write, the stored one goes with the last writes. */
  async submit(
    writes: readonly Write[],
    head: Properties | undefined,
    when: "more follows" | "the last",
  ): Promise<boolean> {
    // The stored head stays as a writer has made it since.
    const keepsHead = head !== undefined && (head === this.#checked || head === this.head);
    for (let tries = 1; ; tries += 1) {
      const properties = keepsHead ? this.head : head;
      const all = [...this.#headWrites(properties, when), ...writes];
      if (all.length === 0) return true;
      const result = await this.#table.submit(this.#partition, all);
      if (result.kind === "done") {
        if (properties !== undefined) this.#etag = result.etags[0];
        this.head = properties;
        return true;
      }
      if (!keepsHead || tries === triesMax || !(await this.#hasGrown())) return false;
    }
  }

  /** Whether a writer has moved the head: what is below it stays as right as it was. */
  async #hasGrown(): Promise<boolean> {
    const { row } = await this.#table.get(this.#partition, segmentHeadRow(this.#partition));
    if (row === undefined || row.etag === this.#etag) return false;
    // Nor what was redacted since: the rows that are to be written may have it.
    if (row.properties["rd"] !== this.#checked?.["rd"]) return false;
    this.head = row.properties;
    this.#etag = row.etag;
    return true;
  }

  #headWrites(properties: Properties | undefined, when: "more follows" | "the last"): Write[] {
    const row = segmentHeadRow(this.#partition);
    const ifMatch = this.#etag;
    if (properties === undefined) {
      return when === "the last" && ifMatch !== undefined ? [{ kind: "delete", row, ifMatch }] : [];
    }
    if (ifMatch === undefined) return [{ kind: "insert", row, properties }];
    return [{ kind: "replace", row, properties, ifMatch }];
  }
}

class Rebuild {
  /** The head is what the log says: it only grows. */
  readonly isTrusted: boolean;
  readonly #reader: LogReader;
  readonly #source: Source;
  readonly #picture: SegmentPicture;
  readonly #redactions: number;
  /** Rows that are not what they should be, and not replaced yet. */
  readonly #bad: Map<string, string>;
  /** The content of the row that was read last, by the records' timestamps. */
  #known: ReadonlyMap<number, readonly EntryBatch[]> = new Map();

  constructor(space: SpaceName, source: Source, picture: SegmentPicture, { forked, redactions }: RebuildOptions) {
    this.#reader = new LogReader(source.table, space, source.compressor);
    this.#source = source;
    this.#picture = picture;
    this.#redactions = Math.max(picture.head?.redactions ?? 0, redactions ?? 0);
    this.isTrusted = picture.head !== undefined && !forked;
    const isKept = (lastSequence: number): boolean => !forked || lastSequence <= picture.log.lastSequence;
    const bad = picture.blocks.filter(({ good, lastSequence }) => !good || !isKept(lastSequence));
    this.#bad = new Map(bad.map(({ row, etag }) => [row, etag]));
  }

  /** By sequence; what only goes comes last. */
  async *steps(): AsyncGenerator<Step> {
    for await (const run of this.#runs()) yield await this.#blockStep(run);
    const { extraIds, unkeptIds } = this.#picture;
    // Ids of a head that is written anew are in the run of their block, or in `unkeptIds`.
    for (const transaction of unkeptIds) yield { writes: [idWrite(transaction)] };
    for (const [row, state] of this.#picture.unkeptProducers) {
      yield { writes: [{ kind: "upsert", row, properties: encodeProducer(state) }] };
    }
    for (const { row, etag } of extraIds) yield { writes: [{ kind: "delete", row, ifMatch: etag }] };
    for (const [row, ifMatch] of this.#bad) yield { writes: [{ kind: "delete", row, ifMatch }] };
  }

  /** The head that must be there in the end; undefined: none. */
  async finalHead(): Promise<Properties | undefined> {
    const { findings, head, headRow, log } = this.#picture;
    const target = this.#target();
    const isAsItShould = this.isTrusted && target === head?.transactionNumber;
    const entryDiffers = findings.list.some(({ kind }) => kind === "last_entry_differs");
    // A head beyond what the log picture knows is its writer's.
    if (isAsItShould && (!entryDiffers || target > lastNumber(log))) return headRow?.properties;
    const last = log.numbered(target);
    return last === undefined ? undefined : this.#headAt(last);
  }

  #headSequence(): number {
    return this.isTrusted ? (this.#picture.head?.lastSequence ?? 0) : 0;
  }

  /**
   * The transaction with which the segment is to end: what is pending is left to those who apply, unless the head is
   * gone.
   */
  #target(): number {
    const { head, log } = this.#picture;
    return this.isTrusted ? Math.max(head?.transactionNumber ?? 0, log.settledNumber) : lastNumber(log);
  }

  /** The transactions that no good block has, in runs of what one block takes. */
  async *#runs(): AsyncGenerator<LoggedTransaction[]> {
    const { blocks, log } = this.#picture;
    const kept = blocks.filter(({ row }) => !this.#bad.has(row));
    const target = this.#target();
    let run: LoggedTransaction[] = [];
    let plainBytes = 0;
    let at = 0;
    for (const transaction of log.transactions) {
      const { lastSequence, number, readable } = transaction;
      if (number > target) break;
      if (!hasEntries(transaction)) continue;
      // Trimmed entries never come back.
      if (lastSequence < this.#picture.firstSequence) continue;
      const firstSequence = Math.max(transaction.firstSequence, this.#picture.firstSequence);
      while ((kept[at]?.lastSequence ?? Infinity) < firstSequence) at += 1;
      if ((kept[at]?.firstSequence ?? Infinity) <= firstSequence) continue;
      const bytes = readable ? blockPlainBytes([await this.#batch(transaction)]) : Infinity;
      const last = run.at(-1);
      const follows = last?.lastSequence === firstSequence - 1 && last.lastSequence !== this.#headSequence();
      if (
        run.length > 0 &&
        (!follows || run.length >= rebuiltTransactionsMax || plainBytes + bytes > limits.dataBytesMax * 0.98)
      ) {
        yield run;
        run = [];
        plainBytes = 0;
      }
      run.push(transaction);
      plainBytes += bytes;
    }
    if (run.length > 0) yield run;
  }

  async #blockStep(run: readonly LoggedTransaction[]): Promise<Step> {
    const [first] = run;
    const last = run.at(-1);
    if (first === undefined || last === undefined) throw new Error("A block of no transactions.");
    const row = blockRow(last.lastSequence);
    const begins = Math.max(first.firstSequence, this.#picture.firstSequence);
    const isCut = begins > first.firstSequence;
    const lost = isCut ? encodeCutTombstone : encodeTombstone;
    const properties = first.readable ? await this.#block(begins, run, isCut) : lost(begins, first.timestamp);
    const ifMatch = this.#bad.get(row);
    this.#bad.delete(row);
    const block: Write =
      ifMatch === undefined ? { kind: "insert", row, properties } : { kind: "replace", row, properties, ifMatch };
    if (last.lastSequence <= this.#headSequence()) return { writes: [block] };
    // With the entries goes what their ids were used for, or a repeat would not be known as one; also of those that may
    // be no caller's.
    const unkept = new Set(this.#picture.unkeptIds);
    const ids = run.filter((transaction) => transaction.keyed !== false && !unkept.has(transaction)).map(idWrite);
    return { writes: [block, ...ids], ...(this.isTrusted ? { grown: await this.#headAt(last) } : {}) };
  }

  async #block(firstSequence: number, run: readonly LoggedTransaction[], isCut: boolean): Promise<Properties> {
    const batches: EntryBatch[] = [];
    for (const transaction of run) batches.push(await this.#batch(transaction));
    const data = await encodeBlock(entriesFrom(batches, firstSequence), this.#source.compressor);
    if (isCut) return encodeCutBlock(firstSequence, data);
    return { ...encodeBlockRow(firstSequence, data), ...(batches.some(hasRedacted) ? { v: formatLatest } : {}) };
  }

  async #headAt(last: LoggedTransaction): Promise<Properties> {
    const { firstSequence, head: stored, log } = this.#picture;
    const isTrimmed = firstSequence > 1;
    const withEntries = log.lastWithEntries(last.number);
    // Where the log does not tell from the beginning, the stored head is all there is.
    const { stream } = log.streamAt(last.number) ?? { stream: stored?.stream };
    const head: SegmentHead = {
      ...emptySegment,
      firstSequence,
      // How far the segment's own trims went, where nothing tells: not at all.
      ownFirst: stored?.ownFirst ?? 1,
      format: isTrimmed || stream !== undefined || this.#redactions > 0 ? 2 : (stored?.format ?? 1),
      firstTimestamp: log.holderOf(firstSequence)?.timestamp ?? (isTrimmed ? last.timestamp : 0),
      lastSequence: last.lastSequence,
      lastTimestamp: withEntries?.timestamp ?? stored?.lastTimestamp ?? 0,
      changedAt: hasEntries(last) ? 0 : last.timestamp,
      stream,
      ...(this.#redactions === 0 ? {} : { redactions: this.#redactions }),
      transactionNumber: last.number,
      transactionId: last.id,
    };
    const isThere = withEntries?.readable === true && firstSequence <= last.lastSequence;
    const entry: Entry | undefined = isThere ? (await this.#batch(withEntries)).entries.at(-1) : undefined;
    return encodeSegmentHead(head, entry);
  }

  /**
   * Reads the entries of a transaction. One row of the log is kept, because its transactions are asked for one after
   * the other.
   */
  async #batch({ timestamp, index }: LoggedTransaction): Promise<EntryBatch> {
    if (!this.#known.has(timestamp)) {
      this.#known = Map.groupBy(await this.#reader.readRowWith(timestamp), (batch) => batch.timestamp);
    }
    const batch = index === undefined ? undefined : this.#known.get(timestamp)?.[index];
    if (batch === undefined)
      throw new Error(`The record at ${timestamp} has no entries of a transaction in place ${index}.`);
    return batch;
  }
}

function lastNumber({ transactions }: SegmentLog): number {
  return transactions.at(-1)?.number ?? 0;
}

function idWrite(transaction: LoggedTransaction): Write {
  return { kind: "upsert", row: transactionRow(transaction.id), properties: encodeTransactionRow(transaction) };
}
