// What is measured of each request that was served: its time, and a span of it in the caller's trace.

import type { Telemetry, TraceParent } from "../core/telemetry.ts";
import { asKnown, isFailure } from "../wire/errors.ts";
import type { Operation } from "../wire/operation.ts";

export interface RequestMetrics {
  readonly operation: Operation;
  /** Of the request: that of the operation, or HEAD. */
  readonly method: string;
  readonly requestId: string;
  readonly parent: TraceParent | undefined;
  readonly status: number;
  /** What the answer, or its body, failed with. */
  readonly error: unknown;
  readonly ms: number;
  /** When it ended, milliseconds since 1970. */
  readonly endedAt: number;
}

/** By the semantic conventions for HTTP servers: the route, never the path, which has names in it. */
export function measureRequest(telemetry: Telemetry, request: RequestMetrics): void {
  const { operation, method, requestId, parent, status, ms, endedAt } = request;
  const failure = failureOf(request.error);
  const attributes = {
    "http.request.method": method,
    "http.route": operation.path,
    "http.response.status_code": status,
    ...(failure === undefined ? {} : { "error.type": failure }),
  };
  telemetry.record("http.server.request.duration", ms / 1_000, attributes);
  telemetry.trace({
    name: `${method} ${operation.path}`,
    startedAt: endedAt - ms,
    ms,
    parent,
    attributes: { ...attributes, "streamkit.request_id": requestId },
    failure,
  });
}

/** The code of a failure that is ours or the storage's; a caller's mistake is none. */
function failureOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const { code } = asKnown(error);
  return isFailure(code) ? code : undefined;
}
