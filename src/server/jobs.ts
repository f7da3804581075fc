// Jobs as callers see them: a list, one of them, and the answer of a call that has become one.

import { StoreError } from "../core/errors.ts";
import type { Job, JobRequest } from "../jobs/job.ts";
import type { StoreId } from "../core/ids.ts";
import { formatPath } from "../wire/operation.ts";
import { job as jobOperation, jobs as jobsOperation } from "../wire/operations/jobs.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import type { Services } from "./services.ts";

export const jobs = endpoint(jobsOperation, async (services, call) => {
  const { limit = wireLimits.pageNamesDefault, next } = call.query;
  const page = await services.jobs.list(call.params.store, { after: next, limit });
  const last = page.jobs.at(-1);
  const more = page.isMore && last !== undefined ? { next: last.id } : {};
  return jsonAnswer(JSON.stringify({ jobs: page.jobs.map(shownJob), ...more }));
});

export const job = endpoint(jobOperation, async (services, call) => {
  const { job: id, store } = call.params;
  const found = await services.jobs.get(store, id);
  if (found === undefined) throw new StoreError("not_found", `There is no job ${id} in this store.`);
  return jsonAnswer(JSON.stringify(shownJob(found)));
});

/** 202: the call has become a job, which is told of at the address in `location`. */
export async function startJob(services: Services, store: StoreId, request: JobRequest): Promise<HttpResponse> {
  const started = await services.jobs.start(store, request);
  return jobAnswer(started, shownJob(started));
}

export function jobAnswer({ id, store }: Job, body: unknown): HttpResponse {
  const answer = jsonAnswer(JSON.stringify(body), 202);
  const location = formatPath(jobOperation.path, { store, job: id });
  return { ...answer, headers: { ...answer.headers, location } };
}

export function shownJob({
  id,
  kind,
  state,
  space,
  segment,
  asked,
  progress,
  caller,
  createdAt,
  workedAt,
  turns,
  lastError,
}: Job) {
  return {
    ...{ id, kind, state, space, segment, asked, progress, caller, createdAt },
    ...(workedAt === 0 ? {} : { workedAt }),
    ...{ turns, lastError },
  };
}
