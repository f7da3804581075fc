// The jobs of all stores: work that the monitor does in turns, and that tells how far it is.
//
// Promise: a job that `start` has answered is worked on until it ends, whoever dies: its row of the schedule is written
// first, and stays until the job's own row says that it has ended. Each turn rests on what is stored, so that it may be
// done twice. A job that has ended is told of for a week.

import type { Clock, Random } from "../core/clock.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { JobId, StoreId } from "../core/ids.ts";
import { parseJobId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Logger } from "../core/logger.ts";
import { changeRow } from "../table/change-row.ts";
import type { RowPlace } from "../table/change-row.ts";
import type { Table } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { decodeJob, encodeJob, hasEnded, jobRow, jobsPartition, newJobId, timeOfJob } from "./job.ts";
import type { Facts, Job, JobRequest } from "./job.ts";
import type { Next, Schedule, Turn, Work } from "./schedule.ts";

/**
 * What a turn has come to. `more`: it goes on in the next one, at once or after `pauseMs`. `progress` is all that is
 * kept of it.
 */
export interface JobTurn {
  readonly kind: "done" | "more";
  readonly progress: Facts;
  readonly pauseMs?: number;
}

/** Does a part of a job: until it is done, or the turn is over. Runs again from what is stored when it was cut off. */
export type JobWork = (job: Job, turn: Turn) => Promise<JobTurn>;

export interface JobsPage {
  /** In the order they were started. */
  readonly jobs: readonly Job[];
  /** There is more after the last one. */
  readonly isMore: boolean;
}

/** Errors: `throttled`, `overloaded`, `storage_unavailable`, `corrupt_data`. */
export interface Jobs {
  start(store: StoreId, request: JobRequest): Promise<Job>;
  get(store: StoreId, id: JobId): Promise<Job | undefined>;
  list(store: StoreId, options: { readonly after?: JobId | undefined; readonly limit: number }): Promise<JobsPage>;
}

export interface JobsDeps {
  /** The table of the deployment: jobs outlive the tables of their stores. */
  readonly registry: Table;
  readonly schedule: Pick<Schedule, "put">;
  readonly clock: Clock;
  /** The storage's time. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly random: Random;
  readonly logger: Logger;
}

/** The work in the schedule that works on jobs; the life of its rows is the job's id. */
export const jobWhat = "job";

/** How long a job that has ended is told of. */
const keptMs = 7 * 24 * 3_600_000;
/** A job without a row was never answered, once its writer has had so long to write it. */
const unwrittenMs = 600_000;
const pauseMs = 60_000;

/** Errors that waiting does not mend. */
const finalErrors: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_argument",
  "not_found",
  "format_not_enabled",
  "permission_denied",
  "deleted",
]);

export function createJobs(deps: JobsDeps): Jobs {
  const { random, registry, schedule, serviceClock } = deps;
  return {
    start: async (store, request) => {
      const now = serviceClock.now();
      const job: Job = {
        ...request,
        ...{ store, id: newJobId(now, random.uuid()), state: "waiting", progress: {} },
        ...{ createdAt: now, workedAt: 0, turns: 0 },
      };
      await schedule.put({ at: now, what: jobWhat, store, life: job.id });
      await changeRow(placeOf(registry, job), deps, () => ({
        outcome: undefined,
        change: { kind: "put", properties: encodeJob(job) },
      }));
      return job;
    },
    get: (store, id) => readJob(registry, store, id),
    list: async (store, { after, limit }) => {
      try {
        const from = after === undefined ? "0" : `${jobRow(after)}0`;
        const range = { partition: jobsPartition(store), from, to: "g" };
        const jobs: Job[] = [];
        let continuation: string | undefined;
        do {
          const top = Math.min(limits.pageRowsMax, limit + 1 - jobs.length);
          const page = await registry.query(range, { top, continuation });
          jobs.push(...page.rows.map((row) => decodeJob(row, store)));
          continuation = page.continuation;
        } while (continuation !== undefined && jobs.length <= limit);
        return { jobs: jobs.slice(0, limit), isMore: jobs.length > limit };
      } catch (error) {
        throw asStoreError(error, "none");
      }
    },
  };
}

/** The work of the schedule that gives jobs their turns; `works` by the kind of the job. */
export function jobTurns(deps: JobsDeps, works: Readonly<Record<string, JobWork>>): Work {
  return async (due, turn) => {
    const { store, life } = due;
    const id = parseJobId(life);
    const job = await readJob(deps.registry, store, id);
    if (job === undefined) return unwritten(id, turn);
    if (hasEnded(job)) return endedJob(deps, job, turn);
    const work = Object.hasOwn(works, job.kind) ? works[job.kind] : undefined;
    // Another version's work; an instance of that version will come by.
    if (work === undefined) return { kind: "again", at: turn.now() + pauseMs };
    try {
      const { kind, progress, pauseMs: pause = 0 } = await work(job, turn);
      await keep(deps, job, { state: kind === "done" ? "done" : "running", progress, at: turn.now() });
      return { kind: "again", at: turn.now() + (kind === "done" ? keptMs : pause) };
    } catch (error) {
      const { code, message } = asStoreError(error, "unknown");
      const at = turn.now();
      const state = finalErrors.has(code) ? "failed" : "running";
      await keep(deps, job, { state, progress: undefined, at, lastError: { code, message, at } });
      if (state === "failed") {
        const { kind, segment, space } = job;
        deps.logger.error("a job cannot be done", { job: id, kind, store, space, segment, error });
        return { kind: "again", at: at + keptMs };
      }
      throw error;
    }
  };
}

/** Its writer may be about to write it. */
function unwritten(id: JobId, turn: Turn): Next {
  return turn.now() - timeOfJob(id) >= unwrittenMs ? { kind: "done" } : { kind: "again", at: turn.now() + pauseMs };
}

async function endedJob(deps: JobsDeps, job: Job, turn: Turn): Promise<Next> {
  const goesAt = job.workedAt + keptMs;
  if (turn.now() < goesAt) return { kind: "again", at: goesAt };
  await changeRow(placeOf(deps.registry, job), deps, () => ({ outcome: undefined, change: { kind: "delete" } }));
  return { kind: "done" };
}

interface Kept extends Pick<Job, "state" | "lastError"> {
  readonly progress: Facts | undefined;
  readonly at: number;
}

/** After a turn. Another monitor may have had one at the same time: a job that has ended stays so. */
async function keep(deps: JobsDeps, job: Job, { state, progress, at, lastError }: Kept): Promise<void> {
  await changeRow(placeOf(deps.registry, job), deps, ({ row }) => {
    const stored = row === undefined ? undefined : decodeJob(row, job.store);
    if (stored === undefined || hasEnded(stored)) return { outcome: undefined, change: undefined };
    const next: Job = {
      ...stored,
      ...{ state, progress: progress ?? stored.progress, workedAt: at, turns: stored.turns + 1, lastError },
    };
    return { outcome: undefined, change: { kind: "put", properties: encodeJob(next) } };
  });
}

async function readJob(registry: Table, store: StoreId, id: JobId): Promise<Job | undefined> {
  try {
    const { row } = await registry.get(jobsPartition(store), jobRow(id));
    return row === undefined ? undefined : decodeJob(row, store);
  } catch (error) {
    throw asStoreError(error, "none");
  }
}

function placeOf(registry: Table, { store, id }: Pick<Job, "store" | "id">): RowPlace {
  return { table: registry, partition: jobsPartition(store), row: jobRow(id) };
}
