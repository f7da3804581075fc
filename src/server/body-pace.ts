// How long a caller may take to send a body: time that it is waited for, never time that the storage takes.
//
// Promise: a body that stalls, or trickles, is given up after a stated time, so that what is held of it is given back.

import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";

export interface BodyTimes {
  /** A body that brings less than `paceBytes` in so long has stalled. */
  readonly stallMs: number;
  /** A whole body. */
  readonly wholeMs: number;
}

/** What a caller that is not stalled sends in the time of a stall: less than any modem does. */
export const paceBytes = 64 * 1024;

export class BodyPace {
  readonly #clock: Clock;
  readonly #times: BodyTimes;
  #waitedMs = 0;
  #windowMs = 0;
  #windowBytes = 0;

  constructor(clock: Clock, times: BodyTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  /** What is read, unless it takes too long: then `request_timeout`, and whatever is still read is nobody's. */
  async wait<T>(read: Promise<T>): Promise<T> {
    const { stallMs, wholeMs } = this.#times;
    const startedAt = this.#clock.elapsed();
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.after(Math.min(stallMs - this.#windowMs, wholeMs - this.#waitedMs), () => {
      late.reject(tooSlow(this.#times));
    });
    try {
      return await Promise.race([read, late.promise]);
    } finally {
      cancel();
      const ms = this.#clock.elapsed() - startedAt;
      this.#waitedMs += ms;
      this.#windowMs += ms;
    }
  }

  /** So much came. */
  count(bytes: number): void {
    this.#windowBytes += bytes;
    if (this.#windowBytes < paceBytes) return;
    this.#windowBytes = 0;
    this.#windowMs = 0;
  }
}

function tooSlow({ stallMs, wholeMs }: BodyTimes): StoreError {
  const [stall, whole] = [stallMs / 1_000, wholeMs / 1_000];
  return new StoreError(
    "request_timeout",
    `The body came too slowly: expected ${paceBytes / 1_024} KiB or its end within ${stall} seconds, and all of it within ${whole}.`,
    { retryAfterMs: 1_000 },
  );
}
