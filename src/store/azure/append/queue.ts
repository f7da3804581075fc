// The produces that wait for their commit in one space of one instance: in order, bounded, each with a deadline.

import type { Clock } from "../../../core/clock.ts";
import type { Effect } from "../../../core/errors.ts";
import { StoreError } from "../../../core/errors.ts";
import type { SegmentName, TransactionId } from "../../../core/ids.ts";
import { asStoreError } from "../instance/failure.ts";
import type { Grant, Intent, IntentOutcome } from "./intent.ts";

/** An intent in the queue; its promise resolves with the outcome, once. */
export class WaitingIntent implements Intent {
  readonly id: Intent["id"];
  readonly keyed: boolean;
  readonly lease: Intent["lease"];
  grant: Grant | undefined;
  readonly parts: Intent["parts"];
  readonly bytes: number;
  readonly outcome: Promise<IntentOutcome>;
  /** It is part of an attempt whose outcome is open, or another call's with its id has landed: nobody may say that it did not happen. */
  mayBeInLog = false;
  /** What its segment has and the log, as far as it was known, had not; and how often the log had been caught up with by then. */
  ahead: { readonly timestamp: number; readonly catchUps: number } | undefined;
  /** The last failure of the storage that kept it waiting. */
  trouble: unknown;
  #settle: (outcome: IntentOutcome) => void = () => undefined;

  constructor(intent: Intent) {
    this.id = intent.id;
    this.keyed = intent.keyed;
    this.lease = intent.lease;
    this.parts = intent.parts;
    this.bytes = intent.parts.reduce((sum, part) => sum + part.plainBytes, 0);
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  settle(outcome: IntentOutcome): void {
    this.#settle(outcome);
  }
}

export interface QueueBounds {
  readonly queuedProducesMax: number;
  readonly queuedBytesMax: number;
}

/** Of the bounds: what the produces to one segment may take, so that one that cannot move leaves room for its neighbours. */
const segmentShare = 0.25;

interface Load {
  readonly produces: number;
  readonly bytes: number;
}

export interface QueueHooks {
  /** Whether what another call sent under the intent's id is in the log, or may get there. */
  readonly mayBeInLog: (intent: Intent) => boolean;
  /** An intent was answered and is in the queue no more. */
  readonly onLeft: () => void;
}

const noLoad: Load = { produces: 0, bytes: 0 };

export class IntentQueue {
  readonly #waiting = new Map<WaitingIntent, () => void>();
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

  get waiting(): Iterable<WaitingIntent> {
    return this.#waiting.keys();
  }

  has(intent: WaitingIntent): boolean {
    return this.#waiting.has(intent);
  }

  /** `overloaded` when the space, or one of the segments, has too much waiting already. */
  add(intent: WaitingIntent, timeoutMs: number): void {
    if (this.#exceeds({ produces: this.#waiting.size, bytes: this.#bytes }, intent.bytes, 1)) {
      throw this.#tooMuch(intent, "Too many produces wait in this space on this instance. Try again a little later.");
    }
    for (const { segment, plainBytes } of intent.parts) {
      if (!this.#exceeds(this.#bySegment.get(segment) ?? noLoad, plainBytes, segmentShare)) continue;
      throw this.#tooMuch(
        intent,
        "Too many produces wait for this segment on this instance. Try again a little later.",
      );
    }
    this.#count(intent, 1);
    this.#waiting.set(
      intent,
      this.#clock.after(timeoutMs, () => this.fail(intent, intent.trouble ?? expired(timeoutMs))),
    );
  }

  /** Takes the intent out and then answers it; nothing when it has been answered. */
  settle(intent: WaitingIntent, outcome: IntentOutcome): void {
    const cancel = this.#waiting.get(intent);
    if (cancel === undefined) return;
    cancel();
    this.#waiting.delete(intent);
    this.#count(intent, -1);
    intent.settle(outcome);
    this.#hooks.onLeft();
  }

  /** The storage failed those who wait, or those who wait for the segment; it is tried again. */
  troubled(error: unknown, segment?: SegmentName): void {
    for (const intent of this.#waiting.keys()) {
      if (segment === undefined || intent.parts.some((part) => part.segment === segment)) intent.trouble = error;
    }
  }

  /** Ends it with the error, which then says what may have become of it. */
  fail(intent: WaitingIntent, error: unknown): void {
    this.settle(intent, { kind: "failed", error: asStoreError(error, this.effectOf(intent)) });
  }

  failAll(error: unknown): void {
    for (const intent of [...this.#waiting.keys()]) this.fail(intent, error);
  }

  /** What may be told of it when it fails: this instance has sent nothing under its id that is in the log or may get there, or it has. */
  effectOf(intent: WaitingIntent): Effect {
    return intent.mayBeInLog || this.#hooks.mayBeInLog(intent) ? "unknown" : "none";
  }

  /** These have landed: whoever waits with the id of one of them waits for what is in the log. */
  landed(intents: Iterable<Intent>): void {
    const segmentOf = new Map<TransactionId, SegmentName>();
    for (const { id, keyed, parts } of intents)
      if (keyed && parts[0] !== undefined) segmentOf.set(id, parts[0].segment);
    if (segmentOf.size === 0) return;
    for (const waiting of this.#waiting.keys()) {
      const landed = segmentOf.get(waiting.id);
      waiting.mayBeInLog ||= landed !== undefined && waiting.parts.some(({ segment }) => segment === landed);
    }
  }

  /** The error of an intent that is not taken in because its segment's storage does not answer. */
  stuck(intent: WaitingIntent, segment: SegmentName): StoreError {
    const message = `The storage of segment ${JSON.stringify(segment.slice(0, 100))} does not answer for now. Try again a little later.`;
    return new StoreError("storage_unavailable", message, { effect: this.effectOf(intent), retryAfterMs: 1_000 });
  }

  #tooMuch(intent: WaitingIntent, message: string): StoreError {
    return new StoreError("overloaded", message, { effect: this.effectOf(intent), retryAfterMs: 1_000 });
  }

  /** Alone, anything may wait. */
  #exceeds(load: Load, bytes: number, share: number): boolean {
    const { queuedBytesMax, queuedProducesMax } = this.#bounds;
    if (load.produces === 0) return false;
    return load.produces >= queuedProducesMax * share || load.bytes + bytes > queuedBytesMax * share;
  }

  #count(intent: WaitingIntent, sign: 1 | -1): void {
    this.#bytes += sign * intent.bytes;
    for (const { segment, plainBytes } of intent.parts) {
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
