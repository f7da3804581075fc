// The calls about the service itself: whether it lives, and what it offers.

import { StoreError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import {
  health as healthOperation,
  monitor as monitorOperation,
  openapi as openapiOperation,
} from "../wire/operations/system.ts";
import { openApiText } from "../wire/openapi.ts";
import { piecesOf } from "./http.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";

export const health = endpoint(healthOperation, async (services, call) => {
  if (call.query.deep !== "true") return jsonAnswer(JSON.stringify({ status: "ok", version }));
  const { clock } = services;
  const startedAt = clock.elapsed();
  const ms = (): number => Math.round(clock.elapsed() - startedAt);
  try {
    await services.probe();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    // Something other than the storage answered; the log has what it said.
    throw new StoreError("storage_unavailable", error.message, {
      cause: error,
      details: { reason: error.code, ms: ms() },
    });
  }
  return jsonAnswer(JSON.stringify({ status: "ok", version, storage: "ok", ms: ms() }));
});

export const monitor = endpoint(monitorOperation, async (services) => {
  const run = await services.lastMonitorRun();
  if (run === undefined) return jsonAnswer("{}");
  const { startedAt, ms, complete, logs, closed, applied, notified, failed, oldestMs, due } = run;
  const told = { startedAt, ms, complete, logs, closed, applied, notified, failed, oldestPendingMs: oldestMs, due };
  return jsonAnswer(JSON.stringify({ lastRun: told }));
});

/** In pieces, and held against no budget: all answers share a text, and it is for everyone. */
export const openapi = endpoint(openapiOperation, (services, { query }) =>
  Promise.resolve({ ...jsonAnswer(""), body: piecesOf(openApiText({ ...query, access: services.accessKind })) }),
);
