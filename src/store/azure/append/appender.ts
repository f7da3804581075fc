// Appends to one space's log: the loop that commits what waits, in groups, one commit at a time.
//
// Every step is: know the log's version; know the segments of what waits; decide; send one entity-group transaction
// that replaces the log's head under its ETag and inserts one record. Success is the commit point. Anything else means
// `unknown` until the log itself tells (see `LogState`). If the process dies before the answer, the record is there or
// never will be; if after, it is pending in the head, and the next writer or the monitor applies it.

import { sleep } from "../../../core/clock.ts";
import type { Clock, Random, ServiceClock } from "../../../core/clock.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import type { Logger } from "../../../core/logger.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import { TableFailure } from "../../../table/port.ts";
import type { Applier } from "../apply/applier.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { answer, answerAhead, answerCommitted, answerUnknown, refuseEnded } from "./answers.ts";
import { isHidden } from "../rows/endings.ts";
import { isDeleted, isTransient } from "../instance/failure.ts";
import type { CaughtUp } from "./catch-up.ts";
import { nextHead, measureCommit, measureCommitted, settledHead } from "./commit.ts";
import { BackgroundApply } from "./background-apply.ts";
import type { LogVersion } from "../log/log-reader.ts";
import type { Registration } from "../log/registration.ts";
import type { DoneList, Attempt, LogState } from "./log-state.ts";
import type { RecordSummary } from "../rows/log-rows.ts";
import type { LogWrites } from "./commit.ts";
import type { AcceptedPart, Verdict } from "./plan.ts";
import { planBounds, planCommit } from "./plan.ts";
import type { AppendQueue, WaitingAppend } from "./queue.ts";
import type { WriterTurns } from "./turns.ts";
import type { ViewLoader } from "./view-loader.ts";
import { Room } from "./queue.ts";
import { Signal } from "../instance/semaphore.ts";

/** Attempts whose outcome is open, with what they hold. Beyond them nothing new is sent, only the last one again. */
const openAttemptsMax = 8;
/** A service, or something on the way to it, may ask for a longer pause; it is asked again all the same. */
const retryAfterMaxMs = 5_000;

export type SettleOutcome = "done" | "lost_race";

export interface AppenderDeps {
  readonly space: SpaceName;
  readonly writes: LogWrites;
  readonly readHead: () => Promise<LogVersion>;
  readonly registration: Pick<Registration, "registered">;
  /** The waiting requests, the knowledge of the log and its segments, and the finished work to write off. */
  readonly queue: AppendQueue;
  readonly state: LogState;
  readonly loader: Pick<ViewLoader, "isStuck" | "load" | "ready">;
  readonly applier: Applier;
  readonly done: DoneList;
  /** When to commit, beside other writers. */
  readonly turns: WriterTurns;
  readonly serviceClock: ServiceClock;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: AzureStoreOptions;
  /** Whether records are to be notified. */
  readonly notifies: boolean;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** The record that follows the version, under an id of its own. */
  readonly buildAttempt: (version: LogVersion, timestamp: number, members: Members) => Promise<Attempt>;
  /** Brings the state up to the log as it is now. */
  readonly catchUp: () => Promise<CaughtUp>;
  /** Called after each commit to the space that this instance makes or learns of. */
  readonly onCommit: () => void;
}

type Members = ReadonlyMap<WaitingAppend, readonly AcceptedPart[]>;
type Verdicts = ReadonlyMap<WaitingAppend, Verdict>;

const noVerdicts: Verdicts = new Map();

export class Appender {
  readonly #deps: AppenderDeps;
  readonly #changed = new Signal();
  #running = false;
  #closed = false;
  /** The version is known not to be the log's present one any more, or may not be. */
  #stale = false;
  #catchUps = 0;
  /** Answered when the state has caught up with a head that was read after they asked. */
  #refreshing: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #settleWanted = false;
  #settleWaiters: ((outcome: SettleOutcome) => void)[] = [];
  #settleTimer: (() => void) | undefined;
  #sentAt = -Infinity;
  readonly #background: BackgroundApply;
  readonly #room: Room;

