// How long entries are kept: say it, look at it, end it, of a space and of a store.

import { StoreError } from "../core/errors.ts";
import type { SpaceName, StoreId } from "../core/ids.ts";
import { wouldRemove } from "../retention/keep-up.ts";
import type { WouldRemove } from "../retention/keep-up.ts";
import type { RetentionPolicy } from "../retention/policy.ts";
import { parseObject } from "../wire/parse.ts";
import {
  retentionBodySchema,
  spaceRetentionDelete as spaceDeleteOperation,
  spaceRetentionGet as spaceGetOperation,
  spaceRetentionPut as spacePutOperation,
  storeRetentionDelete as storeDeleteOperation,
  storeRetentionGet as storeGetOperation,
  storeRetentionPut as storePutOperation,
} from "../wire/operations/retention.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { bodyText } from "./body.ts";
import { emptyAnswer, endpoint, jsonAnswer } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import type { Services } from "./services.ts";

interface Place {
  readonly store: StoreId;
  /** Absent: the policy is the store's. */
  readonly space?: SpaceName;
}

interface Put extends Place {
  readonly policy: RetentionPolicy;
  readonly isDryRun: boolean;
  readonly caller: string;
}

export const spaceRetentionPut = endpoint(spacePutOperation, async (services, call) => {
  const policy = parseObject(retentionBodySchema, await bodyText(spacePutOperation, call));
  return put(services, { ...call.params, policy, isDryRun: call.query.dryRun === "true", caller: call.caller.caller });
});

export const storeRetentionPut = endpoint(storePutOperation, async (services, call) => {
  const policy = parseObject(retentionBodySchema, await bodyText(storePutOperation, call));
  return put(services, { ...call.params, policy, isDryRun: call.query.dryRun === "true", caller: call.caller.caller });
});

export const spaceRetentionGet = endpoint(spaceGetOperation, (services, call) => get(services, call.params));
export const storeRetentionGet = endpoint(storeGetOperation, (services, call) => get(services, call.params));
export const spaceRetentionDelete = endpoint(spaceDeleteOperation, (services, call) => remove(services, call.params));
export const storeRetentionDelete = endpoint(storeDeleteOperation, (services, call) => remove(services, call.params));

async function put(services: Services, { store, space, policy, isDryRun, caller }: Put): Promise<HttpResponse> {
  const of = space === undefined ? "store" : "space";
  if (isDryRun) {
    const removed = await wouldRemoveFrom(services, { store, ...(space === undefined ? {} : { space }) }, policy);
    return jsonAnswer(JSON.stringify({ ...policy, of, wouldRemove: removed }));
  }
  await services.retention.put(store, space, policy, caller);
  return jsonAnswer(JSON.stringify({ ...policy, of }));
}

async function get({ retention }: Services, { store, space }: Place): Promise<HttpResponse> {
  const found = await retention.get(store, space);
  if (found === undefined) throw noPolicy(space);
  return jsonAnswer(JSON.stringify({ ...found.policy, of: found.of }));
}

async function remove({ retention }: Services, { store, space }: Place): Promise<HttpResponse> {
  if ((await retention.remove(store, space)) === "missing") throw noPolicy(space);
  return emptyAnswer;
}

/** A store's policy: for all spaces that have none of their own. */
async function wouldRemoveFrom(
  services: Services,
  { store: id, space }: Place,
  policy: RetentionPolicy,
): Promise<WouldRemove> {
  const { clock, retention, serviceClock, stores } = services;
  const store = stores.open(id);
  const endsAt = clock.elapsed() + wireLimits.dryRunMs;
  const bound = { now: () => serviceClock.now(), isOver: () => clock.elapsed() >= endsAt };
  if (space !== undefined) return wouldRemove(store, space, policy, bound);
  const all = { entries: 0, segments: 0, complete: true };
  for await (const name of store.getSpaces()) {
    if (bound.isOver()) return { ...all, complete: false };
    if ((await retention.get(id, name))?.of === "space") continue;
    const { complete, entries, segments } = await wouldRemove(store, name, policy, bound);
    all.entries += entries;
    all.segments += segments;
    all.complete &&= complete;
  }
  return all;
}

function noPolicy(space: SpaceName | undefined): StoreError {
  const what = space === undefined ? "This store" : `Space ${JSON.stringify(space)}`;
  return new StoreError("not_found", `${what} has no policy of retention: all is kept.`);
}
