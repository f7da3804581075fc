// One space as an instance writes it: appends, applies, notifies, and answers callers by what the log and the segments say.

import type { Ack } from "../../store.ts";
import type { SegmentStatus } from "../../../core/entry.ts";
import {
  leaseSuperseded,
  sequenceMismatch,
  StoreError,
  transactionIdMismatch,
  unreachable,
} from "../../../core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import { segmentFields, withFields } from "../../../core/log.ts";
import type { Table } from "../../../table/port.ts";
import { Appender } from "../append/appender.ts";
import { Applier } from "../apply/applier.ts";
import { DoneList } from "../append/done-list.ts";
import { asStoreError } from "../instance/failure.ts";
import type { Intent, IntentOutcome, PartResult } from "../append/intent.ts";
import type { PendingItem, PendingRecord } from "../apply/lane.ts";
import { LogReader } from "../log/log-reader.ts";
import { LogState } from "../append/log-state.ts";
import { isPending } from "../rows/pending.ts";
import { findHolder } from "../append/holder.ts";
import { IntentQueue, WaitingIntent } from "../append/queue.ts";
import { Registration } from "../log/registration.ts";
import { ServiceClock } from "../../../table/service-clock.ts";
import type { InstanceParts, SpaceParts } from "../append/space-parts.ts";
import { WriterTurns } from "../append/turns.ts";
import { ViewLoader } from "../append/view-loader.ts";

export interface Produced {
  readonly duplicate: boolean;
  /** In the order of the intent's parts. */
  readonly parts: readonly PartResult[];
}

/** Notifications that wait for their turn, over all spaces: a queue that hangs must not fill the memory. */
const notificationsWaitingMax = 256;

export class SpaceWriter {
  readonly parts: SpaceParts;
  readonly appender: Appender;
  readonly #listeners = new Set<() => void>();
  #active = 0;

  constructor(instance: InstanceParts, store: StoreId, space: SpaceName, table: Table) {
    const { clock, compressor, node, options, random, telemetry, workers } = instance;
    const log = withFields(instance.log, { store, space });
    const reader = new LogReader(table, space, compressor);
    const applier = new Applier(space, {
      table,
      reader,
      compressor,
      clock,
      random,
      log,
      telemetry,
      workers,
      heads: instance.heads.forSpace(),
      options,
      refreshPending: () => this.appender.refresh(),
      onDone: (record) => this.#onDone(record),
    });
    const state = new LogState(applier, instance.views.forSpace(), options);
    const wake = (): void => this.appender.wake();
    const queue = new IntentQueue(clock, options, { mayBeInLog: (intent) => state.mayHold(intent), onLeft: wake });
    this.parts = {
      ...instance,
      log,
      store,
      space,
      table,
      reader,
      applier,
      state,
      queue,
      loader: new ViewLoader({
        space,
        table,
        state,
        applier,
        queue,
        clock,
        random,
        refresh: () => this.appender.refresh(),
        wake,
      }),
      registration: new Registration(instance.registry, store, space),
      serviceClock: new ServiceClock(clock),
      turns: new WriterTurns(clock, random, node, options.otherWritersMs),
      done: new DoneList(),
      notifies: instance.notifier !== undefined,
    };
    this.appender = new Appender(this.parts, () => {
      for (const listener of this.#listeners) listener();
    });
  }

  /** Nothing is under way or may land, and nobody listens: it may be dropped and made again. */
  get isIdle(): boolean {
    return this.#active === 0 && this.#listeners.size === 0 && !this.appender.isBusy && !this.appender.mayLand;
  }

  /** Calls back after each commit to the space that this instance makes or learns of. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Commits all parts, or throws why not, with the effect. */
  async produce(intent: Intent, ack: Ack, signal: AbortSignal | undefined): Promise<Produced> {
    this.#active += 1;
    try {
      const { clock, options } = this.parts;
      const startedAt = clock.elapsed();
      const outcome = await this.#append(intent, signal);
      const produced = await this.#decided(intent, outcome);
      if (ack === "applied") {
        const leftMs = Math.max(1_000, options.produceTimeoutMs - (clock.elapsed() - startedAt));
        await this.#applied(intent, produced, leftMs);
      }
      return produced;
    } finally {
      this.#active -= 1;
    }
  }

  close(): void {
    this.appender.close();
  }

  async #append(intent: Intent, signal: AbortSignal | undefined): Promise<IntentOutcome> {
    const waiting = new WaitingIntent(intent);
    const { queue } = this.parts;
    // What was sent is not called back; what was not is taken out.
    const onAbort = (): void => {
      if (waiting.mayBeInLog) return;
      queue.fail(
        waiting,
        new StoreError("overloaded", "The caller went away before the produce was sent.", { cause: signal?.reason }),
      );
    };
    const down = intent.parts.filter(({ segment }) => this.#needsAsking(segment));
    // Not a turn of the loop is lost where all is well: who asks at the same time is in the same group.
    if (down.length > 0) await Promise.allSettled(down.map(({ segment }) => this.parts.applier.prove(segment)));
    this.appender.append(waiting);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await waiting.outcome;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Who comes after a segment has healed finds it well: one that was down is asked, unless somebody does. */
  #needsAsking(segment: SegmentName): boolean {
    const { health } = this.parts.applier;
    return health.isDown(segment) && !health.isAsked(segment);
  }

  async #decided(intent: Intent, outcome: IntentOutcome): Promise<Produced> {
    switch (outcome.kind) {
      case "committed":
        return outcome;
      case "conflict":
        return this.#conflict(outcome);
      case "id_mismatch":
        throw transactionIdMismatch(intent.id);
      case "fenced":
        throw leaseSuperseded(intent.lease?.key ?? "", outcome.token, intent.lease?.token ?? 0);
      case "failed":
        throw outcome.error;
      default:
        return unreachable(outcome);
    }
  }

