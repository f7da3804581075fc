// What one instance takes on at the same time. Beyond it callers are told to come back: those who work already are not slowed.

import { StoreError } from "../core/errors.ts";

/** A sum with a bound: bytes, or connections. */
export class Budget {
  readonly #what: string;
  readonly max: number;
  #used = 0;

  constructor(what: string, max: number) {
    this.#what = what;
    this.max = max;
  }

  /** `overloaded` when it would be more than the bound. */
  take(amount: number): void {
    if (this.#used + amount > this.max) {
      throw new StoreError("overloaded", `This instance has its fill of ${this.#what}.`, { retryAfterMs: 1_000 });
    }
    this.#used += amount;
  }

  give(amount: number): void {
    this.#used -= amount;
  }

  get used(): number {
    return this.#used;
  }
}
