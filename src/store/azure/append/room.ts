// How much room is left in a log's list of pending records, and which segments may still take of it.
//
// Promise: what waits for segments that do not answer may take half of the list. The other half is for segments that have answered since
// then, and the fuller it is, the more lately: so segments that fail together, however many and however well they were before, leave it alone.

import type { Clock } from "../../../core/clock.ts";
import type { SegmentName } from "../../../core/ids.ts";
import type { Applier } from "../apply/applier.ts";
import type { AzureStoreOptions } from "../instance/options.ts";

/** From this part of the list on only segments are let in that have answered since. */
const crowdedFrom = 1 / 2;
/** It is no longer crowded below this part: at the edge nobody is asked over and over. */
const crowdedUntil = 1 / 4;
/** How long an answer says that the segment is well, with the whole rest free, and at its end; milliseconds. */
const answerSaysMs = 30_000;
/** Enough to commit after having asked. */
const answerSaysAtLeastMs = 1_000;

export class Room {
  readonly #applier: Applier;
  readonly #clock: Clock;
  readonly #options: AzureStoreOptions;
  #unsettled = 0;
  #crowdedSince: number | undefined;

  constructor(applier: Applier, clock: Clock, options: AzureStoreOptions) {
    this.#applier = applier;
    this.#clock = clock;
    this.#options = options;
  }

  /** The list has so many records that are not known to be done. */
  count(unsettled: number): void {
    this.#unsettled = unsettled;
    const most = this.#options.pendingPerLogMax;
    if (unsettled < most * crowdedUntil) this.#crowdedSince = undefined;
    if (unsettled >= most * crowdedFrom) this.#crowdedSince ??= this.#clock.elapsed();
  }

  /** Nothing more may be committed. */
  get isTaken(): boolean {
    return this.#unsettled >= this.#options.pendingPerLogMax;
  }

  /** The segment takes no more for now; it is to be brought up, or asked. */
  isFull(segment: SegmentName): boolean {
    const { health } = this.#applier;
    if (health.isDown(segment)) return true;
    const unapplied = this.#applier.unappliedIn(segment);
    const since = this.#crowdedSince;
    if (since === undefined) return unapplied >= this.#options.pendingPerSegmentMax;
    const most = this.#options.pendingPerLogMax;
    const left = Math.min(1, (most - this.#unsettled) / (most * (1 - crowdedFrom)));
    const lately = this.#clock.elapsed() - Math.max(answerSaysAtLeastMs, answerSaysMs * left);
    return unapplied >= 1 || !health.hasAnsweredSince(segment, Math.max(since, lately));
  }
}
