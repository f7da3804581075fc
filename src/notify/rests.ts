// Leaves failing targets alone until their pause is over, so that trying them costs neither them nor others.
//
// Promise: one delivery of an instance finds out whether a resting target is back; as soon as any instance found that
// it is, all go on. The findings of this instance count until the subscription's row tells newer ones.

import { LRUCache } from "lru-cache";

import type { Clock } from "../core/clock.ts";
import type { Health } from "./health.ts";

/** Failures in a row before a target rests: one or two may be a restart. */
const failuresMax = 3;
/** A target that fails for so long rests at each further failure, ms, in every instance. */
const establishedMs = 30_000;
/** From a failure seen here until the row that tells it has been written and read again, ms; with room. */
const rowKnowsAfterMs = 10_000;
/** The others wait for so long for who finds out: its time-out, and some, ms. */
const probeMs = 12_000;
/** Targets that are remembered: a forgotten one is tried once more. */
const targetsMax = 10_000;

interface State {
  readonly failures: number;
  /** When it was last changed, and until when to rest, on the clock that only moves forward. */
  readonly at: number;
  /** 0: it does not. */
  readonly restsUntil: number;
}

export class Rests {
  readonly #clock: Clock;
  readonly #states = new LRUCache<string, State>({ max: targetsMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * How long to leave the target alone, ms; undefined: try it now. The caller that gets undefined is the one that finds
   * out. `health`: as the row has it; `now`: the storage's time, which the row uses.
   */
  left(target: string, health: Health, now: number): number | undefined {
    const elapsed = this.#clock.elapsed();
    const state = this.#states.get(target);
    const isFresh = state !== undefined && elapsed - state.at <= rowKnowsAfterMs;
    const rowUntil = isEstablished(health) ? elapsed + health.until - now : 0;
    const restsUntil = isFresh ? state.restsUntil : rowUntil;
    if (restsUntil > elapsed) return restsUntil - elapsed;
    const failures = state?.failures ?? 0;
    if (restsUntil > 0) this.#states.set(target, { failures, at: elapsed, restsUntil: elapsed + probeMs });
    else if (!isFresh) this.#states.delete(target);
    return undefined;
  }

  delivered(target: string): void {
    this.#states.set(target, { failures: 0, at: this.#clock.elapsed(), restsUntil: 0 });
  }

  /** `failingMs`: for how long; `asked`: it said itself when to come back. */
  failed(target: string, pauseMs: number, failingMs: number, asked: boolean): void {
    const at = this.#clock.elapsed();
    const failures = (this.#states.get(target)?.failures ?? 0) + 1;
    const rests = asked || failures >= failuresMax || failingMs >= establishedMs;
    this.#states.set(target, { failures, at, restsUntil: rests ? at + pauseMs : 0 });
  }
}

/** By its age, or because the target asked for so long a pause. */
function isEstablished(health: Health): health is Extract<Health, { kind: "failing" }> {
  return health.kind === "failing" && health.until - health.since >= establishedMs;
}
