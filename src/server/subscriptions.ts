// Subscriptions: make or change one, look at it, remove it, list them.

import { StoreError } from "../core/errors.ts";
import type { StoreId, SubscriptionId } from "../core/ids.ts";
import { segmentsWanted } from "../core/segments-wanted.ts";
import type { Health } from "../notify/health.ts";
import type { Subscription } from "../notify/subscription.ts";
import type { PutOutcome, PutRequest } from "../notify/subscriptions.ts";
import { parseObject } from "../wire/parse.ts";
import {
  subscriptionBodySchema,
  subscriptionDelete as deleteOperation,
  subscriptionGet as getOperation,
  subscriptionPut as putOperation,
  subscriptions as listOperation,
} from "../wire/operations/subscriptions.ts";
import { bodyText } from "./body.ts";
import { Repeats } from "./repeats.ts";
import { emptyAnswer, jsonAnswer, endpoint } from "./endpoint.ts";
import type { Services } from "./services.ts";

interface Place {
  readonly store: StoreId;
  readonly id: SubscriptionId;
}

export const subscriptionPut = endpoint(putOperation, async (services, call) => {
  const body = parseObject(subscriptionBodySchema, await bodyText(putOperation, call));
  const { space, segment, prefix, target, rotateSecret = false } = body;
  const wanted = { space, ...segmentsWanted(segment, prefix), target };
  const outcome = await put(services, call.params, { ...wanted, rotateSecret });
  const { kind, subscription, newSecret } = outcome;
  return jsonAnswer(subscriptionText(subscription, newSecret), kind === "created" ? 201 : 200);
});

export const subscriptionGet = endpoint(getOperation, async (services, call) => {
  const { store, id } = call.params;
  const subscription = await services.subscriptions.get(store, id);
  if (subscription === undefined) throw noSubscription(id);
  return jsonAnswer(subscriptionText(subscription));
});

export const subscriptionDelete = endpoint(deleteOperation, async (services, call) => {
  const { store, id } = call.params;
  if ((await services.subscriptions.remove(store, id)) === "missing") throw noSubscription(id);
  return emptyAnswer;
});

export const subscriptions = endpoint(listOperation, async (services, call) => {
  const { subscriptions: all, unreadable } = await services.subscriptions.listAll(call.params.store);
  const rest = unreadable.length === 0 ? "" : `,"unreadable":${JSON.stringify(unreadable)}`;
  return jsonAnswer(`{"subscriptions":[${all.map((one) => subscriptionText(one)).join(",")}]${rest}}`);
});

/**
 * A secret that was rotated may not be rotated once more unseen: the one that its receiver knows would sign no longer.
 */
async function put({ subscriptions }: Services, { store, id }: Place, request: PutRequest): Promise<PutOutcome> {
  try {
    return await subscriptions.put(store, id, request);
  } catch (error) {
    throw request.rotateSecret ? new Repeats(undefined).explained(error) : error;
  }
}

/** `secret`: the one that was made now; no other is ever told. */
function subscriptionText(subscription: Subscription, secret?: string): string {
  const { id, space, segment, prefix, target, createdAt, report } = subscription;
  const { delivered, failed, givenUp, lastDeliveredAt, lastGivenUpAt, lastError, health } = report;
  return JSON.stringify({
    id,
    space,
    segment,
    prefix,
    target,
    createdAt,
    delivered,
    failed,
    ...(lastDeliveredAt === 0 ? {} : { lastDeliveredAt }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(givenUp === 0 ? {} : { givenUp, lastGivenUpAt }),
    ...healthMembers(health),
    ...(secret === undefined ? {} : { secret }),
  });
}

function healthMembers(health: Health): Readonly<Record<string, number>> {
  switch (health.kind) {
    case "ok":
      return {};
    case "failing":
      return { failingSince: health.since, nextAttemptAt: health.until, waiting: health.waiting };
    case "disabled":
      return { disabledAt: health.at };
  }
}

function noSubscription(id: SubscriptionId): StoreError {
  return new StoreError("not_found", `There is no subscription ${id}.`);
}
