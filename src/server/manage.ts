// Trims: what a caller may remove, who may remove.

import { invalidArgument } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { segmentTrimJob, spaceTrimJob } from "../retention/trim-jobs.ts";
import type { TrimPoint } from "../store/store.ts";
import { statusText } from "../wire/entries.ts";
import { parseObject } from "../wire/parse.ts";
import { cursorOf, integerIn } from "../wire/names.ts";
import {
  trimSegment as trimSegmentOperation,
  trimSegmentBodySchema,
  trimSpace as trimSpaceOperation,
  trimSpaceBodySchema,
} from "../wire/operations/manage.ts";
import { bodyText } from "./body.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";
import { startJob } from "./jobs.ts";

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

/** A timestamp has at most so many characters; a cursor, which may be digits alone as well, has more. */
const timestampCharactersMax = 34;

function pointOf(before: string, space: string): TrimPoint {
  if (before.length > timestampCharactersMax || !/^[0-9.-]+$/.test(before))
    return { offset: cursorOf(before, space, "before") };
  const timestamp = integerIn(before, 0, limits.sequenceMax);
  if (timestamp === undefined) throw invalidArgument("before", "a timestamp, milliseconds since 1970", before);
  return { timestamp };
}
