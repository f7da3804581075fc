// Reads what the waiting produces need to know: the heads of their segments, what their ids were used for, and the
// grants of their leases.
//
// A segment that cannot be read fails the produces to it and no others.

import type { Clock, Random } from "../../../core/clock.ts";
import { sleep } from "../../../core/clock.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../../core/ids.ts";
import type { Table } from "../../../table/port.ts";
import { isCorrupt, isTransient } from "../instance/failure.ts";
import type { Applier } from "../apply/applier.ts";
import { SegmentHealth } from "../apply/segment-health.ts";
import type { AppendRequest } from "./append-request.ts";
import { producerRow, segmentHeadRow, segmentPartition, transactionRow } from "../rows/keys.ts";
import { producerOf } from "./plan.ts";
import { decodeProducer } from "../rows/stream-rows.ts";
import type { LogState, SegmentView } from "./log-state.ts";
import type { AppendQueue, WaitingAppend } from "./queue.ts";
import { decodeSegmentHead, decodeTransactionRow, emptySegment, headProperties } from "../rows/segment-rows.ts";
import { Semaphore } from "../instance/semaphore.ts";
import { readLastToken } from "../../../lease/leases.ts";
import type { LogHead } from "../rows/log-rows.ts";

/**
 * Reads of one space's writer at the same time; one that takes longer than its permit lasts goes on beside the others.
 */
const readsMax = 64;
const readPermitMs = 100;
const readsBesideMax = 512;
/**
 * And of one segment, so that those that do not answer leave some to their neighbours: known, not known yet, just
 * failed.
 */
const readsPerSegmentMax = { known: 8, unknown: 2, suspect: 1 };

export interface ViewLoaderDeps {
  readonly space: SpaceName;
  readonly table: Table;
  readonly state: LogState;
  readonly applier: Applier;
  readonly queue: AppendQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Brings the state up to the log as it is. */
  readonly refresh: () => Promise<void>;
  /** Something was read. */
  readonly wake: () => void;
}

export class ViewLoader {
  readonly #deps: ViewLoaderDeps;
  readonly #lookups = new Set<string>();
  readonly #readsOf = new Map<SegmentName, number>();
  /** Segments whose last read has failed, and for whom somebody waits. */
  readonly #suspects = new Set<SegmentName>();
  readonly #permits: Semaphore;
  readonly #grants: GrantLoader;
  readonly #health: SegmentHealth;

  constructor(deps: ViewLoaderDeps) {
    this.#deps = deps;
    const { clock, wake: onFree } = deps;
    this.#grants = new GrantLoader(deps);
    this.#health = new SegmentHealth(clock);
    this.#permits = new Semaphore(readsMax, { clock, permitMs: readPermitMs, besideMax: readsBesideMax, onFree });
  }

  /** Its reads have not been answered for a while. */
  isStuck(segment: SegmentName): boolean {
    return this.#health.isStuck(segment);
  }

  /** Starts the reads that are missing, as of the version that the state has now. */
  load(waiting: Iterable<WaitingAppend>): void {
    const requests = [...waiting];
    this.#grants.load(requests);
    for (const request of requests) {
      for (const part of request.parts) {
        if (this.#permits.isFull) return;
        const { segment, wish } = part;
        const view = this.#deps.state.view(segment) ?? this.#open(segment);
        if (view === undefined) continue;
        const { id, keyed } = request;
        if (keyed && !view.knows(id)) this.#lookUp(segment, id, view, () => this.#readTransaction(segment, id, view));
        const producer = producerOf(wish);
        if (producer !== undefined && !view.knowsProducer(producer)) {
          this.#lookUp(segment, producer, view, () => this.#readProducer(segment, producer, view));
        }
      }
    }
  }

  /** The requests of which everything is known, in their order. */
  ready<I extends AppendRequest>(requests: Iterable<I>): I[] {
    const { state } = this.#deps;
    const head = state.version?.head;
    return [...requests].filter((request) => {
      if (head === undefined || !isGrantKnown(request, head)) return false;
      return request.parts.every((part) => {
        const view = state.view(part.segment);
        if (view?.state === undefined || (request.keyed && !view.knows(request.id))) return false;
        const producer = producerOf(part.wish);
        return producer === undefined || view.knowsProducer(producer);
      });
    });
  }

  /** Undefined: not yet, too much is being read. */
  #open(segment: SegmentName): SegmentView | undefined {
    const { applier, state } = this.#deps;
    if (state.version?.head.count === 0) {
      const view = state.openView(segment);
      // A log without records has no segments.
      applier.observe(segment, { etag: undefined, head: emptySegment });
      view.loaded(emptySegment);
      return view;
    }
    const end = this.#begin(segment, readsPerSegmentMax.unknown);
    if (end === undefined) return undefined;
    const view = state.openView(segment);
    void this.#guard(() => this.#readHead(segment, view), segment, view).then(end);
    return view;
  }

  async #readHead(segment: SegmentName, view: SegmentView): Promise<void> {
    const { applier, table } = this.#deps;
    const partition = segmentPartition(this.#deps.space, segment);
    const { row } = await table.get(partition, segmentHeadRow(partition), { select: headProperties });
    const head = row === undefined ? emptySegment : decodeSegmentHead(row);
    applier.observe(segment, { etag: row?.etag, head });
    view.loaded(head);
  }

