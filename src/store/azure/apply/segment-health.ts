// Whether the storage of segments answers, as this instance has last seen it: what is known not to is not waited for.
//
// Promise: a segment is known by its own requests alone. One that answers is never taken for stuck, and who is told
// that it is has a request on its way to it, or had one a moment ago.

import { LRUCache } from "lru-cache";

import type { Clock } from "../../../core/clock.ts";
import type { SegmentName } from "../../../core/ids.ts";
import { isTransient } from "../instance/failure.ts";

/** Longer than any request that is answered takes, with a retry. */
const stuckAfterMs = 2_000;
/** How long a failure says something of the next request. */
const failureSaysMs = 2_000;
/** Segments that are remembered: some hundred bytes each. */
const segmentsMax = 4_096;

interface Seen {
  /** Since when it was asked without an answer. */
  since: number | undefined;
  asking: number;
  failedAt: number;
  answeredAt: number;
}

export class SegmentHealth {
  readonly #clock: Clock;
  readonly #seen = new LRUCache<SegmentName, Seen>({ max: segmentsMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request to the segment's storage; any answer is one. */
  async watch<T>(segment: SegmentName, request: () => Promise<T>): Promise<T> {
    const seen = this.#of(segment);
    seen.since ??= this.#clock.elapsed();
    seen.asking += 1;
    try {
      const answer = await request();
      this.#answered(seen);
      return answer;
    } catch (error) {
      if (isTransient(error)) seen.failedAt = this.#clock.elapsed();
      else this.#answered(seen);
      throw error;
    } finally {
      seen.asking -= 1;
    }
  }

  /** It has not answered for a while, and nothing says that it does again. */
  isDown(segment: SegmentName): boolean {
    const since = this.#seen.get(segment)?.since;
    return since !== undefined && this.#clock.elapsed() - since >= stuckAfterMs;
  }

  /** A request to it is on its way. */
  isAsked(segment: SegmentName): boolean {
    return (this.#seen.get(segment)?.asking ?? 0) > 0;
  }

  /** And it is being asked, or was a moment ago: a produce to it would only wait. */
  isStuck(segment: SegmentName): boolean {
    const seen = this.#seen.get(segment);
    if (seen === undefined || !this.isDown(segment)) return false;
    return seen.asking > 0 || this.#clock.elapsed() - seen.failedAt < failureSaysMs;
  }

  /** And nothing that was asked of it since then is without an answer. */
  hasAnsweredSince(segment: SegmentName, elapsedMs: number): boolean {
    const seen = this.#seen.get(segment);
    return seen !== undefined && seen.since === undefined && seen.answeredAt >= elapsedMs;
  }

  #answered(seen: Seen): void {
    seen.since = undefined;
    seen.answeredAt = this.#clock.elapsed();
  }

  #of(segment: SegmentName): Seen {
    const known = this.#seen.get(segment);
    if (known !== undefined) return known;
    const seen: Seen = { since: undefined, asking: 0, failedAt: -Infinity, answeredAt: -Infinity };
    this.#seen.set(segment, seen);
    return seen;
  }
}