  constructor(deps: AppenderDeps) {
    this.#deps = deps;
    this.#room = new Room(deps.applier, deps.clock, deps.options);
    this.#background = new BackgroundApply(
      deps,
      (segment) => this.#room.isFull(segment),
      () => this.refresh(),
      () => this.wake(),
    );
  }

  /** Whether something is waiting, running or to be settled. */
  get isBusy(): boolean {
    return this.#running || this.#deps.queue.size > 0 || this.#settleTimer !== undefined;
  }

  /** Something that was sent may still land: who forgot that would say of its repeat that nothing happened. */
  get mayLand(): boolean {
    const { clock, options, state } = this.#deps;
    return state.attempts.length > 0 && clock.elapsed() - this.#sentAt < options.landsWithinMs;
  }

  /**
   * Queues the request; its outcome is what the log says. Throws `overloaded` when too much waits, and
   * `storage_unavailable` when one of its segments is known not to answer: it would take a place, and only wait. Each
   * that is refused has its segment asked again.
   */
  append(request: WaitingAppend): void {
    const { applier, loader, options, queue, state } = this.#deps;
    for (const { segment } of request.parts) {
      if (!applier.health.isStuck(segment) && !loader.isStuck(segment)) continue;
      this.#background.waiting(request);
      if (state.version !== undefined) loader.load([request]);
      throw queue.stuck(request, segment);
    }
    queue.add(request, options.produceTimeoutMs);
    // Beside a commit that may be in flight: what it changes is folded into what is read.
    if (state.version !== undefined) loader.load([request]);
    this.wake();
  }

  /** Catches up with the log as it is now or later. */
  refresh(): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#refreshing.push({ resolve, reject }));
    this.wake();
    return done;
  }

  /** Writes off what is done, now, by a request of its own if need be. `lost_race`: another's write came first. */
  settle(): Promise<SettleOutcome> {
    this.#settleWanted = true;
    const tried = new Promise<SettleOutcome>((resolve) => this.#settleWaiters.push(resolve));
    this.wake();
    return tried;
  }

  /** Writes it off when no commit has done so for a while. */
  settleLater(): void {
    const { clock, options } = this.#deps;
    if (this.#closed) return;
    this.#settleTimer?.();
    this.#settleTimer = clock.after(options.settleDelayMs, () => {
      this.#settleTimer = undefined;
      this.#settleWanted = true;
      this.wake();
    });
  }

  /** Something changed that waiting produces may need. */
  wake(): void {
    this.#changed.fire();
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** No settling timer survives; what is pending is the monitor's. */
  close(): void {
    this.#closed = true;
    this.#settleTimer?.();
    this.#settleTimer = undefined;
  }

  #isWanted(): boolean {
    return this.#deps.queue.size > 0 || this.#refreshing.length > 0 || this.#settleWanted;
  }

  async #run(): Promise<void> {
    const { queue, logger, clock, random } = this.#deps;
    let failures = 0;
    while (this.#isWanted()) {
      const changed = this.#changed.next();
      try {
        if (!(await this.#step()) && this.#isWanted()) await changed;
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#stale = true;
        this.#settled("lost_race");
        for (const { reject } of this.#refreshing.splice(0)) reject(error);
        if (isTransient(error)) {
          queue.troubled(error);
        } else {
          if (!isDeleted(error)) logger.error("a space's log cannot be written for now", { error });
          queue.failAll(error);
        }
        const retryAfterMs = error instanceof TableFailure ? (error.retryAfterMs ?? 0) : 0;
        await sleep(
          clock,
          Math.max(
            Math.min(retryAfterMs, retryAfterMaxMs),
            Math.min(25 * 2 ** failures, 1_000) * (0.5 + random.fraction()),
          ),
        );
      }
    }
    this.#running = false;
  }

  /** One step ahead; false when there is nothing to do until something changes. */
  async #step(): Promise<boolean> {
    const { clock, state, queue, loader, registration, turns } = this.#deps;
    const mayBeBack = queue.size > 0 && isHidden(state.version?.head.ending);
    if (state.version === undefined || this.#stale || mayBeBack || this.#refreshing.length > 0) await this.#catchUp();
    if (refuseEnded(this.#deps, this.#deps.space)) return this.#settleIfWanted();
    // Beside the reads; whether it worked is told to the commit that needs it.
    if (queue.size > 0 && state.version !== undefined) registration.registered(state.version).catch(() => undefined);
    loader.load(queue.waiting);
    let ready = loader.ready(queue.waiting);
    if (ready.length === 0) return this.#settleIfWanted();
    const turn = turns.next();
    if (turn.kind === "wait") {
      await sleep(clock, turn.ms);
      // After the wait other requests may be ready, and the log may be another.
      this.#stale ||= turn.thenLook;
      return true;
    }
    // Requests that come at the same time join the same group.
    await Promise.resolve();
    loader.load(queue.waiting);
    ready = loader.ready(queue.waiting);
    const version = state.version;
    if (ready.length === 0 || version === undefined) return true;
    return this.#commit(version, ready);
  }

  async #commit(version: LogVersion, ready: readonly WaitingAppend[]): Promise<boolean> {
    const { done, serviceClock, state } = this.#deps;
    this.#room.count(done.unsettled(version.head));
    if (this.#room.isTaken) {
      this.#background.all();
      return this.#settleIfWanted();
    }
    const isFull = (segment: SegmentName): boolean => this.#room.isFull(segment);
    const timestamp = Math.max(serviceClock.now(), version.head.timestamp + 1);
    const verdicts = planCommit({
      requests: ready,
      view: (segment) => {
        const view = state.view(segment);
        if (view === undefined) throw new Error(`Segment ${segment} has no view.`);
        return view;
      },
      isFull,
      timestamp,
      logTimestamp: version.head.timestamp,
      fences: version.head.fences,
      bounds: planBounds,
    });
    const ahead = answerAhead(this.#deps, verdicts, this.#catchUps);
    if (ahead !== "none") {
      this.#stale ||= ahead === "log_unknown";
      return true;
    }
    answer(this.#deps, verdicts, "none");
    for (const [request, { kind }] of verdicts) {
      if (kind !== "wait" || !request.parts.some(({ segment }) => isFull(segment))) continue;
      this.#background.waiting(request);
    }
    const accepted = new Map<WaitingAppend, readonly AcceptedPart[]>();
    for (const [request, verdict] of verdicts) if (verdict.kind === "accept") accepted.set(request, verdict.parts);
    if (accepted.size > 0) {
      const last = state.attempts.length < openAttemptsMax ? undefined : state.attempts.at(-1);
      if (last !== undefined) return this.#transmit(version, last, noVerdicts);
      return this.#send(version, timestamp, accepted, verdicts);
    }
    const refused = [...verdicts].flatMap(([request, { kind }]) =>
      kind === "conflict" || kind === "not_granted" || kind === "stream" ? [request] : [],
    );
    if (refused.length > 0) {
      // An attempt that was accepted with a mate that waits no more may still land: sent again, it does or is refused.
      const open = state.attempts.find(({ members }) => refused.some((request) => members.has(request)));
      if (open !== undefined) return this.#transmit(version, open, noVerdicts);
      await this.#prove(version, verdicts);
      return true;
    }
    return [...verdicts.values()].some((verdict) => verdict.kind !== "wait") || this.#settleIfWanted();
  }

  async #send(version: LogVersion, timestamp: number, accepted: Members, verdicts: Verdicts): Promise<boolean> {
    const { buildAttempt, queue, registration, state } = this.#deps;
    const attempt = await buildAttempt(version, timestamp, accepted);
    await registration.registered(version);
    // A request that was answered meanwhile was told that nothing happened: then nothing of this may be sent.
    if ([...accepted.keys()].some((request) => !queue.has(request))) return true;
    state.sent(attempt);
    return this.#transmit(version, attempt, verdicts);
  }

  /** Also again: the same record under the same condition lands once at the most. */
  async #transmit(version: LogVersion, attempt: Attempt, verdicts: Verdicts): Promise<boolean> {
    const { applier, clock, done, notifies, options, state, telemetry, turns, writes } = this.#deps;
    const settling = done.snapshot();
    const unnotifiedListedMax = notifies ? options.unnotifiedListedMax : undefined;
    const head = nextHead(version.head, attempt, settling, unnotifiedListedMax, options);
    for (const { segment } of attempt.record.transactions) applier.prepare(segment);
    const startedAt = clock.elapsed();
    this.#sentAt = startedAt;
    const result = await writes.commit(version, head, attempt);
    if (result.kind === "refused") {
      measureCommit(telemetry, clock.elapsed() - startedAt, "lost_race");
      turns.lostRace();
      this.#stale = true;
      return true;
    }
    measureCommit(telemetry, clock.elapsed() - startedAt, "committed");
    turns.won(clock.elapsed() - startedAt);
    this.#deps.serviceClock.learn(result.serviceTime);
    const stored = { summary: attempt.record, writtenAt: result.serviceTime };
    done.remove(settling);
    this.#landed(state.advance({ etag: result.etags[0], head }, [stored]), [stored]);
    answer(this.#deps, verdicts, "commit");
    // This commit wrote off what was done: under a steady load nobody waits for a pause.
    this.#settled("done");
    return true;
  }

  /** Reads the head, and answers what requires it if it is still the version that the verdicts were decided on. */
  async #prove(version: LogVersion, verdicts: Verdicts): Promise<void> {
    const now = await this.#deps.readHead();
    if (now.etag === version.etag) answer(this.#deps, verdicts, "head");
    else this.#stale = true;
  }

  /** Own records that are in the log: their members are told, their segments brought up. */
  #landed(attempts: readonly Attempt[], records: readonly { readonly summary: RecordSummary }[]): void {
    const { applier, queue, telemetry, turns } = this.#deps;
    for (const { summary } of records) turns.seen(summary.node);
    for (const attempt of attempts) {
      const { members, record } = attempt;
      measureCommitted(telemetry, attempt);
      for (const { segment, number } of record.transactions) applier.ensure(segment, number).catch(() => undefined);
      answerCommitted(this.#deps, attempt);
      queue.landed(members.keys());
    }
    if (records.length > 0) this.#deps.onCommit();
  }

  async #catchUp(): Promise<void> {
    const asked = this.#refreshing;
    this.#refreshing = [];
    try {
      const { landed, records, unknown } = await this.#deps.catchUp();
      this.#landed(landed, records);
      answerUnknown(this.#deps, unknown);
      this.#stale = false;
      this.#catchUps += 1;
      for (const { resolve } of asked) resolve();
    } catch (error) {
      for (const { reject } of asked) reject(error);
      throw error;
    }
  }

  async #settleIfWanted(): Promise<boolean> {
    const { version } = this.#deps.state;
    if (!this.#settleWanted || version === undefined) return false;
    const outcome = await this.#settleNow(version);
    this.#settled(outcome === "lost_race" ? "lost_race" : "done");
    return outcome === "written";
  }

  /** Records whose settling lost its race are left to the next commit or the monitor. */
  #settled(outcome: SettleOutcome): void {
    this.#settleWanted = false;
    for (const resolve of this.#settleWaiters.splice(0)) resolve(outcome);
  }

  async #settleNow(version: LogVersion): Promise<"written" | "needless" | "lost_race"> {
    const { done, notifies, state, writes } = this.#deps;
    const settling = done.snapshot();
    // Where nobody is told, nobody waits to be told.
    const notified = notifies ? settling.notified : { records: settling.notified.records, through: Infinity };
    const head = settledHead(version.head, { ...settling, notified });
    if (this.#closed || isHidden(version.head.ending)) return "needless";
    if (version.etag === undefined || head === undefined) return "needless";
    const result = await writes.settle(version.etag, head);
    if (result.kind === "refused") {
      // Somebody committed: the next commit of this instance, or the monitor, writes it off.
      this.#stale = true;
      return "lost_race";
    }
    done.remove(settling);
    // Attempts under the former ETag can never land now.
    this.#landed(state.advance({ etag: result.etags[0], head }, []), []);
    return "written";
  }
}
