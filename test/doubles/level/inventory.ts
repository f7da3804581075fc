// Which names the inventory surely has, so that a commit need not write them again.
//
// It is filled only after the commit that wrote them, and forgets after 97 s. Where it earns its place: on a backend
// whose inventory is a partition of its own, a commit to a known segment saves the request. Here the rows ride in the
// commit's own batch, so all it saves is two small puts; what it keeps is the other half of the rule: a name is written
// again at the first commit after it expired, so that a lost row comes back by itself.

import { LRUCache } from "lru-cache";
import type { Clock } from "../../../src/core/clock.ts";
import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";

/** A prime, so that it falls together with no other period. */
export const inventoryExpiryMs = 97_000;
const namesMax = 10_000;

export class KnownNames {
  readonly #names: LRUCache<string, true>;

  constructor(clock: Clock) {
    this.#names = new LRUCache({
      max: namesMax,
      ttl: inventoryExpiryMs,
      // Without a timer; and never 0, which the cache takes for "no start".
      ttlResolution: 0,
      perf: { now: () => clock.elapsed() + 1 },
    });
  }

  has(space: SpaceName, segment?: SegmentName): boolean {
    return this.#names.has(keyOf(space, segment));
  }

  forget(): void {
    this.#names.clear();
  }

  /** To be called after the commit that wrote them. */
  add(space: SpaceName, segments: readonly SegmentName[]): void {
    this.#names.set(keyOf(space), true);
    for (const segment of segments) this.#names.set(keyOf(space, segment), true);
  }
}

// Names hold no control characters.
function keyOf(space: SpaceName, segment?: SegmentName): string {
  return segment === undefined ? space : `${space}\u0000${segment}`;
}
