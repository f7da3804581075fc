// The transactions to apply to one segment, in order, and what each log record still needs: bookkeeping, no requests.

import { corruptData } from "../../../core/errors.ts";
import type { SegmentName } from "../../../core/ids.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { RecordSummary, TransactionSummary } from "../rows/log-rows.ts";
import { hasEntries, numberBefore } from "../rows/log-rows.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";

/** The entries of a record, one batch a transaction, and the same as its row has them. */
export interface RecordContent {
  readonly batches: readonly EntryBatch[];
  readonly data: Uint8Array;
}

/** A committed record that is not known to be done. */
export class PendingRecord {
  readonly summary: RecordSummary;
  /** The service's time of its commit, milliseconds. */
  readonly writtenAt: number;
  /** Whether this instance committed it, and tells of it. */
  readonly isOwn: boolean;
  readonly items: readonly PendingItem[];
  /**
   * Whether the space's own row in the inventory is confirmed; only the first record of a log, or of a life of its
   * space, needs it.
   */
  spaceListed: boolean;
  #content: RecordContent | undefined;

  constructor(summary: RecordSummary, writtenAt: number, content?: RecordContent, isOwn = content !== undefined) {
    this.summary = summary;
    this.writtenAt = writtenAt;
    this.isOwn = isOwn;
    this.#content = content;
    let batches = 0;
    this.items = summary.transactions.map((transaction) => {
      return new PendingItem(this, transaction, hasEntries(transaction) ? batches++ : undefined);
    });
    this.spaceListed = summary.position !== 1 && summary.beginsLife !== true;
  }

  /** When this instance committed it, for as long as it is kept. */
  get content(): RecordContent | undefined {
    return this.#content;
  }

  /** A record that waits for long is read again from the log, rather than kept. */
  dropContent(): void {
    this.#content = undefined;
  }

  /** Everything of it has been seen by this instance where it belongs. */
  get isDone(): boolean {
    return this.spaceListed && this.items.every(({ isDone }) => isDone);
  }
}

/** One transaction of a pending record. */
export class PendingItem {
  readonly record: PendingRecord;
  readonly transaction: TransactionSummary;
  /** Where its entries are among those of the record; undefined: it has none. */
  readonly index: number | undefined;
  applied = false;
  /** Whether the segment's row in the inventory is confirmed; only a segment's first transaction needs it. */
  listed: boolean;
  /** Given up: its entries cannot be read, and a tombstone takes their place. */
  unreadable = false;

  constructor(record: PendingRecord, transaction: TransactionSummary, index: number | undefined) {
    this.record = record;
    this.transaction = transaction;
    this.index = index;
    this.listed = numberBefore(transaction) !== 0;
  }

  get isDone(): boolean {
    return this.applied && this.listed;
  }

  /** How many rows it writes beside the block and the head. */
  get rowsBeside(): number {
    const { change, keyed } = this.transaction;
    return (keyed ? 1 : 0) + (change?.kind === "append" && change.producer !== undefined ? 1 : 0);
  }
}

/** A segment's head as it is stored, and the ETag that replacing it needs; no ETag: there is no head yet. */
export interface PhysicalHead {
  readonly etag: string | undefined;
  readonly head: SegmentHead;
}

interface Waiter {
  readonly transactionNumber: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One segment's pending transactions, in the order of their numbers, and who waits for them. */
export class SegmentQueue {
  readonly segment: SegmentName;
  running = false;
  /** Its storage failed when it was last asked. */
  isSuspect = false;
  /** How often what was to be applied here turned out to be of a log that is no more. */
  forgotten = 0;
  readonly #items: PendingItem[] = [];
  #waiters: Waiter[] = [];

  constructor(segment: SegmentName) {
    this.segment = segment;
  }

  get items(): readonly PendingItem[] {
    return this.#items;
  }

  get isIdle(): boolean {
    return !this.running && this.#items.length === 0 && this.#waiters.length === 0;
  }

  get isWanted(): boolean {
    return this.#waiters.length > 0;
  }

  add(item: PendingItem): void {
    const after = this.#items.findLastIndex((other) => other.transaction.number < item.transaction.number);
    this.#items.splice(after + 1, 0, item);
  }

  remove(record: PendingRecord): void {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      if (this.#items[index]?.record === record) this.#items.splice(index, 1);
    }
  }

  /**
   * The transactions that come next, without a gap, with at most so many rows beside the block; one that is lost comes
   * alone.
   */
  runAfter(transactionNumber: number, rowsMax: number): PendingItem[] {
    const run: PendingItem[] = [];
    let last = transactionNumber;
    let rows = 0;
    for (const item of this.#items) {
      if (item.transaction.number <= last) continue;
      rows += Math.max(1, item.rowsBeside);
      if (numberBefore(item.transaction) !== last || rows > rowsMax) break;
      if (item.unreadable && run.length > 0) break;
      run.push(item);
      if (item.unreadable) break;
      last = item.transaction.number;
    }
    return run;
  }

  /**
   * The stored head has been seen: what it covers is applied. Answers the records that this brings further.
   * `corrupt_data` when the head was made by another transaction than the log says.
   */
  reached(head: SegmentHead): PendingRecord[] {
    const records: PendingRecord[] = [];
    for (const item of this.#items) {
      const { id, number } = item.transaction;
      if (number > head.transactionNumber) break;
      if (number === head.transactionNumber && head.transactionId !== id) {
        throw corruptData(`segment ${this.segment} ends with transaction ${head.transactionId}, its log says ${id}`);
      }
      if (!item.applied) records.push(item.record);
      item.applied = true;
    }
    const isSatisfied = (waiter: Waiter): boolean => waiter.transactionNumber <= head.transactionNumber;
    const satisfied = this.#waiters.filter(isSatisfied);
    this.#waiters = this.#waiters.filter((waiter) => !isSatisfied(waiter));
    for (const waiter of satisfied) waiter.resolve();
    return records;
  }

  /** Resolves when the stored head has the transaction. */
  wait(transactionNumber: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ transactionNumber, resolve, reject });
    });
  }

  /** The waiting transactions are of a log that does not exist any more. */
  forget(error: unknown): void {
    this.#items.length = 0;
    this.forgotten += 1;
    this.fail(error);
  }

  fail(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }
}

/** A record of one transaction is, byte for byte, the block of that transaction: it is not compressed twice. */
export function sharedData(run: readonly PendingItem[]): Uint8Array | undefined {
  const [only] = run;
  if (only === undefined || run.length > 1 || only.record.items.length > 1) return undefined;
  return only.record.content?.data;
}
