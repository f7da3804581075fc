// The limits of what one instance takes on at the same time, and how much of it one caller or one store may have.
// Beyond them callers are told to come back, so that running work is not slowed.
//
// Promise: a caller that takes more than its share stops itself, not others. A part of the whole is kept for callers
// that need little.

import { StoreError } from "../core/errors.ts";

export interface Shares {
  /** The share of the whole that one caller, and one store, may have, percent. */
  readonly callerPercent: number;
  readonly storePercent: number;
  /**
   * A percentage of the whole that stays free for callers that hold no more than `bytes`, when others have taken all
   * they may.
   */
  readonly kept?: { readonly percent: number; readonly bytes: number };
}

/** The caller of a request, and its store. */
export interface Caller {
  readonly caller: string;
  /** Undefined: it is about no store. */
  readonly store: string | undefined;
}

const undivided: Shares = { callerPercent: 100, storePercent: 100 };
const retryAfterMs = 1_000;

/** A sum with a bound: bytes, or connections. */
export class Budget {
  readonly #what: string;
  readonly #shares: Shares;
  readonly #kept: number;
  readonly #byCaller = new Map<string, number>();
  readonly #byStore = new Map<string, number>();
  readonly max: number;
  #used = 0;

  constructor(what: string, max: number, shares: Shares = undivided) {
    this.#what = what;
    this.#shares = shares;
    this.max = max;
    this.#kept = ((shares.kept?.percent ?? 0) / 100) * max;
  }

  /** Opens a holding for one request; it is empty at first. */
  open(caller: Caller): Holding {
    return new Holding(this, caller);
  }

  /** The most that one request can ever hold. */
  get largest(): number {
    const { callerPercent, storePercent, kept } = this.#shares;
    const most = Math.min(this.max - this.#kept, this.#part(callerPercent), this.#part(storePercent));
    return Math.max(1, Math.floor(most), Math.min(this.max, kept?.bytes ?? 0));
  }

  get used(): number {
    return this.#used;
  }

  /** How many callers and stores hold something. */
  get holders(): number {
    return this.#byCaller.size + this.#byStore.size;
  }

  /** Why the holder, who has `held`, may not have `amount` more; undefined when it may. */
  refusal({ caller, store }: Caller, held: number, amount: number): StoreError | undefined {
    const { callerPercent, storePercent, kept } = this.#shares;
    // A caller that holds little may use the kept part beyond every bound.
    const more = held + amount <= (kept?.bytes ?? 0) ? this.#kept : 0;
    const what = this.#what;
    if (this.#used + amount > this.max - this.#kept + more) {
      return new StoreError("overloaded", `This instance is at its limit for ${what}.`, { retryAfterMs });
    }
    if ((this.#byCaller.get(caller) ?? 0) + amount > this.#part(callerPercent) + more) {
      const message = `This caller uses its whole share of this instance's ${what}, ${callerPercent} percent.`;
      return new StoreError("throttled", message, { retryAfterMs });
    }
    if (store !== undefined && (this.#byStore.get(store) ?? 0) + amount > this.#part(storePercent) + more) {
      const message = `This store uses its whole share of this instance's ${what}, ${storePercent} percent.`;
      return new StoreError("throttled", message, { retryAfterMs });
    }
    return undefined;
  }

  /** Unconditionally; an amount below zero gives back. */
  count({ caller, store }: Caller, amount: number): void {
    this.#used += amount;
    add(this.#byCaller, caller, amount);
    if (store !== undefined) add(this.#byStore, store, amount);
  }

  #part(percent: number): number {
    return (percent / 100) * this.max;
  }
}

/** The part of a budget that one request holds. */
export class Holding {
  readonly #budget: Budget;
  readonly #caller: Caller;
  #held = 0;

  constructor(budget: Budget, caller: Caller) {
    this.#budget = budget;
    this.#caller = caller;
  }

  get held(): number {
    return this.#held;
  }

  /** The most that may be held here at all. */
  get largest(): number {
    return this.#budget.largest;
  }

  /** `throttled` beyond the caller's or the store's share, `overloaded` beyond the whole. */
  take(amount: number): void {
    const refusal = this.#budget.refusal(this.#caller, this.#held, amount);
    if (refusal !== undefined) throw refusal;
    this.#count(amount);
  }

  give(amount: number): void {
    this.#count(-amount);
  }

  /** Gives back all that is held. */
  close(): void {
    this.#count(-this.#held);
  }

  #count(amount: number): void {
    if (amount === 0) return;
    this.#held += amount;
    this.#budget.count(this.#caller, amount);
  }
}

/** Only those who hold something are remembered. */
function add(sums: Map<string, number>, name: string, amount: number): void {
  const sum = (sums.get(name) ?? 0) + amount;
  if (sum === 0) sums.delete(name);
  else sums.set(name, sum);
}
