// Targets that fail again and again are left in peace for a while, so that waiting for them does not hold up the others.
//
// Promise: one delivery at a time finds out whether a resting target is back; as soon as it is, all go on.

import { LRUCache } from "lru-cache";

import type { Clock } from "../core/clock.ts";

/** Failures in a row before a target rests: one or two may be a restart. */
const failuresMax = 3;
/** Shorter than the time between two tries of a message, so that each of them may be the one that finds out. */
const restMs = 5_000;
/** Targets that are remembered: a forgotten one is tried once more. */
const targetsMax = 10_000;

interface State {
  failures: number;
  /** When one may try again, on the clock that only moves forward. */
  restsUntil: number;
}

export class Rests {
  readonly #clock: Clock;
  readonly #states = new LRUCache<string, State>({ max: targetsMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether to leave it in peace now. Who is told that it need not is the one who finds out. */
  isResting(target: string): boolean {
    const state = this.#states.get(target);
    if (state === undefined || state.failures < failuresMax) return false;
    const now = this.#clock.elapsed();
    if (now < state.restsUntil) return true;
    state.restsUntil = now + restMs;
    return false;
  }

  delivered(target: string): void {
    this.#states.delete(target);
  }

  failed(target: string): void {
    const failures = (this.#states.get(target)?.failures ?? 0) + 1;
    this.#states.set(target, { failures, restsUntil: this.#clock.elapsed() + restMs });
  }
}
