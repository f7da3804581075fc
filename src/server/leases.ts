// Leases: acquire or renew, and release.

import { leaseHeld } from "../core/errors.ts";
import { readObject } from "../wire/json-object.ts";
import { bodyType } from "../wire/media.ts";
import { mediaTypesOf } from "../wire/operation.ts";
import {
  leaseAcquire as acquireOperation,
  leaseBodySchema,
  leaseRelease as releaseOperation,
} from "../wire/operations-leases.ts";
import { parseWith } from "../wire/parse.ts";
import { emptyAnswer, jsonAnswer, serve } from "./serve.ts";

export const leaseAcquire = serve(acquireOperation, async (services, call) => {
  const { params, body } = call;
  bodyType(call.contentType, mediaTypesOf(acquireOperation.body));
  const { holder, ttlSeconds } = parseWith(leaseBodySchema, readObject(await body.text(), "body", []));
  const outcome = await services.leases(params.store).acquire(params.key, holder, ttlSeconds * 1_000);
  if (outcome.kind === "held") throw leaseHeld(outcome.holder, outcome.remainingMs);
  const { expiresAt, token } = outcome.lease;
  return jsonAnswer(JSON.stringify({ holder, expiresAt, token }));
});

export const leaseRelease = serve(releaseOperation, async (services, call) => {
  const outcome = await services.leases(call.params.store).release(call.params.key, call.query.holder);
  if (outcome.kind === "held") throw leaseHeld(outcome.holder, outcome.remainingMs);
  return emptyAnswer;
});