  /** The sequences are taken or do not follow: says by whom, where somebody has them. */
  async #conflict(conflict: Extract<IntentOutcome, { kind: "conflict" }>): Promise<never> {
    const { segment, expected, received, lastSequence } = conflict;
    const { applier, compressor, space, table } = this.parts;
    let { winner } = conflict;
    if (winner === undefined && received <= lastSequence) {
      const pendingIn = (name: SegmentName): readonly PendingItem[] => applier.pendingIn(name);
      try {
        winner = await findHolder({ table, compressor, space, pendingIn }, segment, received);
      } catch (error) {
        throw asStoreError(error, "none");
      }
    }
    throw sequenceMismatch({ segment, expected, received, lastSequence, winner });
  }

  async #applied(intent: Intent, produced: Produced, timeoutMs: number): Promise<void> {
    const { applier, clock } = this.parts;
    let cancel = (): void => undefined;
    const expired = new Promise<never>((_, reject) => {
      cancel = clock.after(timeoutMs, () =>
        reject(
          new StoreError(
            "overloaded",
            "Committed, but not applied in time. Repeat it with the same transaction id to learn when it is.",
            {
              effect: "committed",
              retryAfterMs: 1_000,
            },
          ),
        ),
      );
    });
    try {
      const applied = intent.parts.flatMap(({ segment }, index) => {
        const part = produced.parts[index];
        return part === undefined ? [] : [applier.ensure(segment, part.place.lastSequence)];
      });
      await Promise.race([Promise.all(applied), expired]);
    } catch (error) {
      // The storage has gone back: it is not known any more.
      if (error instanceof StoreError && error.effect === "unknown") throw error;
      throw asStoreError(error, "committed");
    } finally {
      cancel();
    }
  }

  #onDone(record: PendingRecord): void {
    const { serviceClock, telemetry } = this.parts;
    const pendingMs = Math.max(0, serviceClock.now() - record.summary.timestamp);
    telemetry.record("streamkit.apply.delay", pendingMs / 1_000);
    this.parts.done.applied.add(record.summary.timestamp);
    this.appender.settleLater();
    // Who committed it tells of it; when that instance is gone, or the queue is slower than the commits, the monitor does.
    const isTold = record.isOwn && this.parts.notifications.waiting < notificationsWaitingMax;
    if (isTold) void this.parts.notifications.run(() => this.notify(record)).then(() => this.appender.wake());
    this.appender.wake();
  }

  /**
   * Tells the record's statuses, if that is still due. Otherwise the record stays listed for it: `queue_failed` when the
   * notifier did not take them, `left` when they could not be told for another reason.
   */
  async notify(record: Pick<PendingRecord, "summary">): Promise<"told" | "queue_failed" | "left"> {
    const { applier, done, log, notifier, space, state, store } = this.parts;
    const { timestamp, transactions } = record.summary;
    const unnotified = state.version?.head.unnotified;
    if (notifier === undefined || unnotified === undefined || !isPending(unnotified, timestamp)) {
      return "told";
    }
    let isAtQueue = false;
    try {
      const last = new Map(transactions.map((transaction) => [transaction.segment, transaction.lastSequence]));
      const statuses = await Promise.all(
        [...last].map(async ([segment, lastSequence]): Promise<SegmentStatus> => {
          const firstTimestamp = await applier.firstTimestamp(segment);
          return { space, segment, firstSequence: 1, firstTimestamp, lastSequence, lastTimestamp: timestamp };
        }),
      );
      isAtQueue = true;
      await notifier.notify({ store, space, statuses });
      done.notified.add(timestamp);
      this.appender.settleLater();
      return "told";
    } catch (error) {
      const segments = segmentFields(transactions.map(({ segment }) => segment));
      log.warn("a status notification was not sent; the monitor will", { timestamp, ...segments, error });
      return isAtQueue ? "queue_failed" : "left";
    }
  }
}
