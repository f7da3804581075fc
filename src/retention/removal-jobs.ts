// Removing what was deleted: a job waits until it may be restored no more, and then removes its rows, in turns.
//
// The job is there before anything is deleted, so that whoever dies in between leaves a job with nothing to do, never a
// deletion that nobody ends. What it does is decided by what the store or the space says of itself when its turn comes:
// what was restored stays.

import type { SpaceName } from "../core/ids.ts";
import type { Job, JobRequest } from "../jobs/job.ts";
import type { JobTurn, JobWork } from "../jobs/jobs.ts";
import type { Turn } from "../jobs/schedule.ts";
import type { DeleteOptions, Removals, RemovalResult, RemovalTurn } from "../store/store.ts";
import { spaceOf } from "./trim-jobs.ts";

const kinds = { space: "deleteSpace", store: "deleteStore" } as const;

/** The deletion may be on its way for so long after its job was written. */
const underWayMs = 10 * 60_000;
const pauseMs = 60_000;

/** `space` undefined: of the whole store. */
export function removalJob(
  space: SpaceName | undefined,
  { erase = false, graceMs }: DeleteOptions,
  caller: string,
): JobRequest {
  const asked = { erase, ...(graceMs === undefined ? {} : { graceSeconds: graceMs / 1_000 }) };
  return { kind: space === undefined ? kinds.store : kinds.space, space, asked, caller };
}

/** By the kind of the job. */
export function removalWorks(removals: Removals): Readonly<Record<string, JobWork>> {
  return {
    [kinds.space]: (job, turn) => worked(job, turn, () => removals.removeSpace(job.store, spaceOf(job), turnOf(turn))),
    [kinds.store]: (job, turn) => worked(job, turn, () => removals.removeStore(job.store, turnOf(turn))),
  };
}

const turnOf = (turn: Turn): RemovalTurn => ({ isOver: () => turn.isOver() });

async function worked(job: Job, turn: Turn, remove: () => Promise<RemovalResult>): Promise<JobTurn> {
  const before = typeof job.progress["rows"] === "number" ? job.progress["rows"] : 0;
  const result = await remove();
  const progress = { rows: before + ("rows" in result ? result.rows : 0) };
  switch (result.state) {
    case "live":
      // Restored, or not deleted yet.
      if (turn.now() - job.createdAt >= underWayMs) return { kind: "done", progress: { ...progress, restored: true } };
      return { kind: "more", progress, pauseMs };
    case "waits":
      return { kind: "more", progress, pauseMs: Math.max(0, result.until - turn.now()) };
    case "more":
      return { kind: "more", progress };
    case "done":
      return { kind: "done", progress };
  }
}
