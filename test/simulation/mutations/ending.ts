// Mistakes in how a store or a space ends: known everywhere, restored, removed, written again.

import type { Mutation, Patch } from "./mutation.ts";
import { azure } from "./mutation.ts";

const ending = (name: string, seeds: number, mistake: string, ...patches: Patch[]): Mutation => ({
  name,
  mistake,
  seeds,
  play: "endings",
  patches,
});

export const endingMistakes: readonly Mutation[] = [
  ending(
    "deleted-at-once",
    20,
    "a deletion answered before it is known everywhere",
    azure(
      "delete/deletion",
      "return sleep(clock, options.storeHeldMs * waitedParts);",
      "return sleep(clock, 0 * options.storeHeldMs);",
    ),
  ),
  ending(
    "spaces-believed-for-ever",
    20,
    "another epoch of the store that makes nobody look at its spaces again",
    azure("instance/standing", "if (before?.row.epoch !== held.row.epoch) this.#there.clear();", ""),
  ),
  ending(
    "former-life-remembered",
    20,
    "a writer that goes on with what it knows of the segments of a life that was removed",
    azure(
      "append/catch-up",
      "since.to.head.life !== version.head.life",
      "since.to.head.life === undefined && version.head.life !== undefined",
    ),
  ),
  ending(
    "name-stays-listed",
    20,
    "a space deleted without a mark on its name",
    azure("delete/deletion", "isHidden(head.ending) ? encodeDeletedName(head.timestamp) : listedName", "listedName"),
  ),
  ending(
    "life-not-listed",
    20,
    "a name listed by the first record of a log alone, not of each life",
    azure("apply/segment-queue", "summary.position !== 1 && summary.beginsLife !== true", "summary.position !== 1"),
  ),
];
