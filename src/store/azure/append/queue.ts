// The produces that wait for their commit in one space of one instance: in order, bounded, each with a deadline. And
// how much room the log's list of pending records has for them.

import type { Clock } from "../../../core/clock.ts";
import type { Effect } from "../../../core/errors.ts";
import { StoreError } from "../../../core/errors.ts";
import type { SegmentName, TransactionId } from "../../../core/ids.ts";
import { asStoreError } from "../instance/failure.ts";
import type { Grant, AppendRequest, AppendOutcome } from "./append-request.ts";
import type { Applier } from "../apply/applier.ts";
import type { AzureStoreOptions } from "../instance/options.ts";

/** A request in the queue; its promise resolves with the outcome, once. */
export class WaitingAppend implements AppendRequest {
  readonly id: AppendRequest["id"];
  readonly keyed: boolean;
  readonly lease: AppendRequest["lease"];
  grant: Grant | undefined;
  readonly parts: AppendRequest["parts"];
  readonly bytes: number;
  readonly outcome: Promise<AppendOutcome>;
  /**
   * It is part of an attempt whose outcome is open, or another call's with its id has landed: nobody may say that it
   * did not happen.
   */
  mayBeInLog = false;
  /** Its segment was ahead of the log as it was known then; and how often the log had been caught up with by then. */
  ahead: { readonly timestamp: number; readonly catchUps: number } | undefined;
  /** The last failure of the storage that kept it waiting. */
  trouble: unknown;
  #resolve: (outcome: AppendOutcome) => void = () => undefined;

  constructor(request: AppendRequest) {
    this.id = request.id;
    this.keyed = request.keyed;
    this.lease = request.lease;
    this.parts = request.parts;
    this.bytes = request.parts.reduce((sum, part) => sum + part.plainBytes, 0);
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  resolve(outcome: AppendOutcome): void {
    this.#resolve(outcome);
  }
}

export interface QueueBounds {
  readonly queuedProducesMax: number;
  readonly queuedBytesMax: number;
}

/**
 * The share of the bounds that the produces to one segment may take, so that one that cannot move leaves room for its
 * neighbours.
 */
const segmentShare = 0.25;

interface Load {
  readonly produces: number;
  readonly bytes: number;
}

export interface QueueHooks {
  /** Whether what another call sent under the request's id is in the log, or may get there. */
  readonly mayBeInLog: (request: AppendRequest) => boolean;
  /** A request was answered and is in the queue no more. */
  readonly onLeft: () => void;
}

const noLoad: Load = { produces: 0, bytes: 0 };

export class AppendQueue {
  readonly #waiting = new Map<WaitingAppend, () => void>();
  readonly #clock: Clock;
  readonly #bounds: QueueBounds;
  readonly #hooks: QueueHooks;
  readonly #bySegment = new Map<SegmentName, Load>();
  #bytes = 0;

  constructor(clock: Clock, bounds: QueueBounds, hooks: QueueHooks) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#hooks = hooks;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get waiting(): Iterable<WaitingAppend> {
    return this.#waiting.keys();
  }

  has(request: WaitingAppend): boolean {
    return this.#waiting.has(request);
  }

