// Leases: acquire or renew, and release.

import { leaseHeld } from "../core/errors.ts";
import { parseObject } from "../wire/parse.ts";
import {
  leaseAcquire as acquireOperation,
  leaseBodySchema,
  leaseRelease as releaseOperation,
} from "../wire/operations/leases.ts";
import { bodyText } from "./body.ts";
import { emptyAnswer, jsonAnswer, endpoint } from "./endpoint.ts";

export const leaseAcquire = endpoint(acquireOperation, async (services, call) => {
  const { params } = call;
  const { holder, ttlSeconds } = parseObject(leaseBodySchema, await bodyText(acquireOperation, call));
  const outcome = await services.leases(params.store).acquire(params.key, holder, ttlSeconds * 1_000);
  if (outcome.kind === "held") throw leaseHeld(outcome.holder, outcome.remainingMs);
  const { expiresAt, token } = outcome.lease;
  return jsonAnswer(JSON.stringify({ holder, expiresAt, token }));
});

export const leaseRelease = endpoint(releaseOperation, async (services, call) => {
  const outcome = await services.leases(call.params.store).release(call.params.key, call.query.holder);
  if (outcome.kind === "held") throw leaseHeld(outcome.holder, outcome.remainingMs);
  return emptyAnswer;
});
