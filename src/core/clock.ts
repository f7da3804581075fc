// Time and chance come in from outside, so that a simulation can replay both; and the service's time, as its answers
// tell it.

import type { TransactionId } from "./ids.ts";

export interface Clock {
  /** This machine's wall clock, milliseconds since 1970. May be wrong and may step back. */
  now(): number;
  /** Milliseconds on a clock that only moves forward: for durations and deadlines. */
  elapsed(): number;
  /** Calls back once after `ms`, unless cancelled by the function it returns. */
  after(ms: number, callback: () => void): () => void;
}

export interface Random {
  /** A fresh UUID in lower case. */
  uuid(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

/** Waits `ms`; rejects with the signal's reason when that aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** A UUID for a new transaction. */
export function newTransactionId(random: Random): TransactionId {
  return random.uuid() as TransactionId;
}

// The clock that timestamps come from: this machine's, unless the service's differs from it by more than a little.

/** The service tells whole seconds, and an answer takes its time: a smaller difference means nothing. */
const toleratedMs = 5_000;

export class ServiceClock {
  readonly #clock: Clock;
  /** The service's time when this machine's `elapsed` was 0: it stays right when somebody sets this machine's clock. */
  #startedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The service's time, as an answer that has just come tells it. */
  learn(serviceTime: number): void {
    this.#startedAt = serviceTime - this.#clock.elapsed();
  }

  now(): number {
    const now = this.#clock.now();
    if (this.#startedAt === undefined) return now;
    const service = Math.round(this.#startedAt + this.#clock.elapsed());
    return Math.abs(service - now) > toleratedMs ? service : now;
  }
}
