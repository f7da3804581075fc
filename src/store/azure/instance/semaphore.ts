// Bounds how much runs at the same time, in the order of asking; and wakes those who wait for a change.
//
// With patience, work that takes longer than usual gives its permit to the next and goes on beside the others: what
// hangs holds up its own caller, not those behind it, as long as not too much of it hangs.

import type { Clock } from "../../../core/clock.ts";

export interface Patience {
  readonly clock: Clock;
  /** How long a permit lasts, milliseconds. */
  readonly permitMs: number;
  /** How many go on without one, at the most; beyond, permits last until the work ends. */
  readonly besideMax: number;
  /** A permit was given up, and nobody waited for it. */
  readonly onFree?: () => void;
}

/** Gives the permit back; to be called once. */
export type Leave = () => void;

export class Semaphore {
  readonly #patience: Patience | undefined;
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #beside = 0;

  constructor(permits: number, patience?: Patience) {
    this.#free = permits;
    this.#patience = patience;
  }

  /** How many wait for a permit. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Nobody may begin now. */
  get isFull(): boolean {
    return this.#free === 0;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  async enter(): Promise<Leave> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#begin();
  }

  /** Without waiting; undefined when nobody may begin now. */
  tryEnter(): Leave | undefined {
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    return this.#begin();
  }

  #begin(): Leave {
    if (this.#patience === undefined) return () => this.#next();
    const { besideMax, clock, onFree, permitMs } = this.#patience;
    let hasPermit = true;
    const cancel = clock.after(permitMs, () => {
      if (this.#beside >= besideMax) return;
      hasPermit = false;
      this.#beside += 1;
      this.#next();
      if (this.#free > 0) onFree?.();
    });
    return () => {
      cancel();
      if (hasPermit) this.#next();
      else this.#beside -= 1;
    };
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** Wakes those who wait for the next change. */
export class Signal {
  #resolve: () => void = () => undefined;
  #next: Promise<void> | undefined;

  /** Resolves at the next `fire`, also at one that comes before it is awaited. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }

  fire(): void {
    this.#next = undefined;
    this.#resolve();
  }
}
