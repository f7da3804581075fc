// Time that passes only when a test says so.

import type { Clock } from "../src/core/clock.ts";

export class VirtualClock implements Clock {
  #now: number;
  #elapsed = 0;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  constructor(now = Date.UTC(2030, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return Math.floor(this.#now);
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#elapsed + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` pass: timers fire in their order, each followed by all the microtasks it causes. */
  async pass(ms: number): Promise<void> {
    await settled();
    const end = this.#elapsed + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#advanceTo(Math.max(due.at, this.#elapsed));
      due.callback();
      await settled();
    }
    this.#advanceTo(end);
  }

  #advanceTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

/** After every microtask that is due. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
