// What is asked of the service itself: whether it lives, what it offers, and what is not there.

import { StoreError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { health as healthOperation, openapi as openapiOperation, operations } from "../wire/operations.ts";
import { openApiText } from "../wire/openapi.ts";
import { matchPath } from "../wire/path.ts";
import { correlate } from "./correlation.ts";
import type { Correlation } from "./correlation.ts";
import { docsPath } from "./docs.ts";
import type { HttpResponse } from "./http.ts";
import { piecesOf } from "./pieces.ts";
import { logFailure, jsonAnswer, problemAnswer, endpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { withFields } from "../core/logger.ts";

export const health = endpoint(healthOperation, async (services, call) => {
  if (call.query.deep !== "true") return jsonAnswer(JSON.stringify({ status: "ok", version }));
  const { clock } = services;
  const startedAt = clock.elapsed();
  const ms = (): number => Math.round(clock.elapsed() - startedAt);
  try {
    await services.probe();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    // Whatever answered so is not the storage that was meant: the log has what it said.
    throw new StoreError("storage_unavailable", error.message, {
      cause: error,
      details: { reason: error.code, ms: ms() },
    });
  }
  return jsonAnswer(JSON.stringify({ status: "ok", version, storage: "ok", ms: ms() }));
});

/** In pieces, and held against no budget: all answers share a text, and it is for everyone. */
export const openapi = endpoint(openapiOperation, (services, { query }) =>
  Promise.resolve({ ...jsonAnswer(""), body: piecesOf(openApiText({ ...query, access: services.accessKind })) }),
);

/** For every path and method that no call has. */
export const notFound: Endpoint = (services, request) => {
  const correlation = correlate(request.headers, services.random);
  const { pathname } = new URL(request.url);
  // People begin at the root.
  if (pathname === "/" && (request.method === "GET" || request.method === "HEAD"))
    return Promise.resolve(toDocs(correlation));
  const allowed = operations.filter((operation) => isAt(operation.path, pathname)).map(({ method }) => method);
  const error =
    allowed.length === 0
      ? new StoreError("not_found", "There is nothing at this path; /openapi.json lists all there is.")
      : new StoreError("not_found", `This path takes ${allowed.join(", ")}, not ${request.method}.`, {
          details: { allowed },
        });
  logFailure(withFields(services.logger, { ...correlation, status: 404 }), "request failed", error);
  return Promise.resolve(problemAnswer(error, correlation));
};

function toDocs({ requestId }: Correlation): HttpResponse {
  return { status: 302, headers: { location: docsPath, "x-request-id": requestId, "cache-control": "no-store" } };
}

function isAt(template: (typeof operations)[number]["path"], pathname: string): boolean {
  try {
    // A name is never empty: hosts match no route then.
    const names = matchPath(template, pathname);
    return names !== undefined && ![...names.values()].includes("");
  } catch {
    return false;
  }
}
