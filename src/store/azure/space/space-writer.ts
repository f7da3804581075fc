// One space as an instance writes it: appends, applies, notifies, and answers callers by what the log and the segments
// say.

import type { Ack } from "../../store.ts";
import type { StreamAnswer } from "../../stream-rules.ts";
import { streamRefused } from "../../stream-rules.ts";
import {
  leaseSuperseded,
  sequenceMismatch,
  StoreError,
  transactionIdMismatch,
  unreachable,
} from "../../../core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import { withFields } from "../../../core/logger.ts";
import type { Logger } from "../../../core/logger.ts";
import type { Table } from "../../../table/port.ts";
import { Appender } from "../append/appender.ts";
import { catchUp } from "../append/catch-up.ts";
import { buildAttempt, LogWrites } from "../append/commit.ts";
import { Applier } from "../apply/applier.ts";
import { DoneList, LogState } from "../append/log-state.ts";
import { restoreRecords } from "../append/restore.ts";
import type { RestoredRecord, RestoreOutcome } from "../../restoring.ts";
import { asStoreError } from "../instance/failure.ts";
import { heldTable } from "../instance/held-table.ts";
import type { AppendRequest, AppendOutcome, SegmentAppended } from "../append/append-request.ts";
import type { PendingItem, PendingRecord } from "../apply/segment-queue.ts";
import { LogReader } from "../log/log-reader.ts";
import { findWinner } from "../append/winner.ts";
import { AppendQueue, WaitingAppend } from "../append/queue.ts";
import { Registration } from "../log/registration.ts";
import { ServiceClock } from "../../../core/clock.ts";
import type { Instance } from "./instance.ts";
import { Notifications } from "./notifications.ts";
import { WriterTurns } from "../append/turns.ts";
import { ViewLoader } from "../append/view-loader.ts";

export interface Produced {
  readonly duplicate: boolean;
  /** In the order of the request's parts. */
  readonly parts: readonly SegmentAppended[];
}

/** Nothing was written, for the reason that the answer gives. */
export interface StreamAnswered {
  readonly kind: "stream";
  readonly answer: StreamAnswer;
  readonly lastSequence: number;
}

export class SpaceWriter {
  readonly store: StoreId;
  readonly space: SpaceName;
  readonly logger: Logger;
  /** Whether records are to be notified. */
  readonly notifies: boolean;
  readonly reader: LogReader;
  readonly state: LogState;
  readonly done = new DoneList();
  readonly applier: Applier;
  readonly appender: Appender;
  readonly notifications: Notifications;
  readonly #instance: Instance;
  readonly #table: Table;
  readonly #queue: AppendQueue;
  readonly #writes: LogWrites;
  readonly #registration: Registration;
  readonly #serviceClock: ServiceClock;
  readonly #listeners = new Set<() => void>();
  #active = 0;

