// The clock that timestamps come from: this machine's, unless the service's differs from it by more than a little.

import type { Clock } from "../core/clock.ts";

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
