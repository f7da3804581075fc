// How many deliveries an instance has under way at the same time: of one target, of one store, and in all.
//
// Promise: who asks is answered within its patience. Where all places are taken by deliveries that are known to be
// slow, nobody waits for them: a target that hangs takes its own places and no one's time.

import type { Clock } from "../core/clock.ts";

/** Deliveries to one target: more would only queue up there. */
const targetMax = 4;
/** How many places the hanging targets of one store may take: all others keep the rest of the instance. */
const storeMax = 16;
/** In all: each is a connection, some tens of KiB. */
const totalMax = 1_000;

export interface Slot {
  /** It takes longer than usual. */
  slow(): void;
  /** To be called once. */
  leave(): void;
}

interface Load {
  taken: number;
  slow: number;
}

interface Waiter {
  readonly store: string;
  readonly target: string;
  readonly answer: (slot: Slot | undefined) => void;
}

export class Slots {
  readonly #clock: Clock;
  readonly #loads = new Map<string, Load>();
  readonly #waiting = new Set<Waiter>();
  #total = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when there was none within `patienceMs`. `target`: unlike any store and any other target. */
  async enter(store: string, target: string, patienceMs: number): Promise<Slot | undefined> {
    if (this.#isFree(store, target)) return this.#take(store, target);
    if (this.#isStuck(store, target)) return undefined;
    return new Promise((resolve) => {
      const cancel = this.#clock.after(patienceMs, () => waiter.answer(undefined));
      const waiter: Waiter = {
        store,
        target,
        answer: (slot) => {
          cancel();
          this.#waiting.delete(waiter);
          resolve(slot);
        },
      };
      this.#waiting.add(waiter);
    });
  }

  #isFree(store: string, target: string): boolean {
    const taken = (key: string): number => this.#loads.get(key)?.taken ?? 0;
    return taken(target) < targetMax && taken(store) < storeMax && this.#total < totalMax;
  }

  #isStuck(store: string, target: string): boolean {
    const slow = (key: string): number => this.#loads.get(key)?.slow ?? 0;
    return slow(target) >= targetMax || slow(store) >= storeMax;
  }

  #take(store: string, target: string): Slot {
    const keys = [store, target];
    let isSlow = false;
    this.#total += 1;
    for (const key of keys) this.#count(key, 1, 0);
    return {
      slow: () => {
        isSlow = true;
        for (const key of keys) this.#count(key, 0, 1);
        this.#answerWaiting();
      },
      leave: () => {
        this.#total -= 1;
        for (const key of keys) this.#count(key, -1, isSlow ? -1 : 0);
        this.#answerWaiting();
      },
    };
  }

  #answerWaiting(): void {
    for (const waiter of [...this.#waiting]) {
      const { store, target, answer } = waiter;
      if (this.#isFree(store, target)) answer(this.#take(store, target));
      else if (this.#isStuck(store, target)) answer(undefined);
    }
  }

  #count(key: string, taken: number, slow: number): void {
    const load = this.#loads.get(key) ?? { taken: 0, slow: 0 };
    load.taken += taken;
    load.slow += slow;
    if (load.taken > 0) this.#loads.set(key, load);
    else this.#loads.delete(key);
  }
}
