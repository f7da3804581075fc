// Time and chance come in from outside, so that a simulation can replay both.

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
