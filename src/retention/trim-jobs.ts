// Trims that take longer than a call may: the same trims, call by call, in the turns of a job.

import { invalidArgument, StoreError } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import type { SegmentStatus } from "../core/entry.ts";
import type { Job, JobRequest } from "../jobs/job.ts";
import type { JobWork } from "../jobs/jobs.ts";
import type { StoreFactory, TrimPoint } from "../store/store.ts";

const kinds = { segment: "trimSegment", space: "trimSpace" } as const;

/** How long a trim waits before it asks again about entries that wait for their segments. */
const pendingPauseMs = 60_000;

/** The job that ends what one call has begun. `status` is what that call answered: it knows where the segment ended. */
export function segmentTrimJob(status: SegmentStatus, before: number, caller: string): JobRequest {
  const { space, segment, lastSequence, lastTimestamp, firstSequence } = status;
  const asked = { before: Math.min(before, lastSequence + 1), lastTimestamp, firstSequence };
  return { kind: kinds.segment, space, segment, asked, caller };
}

export function spaceTrimJob(space: SpaceName, before: TrimPoint, caller: string): JobRequest {
  return { kind: kinds.space, space, asked: { ...before }, caller };
}

/** By the kind of the job. */
export function trimWorks(stores: Pick<StoreFactory, "open">): Readonly<Record<string, JobWork>> {
  return {
    [kinds.segment]: async (job, turn) => {
      const [space, segment] = [spaceOf(job), segmentOf(job)];
      const [before, lastTimestamp] = [numberOf(job, "before"), numberOf(job, "lastTimestamp")];
      const store = stores.open(job.store);
      let first = numberOf(job, "firstSequence");
      for (;;) {
        const now = await store.getSegmentStatus?.(space, segment);
        // Nothing is left of what there was then: what there is may be another life's, and its sequences its own.
        if (now !== undefined && now.firstTimestamp > lastTimestamp) return { kind: "done", progress: job.progress };
        const { firstSequence } = await store.trimSegment(space, segment, before);
        first = Math.max(first, firstSequence);
        const progress = { firstSequence: first };
        if (firstSequence >= before || firstSequence === 0) return { kind: "done", progress };
        if (turn.isOver()) return { kind: "more", progress };
      }
    },
    [kinds.space]: async (job, turn) => {
      const space = spaceOf(job);
      const store = stores.open(job.store);
      for (;;) {
        const { earliest, state } = await store.trimSpace(space, pointOf(job));
        const progress = { earliest, state };
        if (state === "done") return { kind: "done", progress };
        if (state === "pending") return { kind: "more", progress, pauseMs: pendingPauseMs };
        if (turn.isOver()) return { kind: "more", progress };
      }
    },
  };
}

function pointOf(job: Job): TrimPoint {
  const { offset } = job.asked;
  return typeof offset === "string" ? { offset: offset as Cursor } : { timestamp: numberOf(job, "timestamp") };
}

function numberOf(job: Job, name: string): number {
  const value = job.asked[name];
  if (typeof value !== "number") throw invalidArgument(`asked.${name}`, "a number", value);
  return value;
}

export function spaceOf({ id, space }: Job): SpaceName {
  if (space === undefined) throw new StoreError("invalid_argument", `Job ${id} names no space.`);
  return space;
}

function segmentOf({ id, segment }: Job): SegmentName {
  if (segment === undefined) throw new StoreError("invalid_argument", `Job ${id} names no segment.`);
  return segment;
}
