// Applies committed records to their segments, exactly once in effect, whoever committed them.
//
// To bring a segment to a sequence: know its head; take the run of pending transactions after it; write them as a block
// and the head in one entity-group transaction under the head's ETag; at any refusal or unknown outcome read the head
// again. So what comes before is helped first, in order. Dying after any await leaves a record pending, and the next
// who needs the segment, or the monitor, goes on from the stored head.

import type { Clock, Random } from "../../../core/clock.ts";
import { StoreError } from "../../../core/errors.ts";
import type { Entry } from "../../../core/entry.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import type { Logger } from "../../../core/logger.ts";
import type { ProducerState } from "../../../core/stream.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { Table, Write } from "../../../table/port.ts";
import { backOff } from "../instance/back-off.ts";
import { isCorrupt, isDeleted, isTransient } from "../instance/failure.ts";
import { Inventory } from "./inventory.ts";
import { NextBlock } from "./next-block.ts";
import {
  blockRow,
  neverThereRow,
  producerRow,
  segmentHeadRow,
  segmentPartition,
  transactionRow,
} from "../rows/keys.ts";
import type { PendingItem, PhysicalHead, RecordContent } from "./segment-queue.ts";
import { SegmentQueue, PendingRecord } from "./segment-queue.ts";
import { SegmentHealth } from "./segment-health.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { RecordSummary } from "../rows/log-rows.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import {
  decodeSegmentHead,
  emptySegment,
  encodeSegmentHead,
  encodeTransactionRow,
  headProperties,
  advance,
  lastEntryOf,
  movedProducer,
  placeOf,
} from "../rows/segment-rows.ts";
import type { CachedSegments } from "../instance/segment-cache.ts";
import type { Semaphore } from "../instance/semaphore.ts";
import { encodeProducer } from "../rows/stream-rows.ts";

export interface ApplierDeps {
  readonly table: Table;
  readonly reader: LogReader;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly workers: Semaphore;
  readonly heads: CachedSegments<PhysicalHead>;
  readonly options: AzureStoreOptions;
  /** Brings the list of pending records up to the log's present version. */
  readonly refreshPending: () => Promise<void>;
  /** Called once for each record when everything of it has been seen where it belongs. */
  readonly onDone: (record: PendingRecord) => void;
}

type Step = "moved" | "overtaken" | "unheard";

export class Applier {
  readonly health: SegmentHealth;
  readonly #space: SpaceName;
  readonly #deps: ApplierDeps;
  readonly #records = new Map<number, PendingRecord>();
  readonly #queues = new Map<SegmentName, SegmentQueue>();
  /** The log's first record while it is pending: the space's own row in the inventory is not confirmed. */
  #opening: PendingRecord | undefined;
  readonly #inventory: Inventory;
  readonly #blocks: NextBlock;
  /** Stored heads as last seen or written. Another instance may have moved them: an ETag tells. */
  readonly #heads: CachedSegments<PhysicalHead>;
  /** Heads that are being read ahead. */
  readonly #prepared = new Map<SegmentName, Promise<PhysicalHead>>();

  constructor(space: SpaceName, deps: ApplierDeps) {
    this.#space = space;
    this.#deps = deps;
    this.#heads = deps.heads;
    this.health = new SegmentHealth(deps.clock);
    this.#inventory = new Inventory(space, deps);
    this.#blocks = new NextBlock(deps.reader, deps.compressor);
  }

  get pendingRecords(): Iterable<PendingRecord> {
    return this.#records.values();
  }

  record(timestamp: number): PendingRecord | undefined {
    return this.#records.get(timestamp);
  }

