// Tells of a space's applied records: which segments moved, and to where. At once when the space was quiet, then one
// message a pause, with the latest status of each segment that moved meanwhile.
//
// Promise: a record counts as told when each of its segments was told at the record's place or beyond. Until then the
// log's head lists it, so that the monitor tells of it when this instance dies, or its queue fails. Nothing waits for a
// message.

import { segmentFields } from "../../../core/logger.ts";
import type { Logger } from "../../../core/logger.ts";
import type { SegmentStatus } from "../../../core/entry.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import type { Appender } from "../append/appender.ts";
import type { DoneList, LogState } from "../append/log-state.ts";
import type { Applier } from "../apply/applier.ts";
import { isPending } from "../rows/pending.ts";
import type { RecordSummary } from "../rows/log-rows.ts";
import { hasEntries } from "../rows/log-rows.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import type { Instance } from "./instance.ts";

/** Spaces whose message waits for its turn, and records of one space: a queue that hangs must not fill the memory. */
const spacesWaitingMax = 256;
const recordsWaitingMax = 256;

export interface NotificationsDeps {
  readonly store: StoreId;
  readonly space: SpaceName;
  readonly instance: Pick<Instance, "clock" | "notifications" | "notifier" | "options">;
  readonly applier: Pick<Applier, "headOf">;
  readonly appender: Pick<Appender, "settleLater" | "wake">;
  readonly done: DoneList;
  readonly state: Pick<LogState, "version">;
  readonly logger: Logger;
}

/**
 * Of the records that were to be told: all are, or the notifier did not take their statuses, or some could not be told
 * for another reason.
 */
export type Told = "notified" | "queue_failed" | "left";

export class Notifications {
  readonly #deps: NotificationsDeps;
  #sentAt = -Infinity;
  #isSending = false;
  #cancelPause: (() => void) | undefined;
  #closed = false;

  constructor(deps: NotificationsDeps) {
    this.#deps = deps;
  }

  /** Whether something is to be told soon. */
  get isBusy(): boolean {
    return this.#isSending || this.#cancelPause !== undefined;
  }

  /** The record is applied: sends its notification soon. If there is no room, the monitor sends it. */
  add(record: RecordSummary): void {
    const { done, instance } = this.#deps;
    if (instance.notifier === undefined || this.#closed) return;
    if (done.untold.length >= recordsWaitingMax || instance.notifications.waiting >= spacesWaitingMax) return;
    done.untold.push(record);
    this.#next();
  }

  /** The monitor sends the rest. */
  close(): void {
    this.#closed = true;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** Sends the notifications that are still due. Records whose message could not be sent stay listed. */
  async tell(records: readonly RecordSummary[]): Promise<Told> {
    const { appender, done, instance, space, store } = this.#deps;
    const { notifier } = instance;
    const due = records.filter((record) => this.#isDue(record));
    if (notifier === undefined || due.length === 0) return "notified";
    const heads = await this.#headsOf(due);
    const tellable = due.filter(({ transactions }) => transactions.every(({ segment }) => heads.has(segment)));
    if (tellable.length > 0) {
      const statuses = statusesOf(space, tellable, heads);
      try {
        if (statuses.length > 0) await notifier.notify({ store, space, statuses });
      } catch (error) {
        this.#warn(tellable, error);
        return "queue_failed";
      }
      for (const { timestamp } of tellable) done.notified.add(timestamp);
      appender.settleLater();
    }
    return tellable.length === due.length ? "notified" : "left";
  }

  /** One message at a time: what comes while it is on its way is in the next. */
  #next(): void {
    const { done, instance } = this.#deps;
    const { clock, options } = instance;
    if (this.#closed || this.isBusy || done.untold.length === 0) return;
    const leftMs = this.#sentAt + options.notificationPauseMs - clock.elapsed();
    if (leftMs <= 0) {
      void this.#tellWaiting();
      return;
    }
    this.#cancelPause = clock.after(leftMs, () => {
      this.#cancelPause = undefined;
      this.#next();
    });
  }

  async #tellWaiting(): Promise<void> {
    const { appender, done, instance } = this.#deps;
    this.#isSending = true;
    await instance.notifications.run(() => {
      this.#sentAt = instance.clock.elapsed();
      return this.tell(done.untold.splice(0));
    });
    this.#isSending = false;
    appender.wake();
    this.#next();
  }

  #isDue({ timestamp }: RecordSummary): boolean {
    const unnotified = this.#deps.state.version?.head.unnotified;
    return unnotified !== undefined && isPending(unnotified, timestamp);
  }

  /** Without those that cannot be read: they cost the others nothing. */
  async #headsOf(records: readonly RecordSummary[]): Promise<ReadonlyMap<SegmentName, SegmentHead>> {
    const segments = new Set(records.flatMap(({ transactions }) => transactions.map(({ segment }) => segment)));
    const heads = new Map<SegmentName, SegmentHead>();
    await Promise.all(
      [...segments].map(async (segment) => {
        try {
          heads.set(segment, await this.#deps.applier.headOf(segment));
        } catch (error) {
          const untold = records.filter(({ transactions }) => transactions.some((one) => one.segment === segment));
          this.#warn(untold, error);
        }
      }),
    );
    return heads;
  }

  #warn(records: readonly RecordSummary[], error: unknown): void {
    const segments = records.flatMap(({ transactions }) => transactions.map(({ segment }) => segment));
    this.#deps.logger.warn("a status notification was not sent; the monitor will", {
      timestamp: records[0]?.timestamp,
      records: records.length,
      ...segmentFields([...new Set(segments)]),
      error,
    });
  }
}

/** How far the records brought each segment; they may be in any order. */
function statusesOf(
  space: SpaceName,
  records: readonly RecordSummary[],
  heads: ReadonlyMap<SegmentName, SegmentHead>,
): SegmentStatus[] {
  const statuses = new Map<SegmentName, SegmentStatus>();
  for (const { timestamp, transactions } of records) {
    // One that only changes a stream leaves the status as it was.
    for (const { segment, lastSequence } of transactions.filter(hasEntries)) {
      const head = heads.get(segment);
      if (head === undefined || lastSequence < (statuses.get(segment)?.lastSequence ?? 0)) continue;
      // It may have been trimmed beyond this record by now.
      const firstSequence = Math.min(head.firstSequence, lastSequence + 1);
      const { firstTimestamp } = head;
      statuses.set(segment, {
        ...{ space, segment, firstSequence, firstTimestamp },
        ...{ lastSequence, lastTimestamp: timestamp },
      });
    }
  }
  return [...statuses.values()];
}