  #lookUp(segment: SegmentName, what: string, view: SegmentView, read: () => Promise<void>): void {
    const key = `${what} ${segment}`;
    if (this.#lookups.has(key)) return;
    const end = this.#begin(segment, readsPerSegmentMax[view.state === undefined ? "unknown" : "known"]);
    if (end === undefined) return;
    this.#lookups.add(key);
    void this.#guard(read, segment, view).then(() => {
      this.#lookups.delete(key);
      end();
    });
  }

  async #readTransaction(segment: SegmentName, id: TransactionId, view: SegmentView): Promise<void> {
    const { row } = await this.#deps.table.get(segmentPartition(this.#deps.space, segment), transactionRow(id));
    view.foundById(id, row === undefined ? "absent" : decodeTransactionRow(row, id));
  }

  async #readProducer(segment: SegmentName, producer: string, view: SegmentView): Promise<void> {
    const { row } = await this.#deps.table.get(segmentPartition(this.#deps.space, segment), producerRow(producer));
    view.foundProducer(producer, row === undefined ? "absent" : decodeProducer(row));
  }

  async #guard(read: () => Promise<void>, segment: SegmentName, view: SegmentView): Promise<void> {
    const { state } = this.#deps;
    const { restarts } = state;
    try {
      try {
        await this.#health.watch(segment, read);
      } catch (error) {
        if (!isCorrupt(error)) throw error;
        // If something contradicts the segment, this instance's picture of the log may be out of date: read the log as
        // it is now.
        await this.#deps.refresh();
        if (state.restarts === restarts) throw error;
      }
      this.#suspects.delete(segment);
    } catch (error) {
      this.#deps.state.dropView(segment, view);
      // The read is repeated, after a while, as long as its produces wait; one that cannot succeed ends them.
      if (isTransient(error)) {
        this.#suspects.add(segment);
        this.#deps.queue.troubled(error, segment);
        await sleep(this.#deps.clock, 50 + 150 * this.#deps.random.fraction());
      } else {
        this.#failed(segment, error);
      }
    }
  }

  #failed(segment: SegmentName, error: unknown): void {
    const { queue } = this.#deps;
    for (const request of [...queue.waiting]) {
      if (!request.parts.some((part) => part.segment === segment)) continue;
      queue.fail(request, error);
    }
  }

  /** Undefined when so many reads are under way that this one has to wait; else what ends it. */
  #begin(segment: SegmentName, max: number): (() => void) | undefined {
    const reads = this.#readsOf.get(segment) ?? 0;
    if (reads >= (this.#suspects.has(segment) ? readsPerSegmentMax.suspect : max)) return undefined;
    const leave = this.#permits.tryEnter();
    if (leave === undefined) return undefined;
    this.#readsOf.set(segment, reads + 1);
    return () => {
      leave();
      const left = (this.#readsOf.get(segment) ?? 0) - 1;
      if (left > 0) {
        this.#readsOf.set(segment, left);
      } else {
        this.#readsOf.delete(segment);
        // The suspicion matters only while a request waits for the segment.
        if (this.#suspects.has(segment) && !this.#isWaitedFor(segment)) this.#suspects.delete(segment);
      }
      this.#deps.wake();
    };
  }

  #isWaitedFor(segment: SegmentName): boolean {
    for (const { parts } of this.#deps.queue.waiting) if (parts.some((part) => part.segment === segment)) return true;
    return false;
  }
}

// Reads which token of a lease was granted last, for the produces whose token the space does not know.
//
// A key that the space has no token of may have been dropped to make room: then nothing in the log tells of newer
// tokens that have written. So its token must be the last that was granted, as read when the log's version was known:
// whoever had written with a newer one by then was granted it before. As long as no key has been dropped since, later
// versions tell of all who wrote later.

export interface GrantLoaderDeps {
  readonly table: Table;
  readonly state: LogState;
  readonly queue: AppendQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Something was read. */
  readonly wake: () => void;
}

/**
 * Reads of grants by one space's writer at the same time; one that takes longer than its permit lasts goes on beside
 * the others.
 */
const grantReads = { permits: 16, permitMs: 1_000, besideMax: 64 };

export class GrantLoader {
  readonly #deps: GrantLoaderDeps;
  readonly #reading = new Set<WaitingAppend>();
  readonly #permits: Semaphore;

  constructor(deps: GrantLoaderDeps) {
    this.#deps = deps;
    const { clock, wake: onFree } = deps;
    const { permits, permitMs, besideMax } = grantReads;
    this.#permits = new Semaphore(permits, { clock, permitMs, besideMax, onFree });
  }

  /** Starts the reads that are missing, as of the version that the state has now. */
  load(requests: Iterable<WaitingAppend>): void {
    const head = this.#deps.state.version?.head;
    if (head === undefined) return;
    for (const request of requests) {
      if (isGrantKnown(request, head) || this.#reading.has(request)) continue;
      const leave = this.#permits.tryEnter();
      if (leave === undefined) return;
      this.#reading.add(request);
      void this.#read(request, head.droppedAt).then(() => {
        this.#reading.delete(request);
        leave();
        this.#deps.wake();
      });
    }
  }

  /** Dying in here leaves nothing behind: it only reads. */
  async #read(request: WaitingAppend, droppedAt: number): Promise<void> {
    const { clock, queue, random, table } = this.#deps;
    try {
      request.grant = { lastToken: await readLastToken(table, request.lease?.key ?? ""), droppedAt };
    } catch (error) {
      if (isTransient(error)) {
        // Repeated, after a while, as long as it waits.
        request.trouble = error;
        await sleep(clock, 50 + 150 * random.fraction());
      } else {
        queue.fail(request, error);
      }
    }
  }
}

/** Whether all is known that a plan against this head needs to judge the request's token. */
export function isGrantKnown({ grant, lease }: AppendRequest, { droppedAt, fences }: LogHead): boolean {
  if (lease === undefined) return true;
  const fence = fences.get(lease.key);
  if (fence !== undefined && lease.token <= fence) return true;
  return grant !== undefined && (fence !== undefined || grant.droppedAt === droppedAt);
}