  /** A committed record that the log lists as pending. `isOwn`: this instance tells of it. */
  add(summary: RecordSummary, writtenAt: number, content?: RecordContent, isOwn?: boolean): PendingRecord {
    const known = this.#records.get(summary.timestamp);
    if (known !== undefined) return known;
    const record = new PendingRecord(summary, writtenAt, content, isOwn);
    this.#records.set(summary.timestamp, record);
    if (!record.spaceListed) this.#opening = record;
    for (const item of record.items) {
      const { segment } = item.transaction;
      this.#queueOf(segment).add(item);
      // The instance that committed it has most likely moved the head by now.
      if (content === undefined) this.#heads.delete(segment);
    }
    return record;
  }

  /** The log no longer lists it as pending: somebody has confirmed all of it. */
  forget(record: PendingRecord): void {
    this.#records.delete(record.summary.timestamp);
    if (this.#opening === record) this.#opening = undefined;
    for (const { transaction } of record.items) {
      const queue = this.#queues.get(transaction.segment);
      queue?.remove(record);
      this.#dropIdle(transaction.segment);
    }
  }

  /**
   * The log is another one: nothing that is known of it and its segments is so any more, and who waits is told `error`.
   */
  forgetAll(error: StoreError): void {
    this.#records.clear();
    this.#opening = undefined;
    this.#heads.clear();
    this.#prepared.clear();
    for (const [segment, queue] of this.#queues) {
      queue.forget(error);
      this.#dropIdle(segment);
    }
  }

  pendingIn(segment: SegmentName): readonly PendingItem[] {
    return this.#queues.get(segment)?.items ?? [];
  }

  unappliedIn(segment: SegmentName): number {
    let unapplied = 0;
    for (const item of this.pendingIn(segment)) if (!item.applied) unapplied += 1;
    return unapplied;
  }

  /** A stored head that was read or is known: saves reading it again. */
  observe(segment: SegmentName, physical: PhysicalHead): void {
    const known = this.#heads.get(segment);
    if (known === undefined || known.head.transactionNumber <= physical.head.transactionNumber)
      this.#heads.set(segment, physical);
  }

  /** The head of a segment that has had entries: one seen when it had none does not know when the next ones begin. */
  async headOf(segment: SegmentName): Promise<SegmentHead> {
    const known = this.knownHead(segment);
    if (known !== undefined && known.lastSequence >= known.firstSequence) return known;
    return (await this.#readHead(segment)).head;
  }

  knownHead(segment: SegmentName): SegmentHead | undefined {
    return this.#heads.get(segment)?.head;
  }

  /** The next produces will need the segment's head: read it beside the commit in flight. */
  prepare(segment: SegmentName): void {
    if (this.#heads.has(segment) || this.#prepared.has(segment)) return;
    const read = this.#readHead(segment).finally(() => this.#prepared.delete(segment));
    read.catch(() => undefined);
    this.#prepared.set(segment, read);
  }

  /** Resolves when the segment is applied up to the transaction and listed, with all that comes before it. */
  async ensure(segment: SegmentName, transactionNumber: number): Promise<void> {
    const queue = this.#queueOf(segment);
    const needed = queue.items.filter((item) => item.transaction.number <= transactionNumber);
    const opening = this.#opening;
    // Each by itself: a record is done with the last that it needs, also when who waited for more is told that it
    // failed.
    const listed = needed.map((item) => this.#inventory.listSegment(item).then(() => this.#finish(item.record)));
    const space = this.#inventory.listSpace(opening).then(() => opening === undefined || this.#finish(opening));
    await Promise.all([this.#reach(queue, transactionNumber), space, ...listed]);
  }

  /** Asks the segment's storage whether it takes writes: deletes what is never there. */
  async prove(segment: SegmentName): Promise<void> {
    const write = { kind: "delete", row: neverThereRow, ifMatch: "*" } as const;
    await this.health.watch(segment, () => this.#deps.table.submit(segmentPartition(this.#space, segment), [write]));
  }

  /**
   * Everything of one record. Its segments do not wait for each other; the first failure is thrown after all have
   * ended.
   */
  async ensureRecord(record: PendingRecord): Promise<void> {
    const applied = record.items.map(({ transaction }) => this.ensure(transaction.segment, transaction.number));
    for (const result of await Promise.allSettled(applied)) if (result.status === "rejected") throw result.reason;
  }

  /** Gives up what cannot be read of the record, so that its segments go on without it. False: all of it can. */
  async giveUpLost(record: PendingRecord): Promise<boolean> {
    for (const item of record.items) item.unreadable ||= !item.applied && !(await this.#blocks.isReadable(item));
    return record.items.some((item) => item.unreadable);
  }

  async #reach(queue: SegmentQueue, transactionNumber: number): Promise<void> {
    const known = this.#heads.get(queue.segment);
    if (known !== undefined && known.head.transactionNumber >= transactionNumber) {
      this.#reached(queue, known.head);
      this.#dropIdle(queue.segment);
      return;
    }
    const reached = queue.wait(transactionNumber);
    if (!queue.running) {
      queue.running = true;
      void this.#run(queue);
    }
    await reached;
  }

  async #run(queue: SegmentQueue): Promise<void> {
    let failures = 0;
    try {
      while (queue.isWanted) {
        try {
          const step = await this.#inTurn(queue);
          queue.isSuspect = false;
          if (step === "moved") failures = 0;
          else failures += 1;
          // Not while holding a worker: the log may be slow, and others have segments to apply.
          if (step === "unheard") await this.#deps.refreshPending();
        } catch (error) {
          this.#heads.delete(queue.segment);
          if (isCorrupt(error) && (await this.#isOutdated(queue))) continue;
          if (!isTransient(error)) throw error;
          queue.isSuspect = true;
          for (const { record } of queue.items) record.dropContent();
          failures += 1;
          if (failures >= this.#deps.options.applyAttemptsMax) throw error;
        }
        if (failures >= this.#deps.options.applyAttemptsMax) {
          const why = "Too many writers apply to this segment at once. Try again a little later.";
          throw new StoreError("overloaded", why, { effect: "committed", retryAfterMs: 1_000 });
        }
        // The first time somebody else was faster: what he wrote may be all that was wanted.
        if (failures > 1) await backOff(this.#deps, failures);
      }
    } catch (error) {
      if (!isDeleted(error))
        this.#deps.logger.warn("a segment cannot be applied for now", { segment: queue.segment, error });
      queue.fail(error);
    } finally {
      queue.running = false;
      this.#dropIdle(queue.segment);
    }
  }

  /**
   * A segment that has just failed skips the permits: it would wait behind all that hang, and it takes no permit from
   * segments that are well.
   */
  #inTurn(queue: SegmentQueue): Promise<Step> {
    const step = (): Promise<Step> => this.health.watch(queue.segment, () => this.#step(queue));
    return queue.isSuspect ? step() : this.#deps.workers.run(step);
  }

  /**
   * The contradiction may come from an old picture of the log: a record that is no longer pending may have been trimmed
   * since.
   */
  async #isOutdated(queue: SegmentQueue): Promise<boolean> {
    const { forgotten } = queue;
    const before = [...queue.items];
    await this.#deps.refreshPending();
    return queue.forgotten > forgotten || before.some((item) => !queue.items.includes(item));
  }

  /**
   * One try to get further. `overtaken`: somebody else's write came between. `unheard`: what comes next is of a record
   * that this instance has not heard of.
   */
  async #step(queue: SegmentQueue): Promise<Step> {
    const cached = this.#heads.get(queue.segment);
    const physical = cached ?? (await (this.#prepared.get(queue.segment) ?? this.#readHead(queue.segment)));
    this.#reached(queue, physical.head);
    if (!queue.isWanted) return "moved";
    const run = queue.runAfter(physical.head.transactionNumber, this.#deps.options.batchOperations - 2);
    if (run.length === 0) {
      this.#heads.delete(queue.segment);
      return cached === undefined ? "unheard" : this.#step(queue);
    }
    return (await this.#apply(queue, physical, run)) ? "moved" : "overtaken";
  }

  async #apply(queue: SegmentQueue, physical: PhysicalHead, candidates: readonly PendingItem[]): Promise<boolean> {
    const first = candidates.find(({ index }) => index !== undefined)?.transaction.firstSequence;
    const block = await this.#blocks.make(first ?? physical.head.lastSequence + 1, candidates);
    const partition = segmentPartition(this.#space, queue.segment);
    let head = physical.head;
    const used: Write[] = [];
    const producers = new Map<string, ProducerState>();
    for (const { record, transaction } of block.run) {
      const place = placeOf(record.summary, transaction);
      head = advance(head, place);
      if (transaction.keyed)
        used.push({ kind: "upsert", row: transactionRow(transaction.id), properties: encodeTransactionRow(place) });
      const moved = movedProducer(place);
      if (moved !== undefined) producers.set(producerRow(moved.id), moved.state);
    }
    for (const [row, state] of producers) used.push({ kind: "upsert", row, properties: encodeProducer(state) });
    // Where no entries come, the last one stays.
    const lastEntry = block.properties === undefined ? await this.#lastEntry(partition, physical) : block.lastEntry;
    const properties = encodeSegmentHead(head, lastEntry);
    const row = segmentHeadRow(partition);
    const { etag } = physical;
    const { clock, telemetry } = this.#deps;
    const startedAt = clock.elapsed();
    const writes: Write[] = [
      etag === undefined ? { kind: "insert", row, properties } : { kind: "replace", row, properties, ifMatch: etag },
    ];
    if (block.properties !== undefined)
      writes.push({ kind: "insert", row: blockRow(head.lastSequence), properties: block.properties });
    const result = await this.#deps.table.submit(partition, [...writes, ...used]);
    const outcome = result.kind === "done" ? "applied" : "overtaken";
    const seconds = (clock.elapsed() - startedAt) / 1_000;
    telemetry.record("streamkit.apply.duration", seconds, { "streamkit.apply.outcome": outcome });
    if (result.kind === "refused") {
      this.#heads.delete(queue.segment);
      return false;
    }
    this.#heads.set(queue.segment, { etag: result.etags[0], head });
    this.#reached(queue, head);
    return true;
  }

  /**
   * The last entry that the stored head has. If the head was written since, the transaction that this is for fails by
   * its ETag.
   */
  async #lastEntry(partition: string, { etag, head }: PhysicalHead): Promise<Entry | undefined> {
    if (etag === undefined || head.lastSequence < head.firstSequence) return undefined;
    const { row } = await this.#deps.table.get(partition, segmentHeadRow(partition));
    return row?.etag === etag ? lastEntryOf(row) : undefined;
  }

  async #readHead(segment: SegmentName): Promise<PhysicalHead> {
    const partition = segmentPartition(this.#space, segment);
    const { row } = await this.#deps.table.get(partition, segmentHeadRow(partition), { select: headProperties });
    const physical =
      row === undefined ? { etag: undefined, head: emptySegment } : { etag: row.etag, head: decodeSegmentHead(row) };
    this.#heads.set(segment, physical);
    return physical;
  }

  /** A stored head was seen or written: whatever it covers is applied, also what nobody here waits for. */
  #reached(queue: SegmentQueue, head: SegmentHead): void {
    for (const record of queue.reached(head)) this.#finish(record);
  }

  #finish(record: PendingRecord): void {
    if (!record.isDone || !this.#records.has(record.summary.timestamp)) return;
    this.forget(record);
    this.#deps.onDone(record);
  }

  #queueOf(segment: SegmentName): SegmentQueue {
    const known = this.#queues.get(segment);
    if (known !== undefined) return known;
    const queue = new SegmentQueue(segment);
    this.#queues.set(segment, queue);
    return queue;
  }

  #dropIdle(segment: SegmentName): void {
    if (this.#queues.get(segment)?.isIdle === true) this.#queues.delete(segment);
  }
}