  /** `overloaded` when the space, or one of the segments, has too much waiting already. */
  add(request: WaitingAppend, timeoutMs: number): void {
    if (this.#exceeds({ produces: this.#waiting.size, bytes: this.#bytes }, request.bytes, 1)) {
      throw this.#tooMuch(request, "Too many produces wait in this space on this instance. Try again a little later.");
    }
    for (const { segment, plainBytes } of request.parts) {
      if (!this.#exceeds(this.#bySegment.get(segment) ?? noLoad, plainBytes, segmentShare)) continue;
      throw this.#tooMuch(
        request,
        "Too many produces wait for this segment on this instance. Try again a little later.",
      );
    }
    this.#count(request, 1);
    this.#waiting.set(
      request,
      this.#clock.after(timeoutMs, () => this.fail(request, request.trouble ?? expired(timeoutMs))),
    );
  }

  /** Takes the request out and then answers it; nothing when it has been answered. */
  resolve(request: WaitingAppend, outcome: AppendOutcome): void {
    const cancel = this.#waiting.get(request);
    if (cancel === undefined) return;
    cancel();
    this.#waiting.delete(request);
    this.#count(request, -1);
    request.resolve(outcome);
    this.#hooks.onLeft();
  }

  /** The storage failed those who wait, or those who wait for the segment; it is tried again. */
  troubled(error: unknown, segment?: SegmentName): void {
    for (const request of this.#waiting.keys()) {
      if (segment === undefined || request.parts.some((part) => part.segment === segment)) request.trouble = error;
    }
  }

  /** Ends it with the error, which then says what may have become of it. */
  fail(request: WaitingAppend, error: unknown): void {
    this.resolve(request, { kind: "failed", error: asStoreError(error, this.effectOf(request)) });
  }

  failAll(error: unknown): void {
    for (const request of [...this.#waiting.keys()]) this.fail(request, error);
  }

  /**
   * The effect to report if the request fails: whether this instance has sent something under its id that is in the
   * log, or may get there.
   */
  effectOf(request: WaitingAppend): Effect {
    return request.mayBeInLog || this.#hooks.mayBeInLog(request) ? "unknown" : "none";
  }

  /** These have landed: whoever waits with the id of one of them waits for what is in the log. */
  landed(requests: Iterable<AppendRequest>): void {
    const segmentOf = new Map<TransactionId, SegmentName>();
    for (const { id, keyed, parts } of requests)
      if (keyed && parts[0] !== undefined) segmentOf.set(id, parts[0].segment);
    if (segmentOf.size === 0) return;
    for (const waiting of this.#waiting.keys()) {
      const landed = segmentOf.get(waiting.id);
      waiting.mayBeInLog ||= landed !== undefined && waiting.parts.some(({ segment }) => segment === landed);
    }
  }

  /** The error of a request that is not taken in because its segment's storage does not answer. */
  stuck(request: WaitingAppend, segment: SegmentName): StoreError {
    const message = `The storage of segment ${JSON.stringify(segment.slice(0, 100))} does not answer for now. Try again a little later.`;
    return new StoreError("storage_unavailable", message, { effect: this.effectOf(request), retryAfterMs: 1_000 });
  }

  #tooMuch(request: WaitingAppend, message: string): StoreError {
    return new StoreError("overloaded", message, { effect: this.effectOf(request), retryAfterMs: 1_000 });
  }

  /** Alone, anything may wait. */
  #exceeds(load: Load, bytes: number, share: number): boolean {
    const { queuedBytesMax, queuedProducesMax } = this.#bounds;
    if (load.produces === 0) return false;
    return load.produces >= queuedProducesMax * share || load.bytes + bytes > queuedBytesMax * share;
  }

  #count(request: WaitingAppend, sign: 1 | -1): void {
    this.#bytes += sign * request.bytes;
    for (const { segment, plainBytes } of request.parts) {
      const { produces, bytes } = this.#bySegment.get(segment) ?? noLoad;
      const load = { produces: produces + sign, bytes: bytes + sign * plainBytes };
      if (load.produces > 0) this.#bySegment.set(segment, load);
      else this.#bySegment.delete(segment);
    }
  }
}

function expired(timeoutMs: number): StoreError {
  return new StoreError(
    "overloaded",
    `The produce was not committed within ${timeoutMs} ms. Try again a little later.`,
    { retryAfterMs: 1_000 },
  );
}

// How much room is left in a log's list of pending records, and which segments may still take of it.
//
// Promise: what waits for segments that do not answer may take half of the list. The other half is for segments that
// have answered since then, and the fuller it is, the more lately: so segments that fail together, however many and
// however well they were before, leave it alone.

/** From this part of the list on only segments are let in that have answered since. */
const crowdedFrom = 1 / 2;
/** It is no longer crowded below this part: at the edge nobody is asked over and over. */
const crowdedUntil = 1 / 4;
/** How long an answer says that the segment is well, with the whole rest free, and at its end; milliseconds. */
const answerSaysMs = 30_000;
/** Enough to commit after having asked. */
const answerSaysAtLeastMs = 1_000;

export class Room {
  readonly #applier: Applier;
  readonly #clock: Clock;
  readonly #options: AzureStoreOptions;
  #unsettled = 0;
  #crowdedSince: number | undefined;

  constructor(applier: Applier, clock: Clock, options: AzureStoreOptions) {
    this.#applier = applier;
    this.#clock = clock;
    this.#options = options;
  }

  /** The list has so many records that are not known to be done. */
  count(unsettled: number): void {
    this.#unsettled = unsettled;
    const most = this.#options.pendingPerLogMax;
    if (unsettled < most * crowdedUntil) this.#crowdedSince = undefined;
    if (unsettled >= most * crowdedFrom) this.#crowdedSince ??= this.#clock.elapsed();
  }

  /** Nothing more may be committed. */
  get isTaken(): boolean {
    return this.#unsettled >= this.#options.pendingPerLogMax;
  }

  /** The segment takes no more for now; it is to be brought up, or asked. */
  isFull(segment: SegmentName): boolean {
    const { health } = this.#applier;
    if (health.isDown(segment)) return true;
    const unapplied = this.#applier.unappliedIn(segment);
    const since = this.#crowdedSince;
    if (since === undefined) return unapplied >= this.#options.pendingPerSegmentMax;
    const most = this.#options.pendingPerLogMax;
    const left = Math.min(1, (most - this.#unsettled) / (most * (1 - crowdedFrom)));
    const lately = this.#clock.elapsed() - Math.max(answerSaysAtLeastMs, answerSaysMs * left);
    return unapplied >= 1 || !health.hasAnsweredSince(segment, Math.max(since, lately));
  }
}
