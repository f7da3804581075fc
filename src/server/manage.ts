// Trims, redactions, deletions and restores: what a caller may end, who may.

import { invalidArgument } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { segmentTrimJob, spaceTrimJob } from "../retention/trim-jobs.ts";
import { removalJob } from "../retention/removal-jobs.ts";
import type { Job } from "../jobs/job.ts";
import type { Deleted, DeleteOptions, TrimPoint } from "../store/store.ts";
import { statusText } from "../wire/entries.ts";
import { parseObject } from "../wire/parse.ts";
import { cursorOf, integerIn } from "../wire/names.ts";
import {
  deleteSpace as deleteSpaceOperation,
  deleteStore as deleteStoreOperation,
  redact as redactOperation,
  redactBodySchema,
  restoreSpace as restoreSpaceOperation,
  restoreStore as restoreStoreOperation,
  trimSegment as trimSegmentOperation,
  trimSegmentBodySchema,
  trimSpace as trimSpaceOperation,
  trimSpaceBodySchema,
} from "../wire/operations/manage.ts";
import { bodyText } from "./body.ts";
import { emptyAnswer, endpoint, jsonAnswer } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import { jobAnswer, shownJob, startJob } from "./jobs.ts";

export const trimSegment = endpoint(trimSegmentOperation, async (services, call) => {
  const { store, space, segment } = call.params;
  const { before } = parseObject(trimSegmentBodySchema, await bodyText(trimSegmentOperation, call));
  const { signal } = call.connection;
  const status = await services.stores.open(store).trimSegment(space, segment, before, { signal });
  const isDone = status.firstSequence >= Math.min(before, status.lastSequence + 1) || status.lastSequence === 0;
  if (isDone) return jsonAnswer(statusText(status));
  return startJob(services, store, segmentTrimJob(status, before, call.caller.caller));
});

export const trimSpace = endpoint(trimSpaceOperation, async (services, call) => {
  const { store, space } = call.params;
  const { before } = parseObject(trimSpaceBodySchema, await bodyText(trimSpaceOperation, call));
  const { signal } = call.connection;
  const point = pointOf(before, space);
  const { earliest, state } = await services.stores.open(store).trimSpace(space, point, { signal });
  if (state === "more") return startJob(services, store, spaceTrimJob(space, point, call.caller.caller));
  return jsonAnswer(JSON.stringify({ earliest, state }));
});

export const redact = endpoint(redactOperation, async (services, call) => {
  const { store, space, segment } = call.params;
  const { sequences } = parseObject(redactBodySchema, await bodyText(redactOperation, call));
  await services.stores.open(store).redact(space, segment, sequences, { signal: call.connection.signal });
  return emptyAnswer;
});

export const deleteSpace = endpoint(deleteSpaceOperation, async (services, call) => {
  const { space, store } = call.params;
  const { confirm, ...query } = call.query;
  checkConfirmed(confirm, space);
  const wish = wishOf(query);
  const job = await services.jobs.start(store, removalJob(space, wish, call.caller.caller));
  return deletedAnswer(job, await services.stores.open(store).deleteSpace(space, wish));
});

export const restoreSpace = endpoint(restoreSpaceOperation, async (services, call) => {
  const { space, store } = call.params;
  await services.stores.open(store).restoreSpace(space);
  return emptyAnswer;
});

export const deleteStore = endpoint(deleteStoreOperation, async (services, call) => {
  const { store } = call.params;
  const { confirm, ...query } = call.query;
  checkConfirmed(confirm, store);
  const wish = wishOf(query);
  const job = await services.jobs.start(store, removalJob(undefined, wish, call.caller.caller));
  return deletedAnswer(job, await services.stores.open(store).deleteStore(wish));
});

export const restoreStore = endpoint(restoreStoreOperation, async (services, call) => {
  await services.stores.open(call.params.store).restoreStore();
  return emptyAnswer;
});

interface DeletionQuery {
  readonly erase?: boolean | undefined;
  readonly graceSeconds?: number | undefined;
}

function checkConfirmed(confirm: string, name: string): void {
  if (confirm !== name) throw invalidArgument("confirm", "the name of what is to be deleted, once more", confirm);
}

function wishOf({ erase, graceSeconds }: DeletionQuery): DeleteOptions {
  return {
    ...(erase === undefined ? {} : { erase }),
    ...(graceSeconds === undefined ? {} : { graceMs: graceSeconds * 1_000 }),
  };
}

/** Without anything to delete the job ends by itself. */
function deletedAnswer(job: Job, deleted: Deleted | undefined): HttpResponse {
  if (deleted === undefined) return emptyAnswer;
  return jobAnswer(job, { removedFrom: deleted.removedFrom, job: shownJob(job) });
}

/** A timestamp has at most so many characters; a cursor, which may be digits alone as well, has more. */
const timestampCharactersMax = 34;

function pointOf(before: string, space: string): TrimPoint {
  if (before.length > timestampCharactersMax || !/^[0-9.-]+$/.test(before))
    return { offset: cursorOf(before, space, "before") };
  const timestamp = integerIn(before, 0, limits.sequenceMax);
  if (timestamp === undefined) throw invalidArgument("before", "a timestamp, milliseconds since 1970", before);
  return { timestamp };
}
