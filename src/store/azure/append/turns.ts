// Lets several instances that write one space share it: turns go round, in the order of the instances' ids.
//
// Nobody hands a turn over. Each instance counts how many come between the writer of the last record and itself, gives
// each of them the time of a turn, and looks again. An instance that is wrong loses a race, no more: the log's ETag
// decides.

import type { Clock, Random } from "../../../core/clock.ts";
import type { NodeId } from "../../../core/ids.ts";

/** No wait for a turn is longer, milliseconds, however many writers there are. */
const turnWaitMaxMs = 250;
/**
 * The length of one turn in round trips. A waiting instance has seen the record before it late, so it gives less than
 * the two that a turn takes.
 */
const turnRoundTrips = 1.25;
/** Turns in a row that a writer lets pass before the others no longer wait for it. */
const missedTurnsMax = 2;
/**
 * A writer that commits without a pause never sees the others: they lose every race, because what they read is out of
 * date. So after this many commits in a row it leaves time for others to get in and be seen.
 */
const commitsInARowMax = 32;
const breakRoundTrips = 2;

/** The thing to do before the next commit. */
export type Turn =
  /** Commit at once. */
  | { readonly kind: "now" }
  /** Wait, then, if it says so, look at the log; then ask again. */
  | { readonly kind: "wait"; readonly ms: number; readonly thenLook: boolean };

const now: Turn = { kind: "now" };

export class WriterTurns {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #self: NodeId;
  readonly #rememberMs: number;
  readonly #others = new Map<NodeId, { readonly seenAt: number; missed: number }>();
  /** The writer of the last record that was seen, and when. */
  #last: NodeId;
  #lastAt = -Infinity;
  /** The log was looked at after those who come before had had their time: nobody used it. */
  #granted = true;
  /** The log had moved when it was last looked at, or a race was lost: it will most likely have moved again. */
  #wasBehind = false;
  /** The time of a commit, milliseconds: a moving average. */
  #roundTripMs = 10;
  #wonAt = -Infinity;
  #wonInARow = 0;

  constructor(clock: Clock, random: Random, self: NodeId, rememberMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#self = self;
    this.#rememberMs = rememberMs;
    this.#last = self;
  }

  /** A record by this node was seen in the log, after those seen before. */
  seen(node: NodeId): void {
    this.#last = node;
    this.#lastAt = this.#clock.elapsed();
    this.#granted = false;
    if (node === this.#self) return;
    this.#others.set(node, { seenAt: this.#lastAt, missed: 0 });
    this.#wasBehind = true;
  }

  /** The log was looked at and is as it was known. */
  unmoved(): void {
    if (!this.#granted) for (const node of this.#before()) this.#miss(node);
    this.#granted = true;
    this.#wasBehind = false;
  }

  won(tookMs: number): void {
    const at = this.#clock.elapsed();
    this.#roundTripMs = this.#roundTripMs * 0.8 + tookMs * 0.2;
    // A pause of its own accord let others in as well.
    const paused = at - this.#wonAt > (1 + breakRoundTrips) * this.#roundTripMs;
    this.#wonInARow = paused ? 1 : this.#wonInARow + 1;
    this.#wonAt = at;
    this.#wasBehind = false;
  }

  lostRace(): void {
    this.#wasBehind = true;
    this.#wonInARow = 0;
  }

  /** To be asked before each commit. */
  next(): Turn {
    const at = this.#clock.elapsed();
    for (const [node, { seenAt }] of this.#others) if (at - seenAt > this.#rememberMs) this.#others.delete(node);
    if (this.#others.size === 0) {
      if (this.#wonInARow < commitsInARowMax) return now;
      this.#wonInARow = 0;
      return { kind: "wait", ms: breakRoundTrips * this.#roundTripMs, thenLook: false };
    }
    if (this.#granted) return now;
    const turnMs = turnRoundTrips * this.#roundTripMs;
    const before = this.#before().length;
    const knownMs = at - this.#lastAt;
    if (before === 0) return knownMs > turnMs && this.#wasBehind ? { kind: "wait", ms: 0, thenLook: true } : now;
    const ms = Math.min(turnWaitMaxMs, turnMs * (before + 0.25 * this.#random.fraction())) - knownMs;
    return { kind: "wait", ms: Math.max(0, ms), thenLook: true };
  }

  /** The instances whose turns come after the last writer's and before one's own. */
  #before(): readonly NodeId[] {
    const ring = [...this.#others.keys(), this.#self].sort();
    const next = ring.indexOf(this.#last) + 1;
    const own = ring.indexOf(this.#self);
    return own >= next ? ring.slice(next, own) : [...ring.slice(next), ...ring.slice(0, own)];
  }

  #miss(node: NodeId): void {
    const other = this.#others.get(node);
    if (other === undefined) return;
    other.missed += 1;
    if (other.missed >= missedTurnsMax) this.#others.delete(node);
  }
}
