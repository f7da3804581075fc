// The second merge of a log that rests: a row of the schedule, since the monitor visits only logs that are written.
//
// Promise: the row is there before the monitor leaves the log. A turn too many finds nothing to merge, whatever became
// of the space meanwhile: compaction changes no answer, of no life.

import type { SpaceName, StoreId } from "../core/ids.ts";
import type { Due } from "../jobs/due.ts";
import type { Work } from "../jobs/schedule.ts";
import type { Compactions } from "../store/store.ts";

export const compactionWhat = "compaction";

/** All turns that a log wants within an hour are one. */
const turnsApartMs = 3_600_000;

/** A turn at the next full hour from this time on. */
export function compactionDue(store: StoreId, space: SpaceName, at: number): Due {
  return { at: nextHour(at), what: compactionWhat, store, space, life: "" };
}

export function compactionTurns(compactions: Compactions): Work {
  return async ({ space, store }, turn) => {
    if (space === undefined) return { kind: "done" };
    const result = await compactions.compactSpace(store, space, { isOver: () => turn.isOver() });
    const now = turn.now();
    if (result.state === "more") return { kind: "again", at: now };
    const { againAt } = result;
    // A time that has come already is one that the log's clock has not reached.
    return againAt === undefined ? { kind: "done" } : { kind: "again", at: nextHour(Math.max(againAt, now + 1)) };
  };
}

function nextHour(at: number): number {
  return Math.ceil(at / turnsApartMs) * turnsApartMs;
}
