// Reads what the waiting produces need to know: their segments' heads, and what their ids were used for.
//
// A segment that cannot be read fails the produces to it and no others.

import type { Clock, Random } from "../../core/clock.ts";
import { sleep } from "../../core/clock.ts";
import type { SegmentName, SpaceName } from "../../core/ids.ts";
import type { Table } from "../../table/port.ts";
import { asStoreError, isTransient } from "./failure.ts";
import type { Applier } from "./applier.ts";
import type { Intent } from "./intent.ts";
import { segmentHeadRow, segmentPartition, transactionRow } from "./keys.ts";
import type { LogState } from "./log-state.ts";
import type { IntentQueue } from "./queue.ts";
import { decodeSegmentHead, decodeTransactionRow, emptySegment, headProperties } from "./segment-rows.ts";
import type { SegmentView } from "./segment-view.ts";

/** Reads of one space's writer that are under way at the same time. */
const readsMax = 64;
/** And of one segment, so that one that does not answer leaves some to its neighbours. */
const readsPerSegmentMax = 16;

export interface ViewLoaderDeps {
  readonly space: SpaceName;
  readonly table: Table;
  readonly state: LogState;
  readonly applier: Applier;
  readonly queue: IntentQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Something was read. */
  readonly wake: () => void;
}

export class ViewLoader {
  readonly #deps: ViewLoaderDeps;
  readonly #lookups = new Set<string>();
  readonly #readsOf = new Map<SegmentName, number>();
  #reads = 0;

  constructor(deps: ViewLoaderDeps) {
    this.#deps = deps;
  }

  /** Starts the reads that are missing, as of the version that the state has now. */
  load(intents: Iterable<Intent>): void {
    for (const intent of intents) {
      for (const part of intent.parts) {
        if (this.#reads >= readsMax) return;
        if (this.#readsIn(part.segment) >= readsPerSegmentMax) continue;
        const view = this.#deps.state.view(part.segment) ?? this.#open(part.segment);
        if (intent.keyed && !view.knows(intent.id)) this.#lookUp(part.segment, intent, view);
      }
    }
  }

  /** Those of which all is known, in their order. */
  ready<I extends Intent>(intents: Iterable<I>): I[] {
    const { state } = this.#deps;
    return [...intents].filter((intent) =>
      intent.parts.every((part) => {
        const view = state.view(part.segment);
        return view?.state !== undefined && (!intent.keyed || view.knows(intent.id));
      }),
    );
  }

  #open(segment: SegmentName): SegmentView {
    const { applier, state } = this.#deps;
    const view = state.openView(segment);
    if (state.version?.head.count === 0) {
      // A log without records has no segments.
      applier.observe(segment, { etag: undefined, head: emptySegment });
      view.loaded(emptySegment);
      return view;
    }
    this.#began(segment);
    void this.#guard(this.#readHead(segment, view), segment, view).then(() => this.#ended(segment));
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

  #lookUp(segment: SegmentName, intent: Intent, view: SegmentView): void {
    const key = `${intent.id} ${segment}`;
    if (this.#lookups.has(key)) return;
    this.#lookups.add(key);
    this.#began(segment);
    void this.#guard(this.#readTransaction(segment, intent, view), segment, view).then(() => {
      this.#lookups.delete(key);
      this.#ended(segment);
    });
  }

  async #readTransaction(segment: SegmentName, intent: Intent, view: SegmentView): Promise<void> {
    const { row } = await this.#deps.table.get(segmentPartition(this.#deps.space, segment), transactionRow(intent.id));
    view.foundById(intent.id, row === undefined ? "absent" : decodeTransactionRow(row, intent.id));
  }

  async #guard(read: Promise<void>, segment: SegmentName, view: SegmentView): Promise<void> {
    try {
      await read;
    } catch (error) {
      this.#deps.state.dropView(segment, view);
      // The read is repeated, after a while, as long as its produces wait; one that cannot succeed ends them.
      if (isTransient(error)) {
        this.#deps.queue.troubled(error, segment);
        await sleep(this.#deps.clock, 50 + 150 * this.#deps.random.fraction());
      } else {
        this.#failed(segment, error);
      }
    }
  }

  #failed(segment: SegmentName, error: unknown): void {
    const { queue } = this.#deps;
    for (const intent of [...queue.waiting]) {
      if (!intent.parts.some((part) => part.segment === segment)) continue;
      queue.settle(intent, { kind: "failed", error: asStoreError(error, intent.mayBeInLog ? "unknown" : "none") });
    }
  }

  #readsIn(segment: SegmentName): number {
    return this.#readsOf.get(segment) ?? 0;
  }

  #began(segment: SegmentName): void {
    this.#reads += 1;
    this.#readsOf.set(segment, this.#readsIn(segment) + 1);
  }

  #ended(segment: SegmentName): void {
    this.#reads -= 1;
    const left = this.#readsIn(segment) - 1;
    if (left > 0) this.#readsOf.set(segment, left);
    else this.#readsOf.delete(segment);
    this.#deps.wake();
  }
}
