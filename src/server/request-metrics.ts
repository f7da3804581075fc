// The ids that tie a request to its log lines and to the caller's trace, and what is measured of the request when it
// ends.

import type { Telemetry, TraceParent } from "../core/telemetry.ts";
import { asKnown, isFailure } from "../wire/errors.ts";
import type { Operation } from "../wire/operation.ts";
import type { Random } from "../core/clock.ts";
import { wireLimits } from "../wire/wire-limits.ts";

export interface RequestMetrics {
  readonly operation: Operation;
  /** The method of the request: that of the operation, or HEAD. */
  readonly method: string;
  readonly requestId: string;
  readonly parent: TraceParent | undefined;
  readonly status: number;
  /** The error of the answer, or of its body. */
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

// The ids that tie a request to its log lines, and both to those of the caller.

export interface Correlation {
  /** The caller's `x-request-id` when it is a plain token, else a new one. */
  readonly requestId: string;
  /** The trace of the caller's `traceparent` (W3C Trace Context), if it sent a valid one. */
  readonly traceId?: string;
}

const requestIdPattern = new RegExp(`^[A-Za-z0-9._:-]{1,${wireLimits.requestIdCharactersMax}}$`);
const traceparentPattern = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** The caller's span, if it sent a valid `traceparent`. */
export function traceParentOf(headers: { get(name: string): string | null }): TraceParent | undefined {
  const [, traceId, spanId, flags] = traceparentPattern.exec(headers.get("traceparent") ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags ?? "", 16) & 1) === 1 };
}

export function correlate(headers: { get(name: string): string | null }, random: Random): Correlation {
  const given = headers.get("x-request-id");
  const requestId = given !== null && requestIdPattern.test(given) ? given : random.uuid();
  const parent = traceParentOf(headers);
  return parent === undefined ? { requestId } : { requestId, traceId: parent.traceId };
}