  constructor(instance: Instance, store: StoreId, space: SpaceName, table: Table) {
    const { clock, compressor, node, options, random, telemetry, workers } = instance;
    this.store = store;
    this.space = space;
    this.notifies = instance.notifier !== undefined;
    this.#instance = instance;
    const held = heldTable(table, instance.standing(store), { space });
    this.#table = held;
    this.#serviceClock = new ServiceClock(clock);
    const logger = withFields(instance.logger, { store, space });
    this.logger = logger;
    // The log itself says of its space that it was deleted, and what became of what was sent before.
    const reader = new LogReader(table, space, compressor);
    this.reader = reader;
    const refresh = (): Promise<void> => this.appender.refresh();
    const wake = (): void => this.appender.wake();
    const applier = new Applier(space, {
      ...{ table: held, reader, compressor, clock, random, logger, telemetry, workers, options },
      heads: instance.heads.forSpace(),
      refreshPending: refresh,
      onDone: (record) => this.#onDone(record),
    });
    this.applier = applier;
    const state = new LogState(applier, instance.views.forSpace(), options);
    this.state = state;
    const queue = new AppendQueue(clock, options, { mayBeInLog: (request) => state.mayHold(request), onLeft: wake });
    this.#queue = queue;
    const turns = new WriterTurns(clock, random, node, options.otherWritersMs);
    const { done, notifies } = this;
    const serviceClock = this.#serviceClock;
    const known = { reader, state, applier, done, turns, serviceClock, options, logger, telemetry };
    const writes = new LogWrites(heldTable(table, instance.standing(store), { space, commits: true }), reader);
    const registration = new Registration(instance.registry, store, space);
    this.#writes = writes;
    this.#registration = registration;
    this.appender = new Appender({
      ...known,
      ...{ space, queue, clock, random, notifies },
      ...{ writes, registration },
      readHead: () => reader.readHead(),
      loader: new ViewLoader({ space, table: held, state, applier, queue, clock, random, refresh, wake }),
      buildAttempt: (version, timestamp, members) =>
        buildAttempt({ space, node, compressor, random, options }, version, timestamp, members),
      catchUp: () => catchUp(known),
      onCommit: () => {
        for (const listener of this.#listeners) listener();
      },
    });
    const { appender } = this;
    this.notifications = new Notifications({ store, space, instance, applier, appender, done, state, logger });
  }

  /** Nothing is under way or may land, and nobody listens: it may be dropped and made again. */
  get isIdle(): boolean {
    const { appender, notifications } = this;
    const isBusy = appender.isBusy || appender.mayLand || notifications.isBusy;
    return this.#active === 0 && this.#listeners.size === 0 && !isBusy;
  }

  /** Calls back after each commit to the space that this instance makes or learns of. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Commits all parts, or throws why not, with the effect. */
  async produce(request: AppendRequest, ack: Ack, signal: AbortSignal | undefined): Promise<Produced> {
    const produced = await this.change(request, ack, signal);
    if ("answer" in produced) throw streamRefused(produced.answer);
    return produced;
  }

  /** The same for a request with wishes, which a stream may answer. */
  async change(request: AppendRequest, ack: Ack, signal: AbortSignal | undefined): Promise<Produced | StreamAnswered> {
    this.#active += 1;
    try {
      const { clock, options } = this.#instance;
      const startedAt = clock.elapsed();
      const outcome = await this.#append(request, signal);
      if (outcome.kind === "stream") return outcome;
      const produced = await this.#decided(request, outcome);
      if (ack === "applied") {
        const leftMs = Math.max(1_000, options.produceTimeoutMs - (clock.elapsed() - startedAt));
        await this.#applied(request, produced, leftMs);
        return { ...produced, parts: produced.parts.map((part, index) => this.#asStored(request, part, index)) };
      }
      return produced;
    } finally {
      this.#active -= 1;
    }
  }

  /** Applies what the log's head, read from now on, lists as pending: to the segment, or to all of the space's. */
  async applyPending(segment?: SegmentName): Promise<void> {
    this.#active += 1;
    try {
      await this.appender.refresh();
      const last = segment === undefined ? undefined : this.applier.pendingIn(segment).at(-1);
      if (segment !== undefined && last !== undefined) await this.applier.ensure(segment, last.transaction.number);
      if (segment !== undefined) return;
      // One that cannot be applied holds up none but what comes after it.
      await Promise.allSettled([...this.applier.pendingRecords].map((record) => this.applier.ensureRecord(record)));
      await this.appender.settle();
    } finally {
      this.#active -= 1;
    }
  }

  /**
   * Brings the segment up to what the log has up to the timestamp; false: the log has not come to it. What this
   * instance knows of the log may be enough: every record up to there is known then, and those that are not applied are
   * pending here.
   */
  async bringUp(segment: SegmentName, through: number): Promise<boolean> {
    this.#active += 1;
    try {
      const { appender, applier, state } = this;
      const isThere = (): boolean => (state.version?.head.timestamp ?? 0) >= through;
      if (!isThere()) await appender.refresh();
      if (!isThere()) return false;
      const last = applier.pendingIn(segment).findLast(({ record }) => record.summary.timestamp <= through);
      if (last !== undefined) await applier.ensure(segment, last.transaction.number);
      return true;
    } finally {
      this.#active -= 1;
    }
  }

  /** Commits records of a backup, with their own times, and applies them. */
  async restore(records: readonly RestoredRecord[], signal: AbortSignal | undefined): Promise<RestoreOutcome> {
    this.#active += 1;
    try {
      const { applier, reader, space } = this;
      const { clock, compressor, random } = this.#instance;
      const [table, writes, registration] = [this.#table, this.#writes, this.#registration];
      const applyPending = (): Promise<void> => this.applyPending();
      const deps = { space, table, reader, writes, registration, applier, compressor, clock, random, applyPending };
      return await restoreRecords({ ...deps, signal }, records);
    } finally {
      this.#active -= 1;
    }
  }

  close(): void {
    this.appender.close();
    this.notifications.close();
  }

  /** Where the segment begins is known from its stored head, since it is applied: views know nothing of trims. */
  #asStored({ parts }: AppendRequest, appended: SegmentAppended, index: number): SegmentAppended {
    const segment = parts[index]?.segment;
    const head = segment === undefined ? undefined : this.applier.knownHead(segment);
    if (head === undefined || head.transactionNumber < appended.place.number) return appended;
    const { firstSequence, firstTimestamp } = head;
    return { ...appended, firstSequence, firstTimestamp };
  }

  async #append(request: AppendRequest, signal: AbortSignal | undefined): Promise<AppendOutcome> {
    const waiting = new WaitingAppend(request);
    const queue = this.#queue;
    // A request that was sent cannot be called back; one that was not is taken out.
    const onAbort = (): void => {
      if (waiting.mayBeInLog) return;
      queue.fail(
        waiting,
        new StoreError("overloaded", "The caller went away before the produce was sent.", { cause: signal?.reason }),
      );
    };
    const down = request.parts.filter(({ segment }) => this.#needsAsking(segment));
    // Not a turn of the loop is lost where all is well: who asks at the same time is in the same group.
    if (down.length > 0) await Promise.allSettled(down.map(({ segment }) => this.applier.prove(segment)));
    this.appender.append(waiting);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await waiting.outcome;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * A segment that was down is asked whether it is well, unless somebody asks already, so that the next caller finds it
   * well.
   */
  #needsAsking(segment: SegmentName): boolean {
    const { health } = this.applier;
    return health.isDown(segment) && !health.isAsked(segment);
  }

  async #decided(request: AppendRequest, outcome: Exclude<AppendOutcome, { kind: "stream" }>): Promise<Produced> {
    switch (outcome.kind) {
      case "committed":
        return outcome;
      case "conflict":
        return this.#conflict(outcome);
      case "id_mismatch":
        throw transactionIdMismatch(request.id);
      case "fenced":
        throw leaseSuperseded(request.lease?.key ?? "", outcome.token, request.lease?.token ?? 0);
      case "failed":
        throw outcome.error;
      default:
        return unreachable(outcome);
    }
  }

  /** The sequences are taken or do not follow: says by whom, where somebody has them. */
  async #conflict(conflict: Extract<AppendOutcome, { kind: "conflict" }>): Promise<never> {
    const { segment, expected, received, lastSequence } = conflict;
    const { applier, space } = this;
    const { compressor } = this.#instance;
    let { winner } = conflict;
    if (winner === undefined && received <= lastSequence) {
      const pendingIn = (name: SegmentName): readonly PendingItem[] => applier.pendingIn(name);
      try {
        winner = await findWinner({ table: this.#table, compressor, space, pendingIn }, segment, received);
      } catch (error) {
        throw asStoreError(error, "none");
      }
    }
    throw sequenceMismatch({ segment, expected, received, lastSequence, winner });
  }

  async #applied(request: AppendRequest, produced: Produced, timeoutMs: number): Promise<void> {
    const { applier } = this;
    const { clock } = this.#instance;
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
      const applied = request.parts.flatMap(({ segment }, index) => {
        const part = produced.parts[index];
        return part === undefined ? [] : [applier.ensure(segment, part.place.number)];
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
    const { telemetry } = this.#instance;
    const pendingMs = Math.max(0, this.#serviceClock.now() - record.summary.timestamp);
    telemetry.record("streamkit.apply.delay", pendingMs / 1_000);
    this.done.applied.add(record.summary.timestamp);
    this.appender.settleLater();
    // The instance that committed a record notifies of it.
    if (record.isOwn) this.notifications.add(record.summary);
    this.appender.wake();
  }
}

/**
 * The writers of the spaces that an instance writes: one a space, made when it is needed, dropped when it is idle and
 * the longest unused.
 */
export class SpaceWriters {
  readonly #instance: Instance;
  /** Longest unused first. */
  readonly #writers = new Map<string, SpaceWriter>();

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  get(store: StoreId, space: SpaceName, table: Table): SpaceWriter {
    const key = `${store} ${space}`;
    const known = this.#writers.get(key);
    const writer = known ?? new SpaceWriter(this.#instance, store, space, table);
    this.#writers.delete(key);
    this.#writers.set(key, writer);
    if (known === undefined) this.#dropIdle(writer);
    return writer;
  }

  /** Ends what only time would end: what is pending is left to the monitor. */
  close(store: StoreId): void {
    for (const [key, writer] of this.#writers) {
      if (writer.store !== store) continue;
      writer.close();
      this.#writers.delete(key);
    }
  }

  closeAll(): void {
    for (const writer of this.#writers.values()) writer.close();
    this.#writers.clear();
  }

  /** `wanted` is about to be used: two writers of one space would not know what the other has sent. */
  #dropIdle(wanted: SpaceWriter): void {
    let excess = this.#writers.size - this.#instance.options.spaceCacheMax;
    for (const [key, writer] of this.#writers) {
      if (excess <= 0) return;
      if (writer === wanted || !writer.isIdle) continue;
      this.#writers.delete(key);
      excess -= 1;
    }
  }
}
