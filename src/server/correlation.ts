// What ties a request to its log lines, and both to those of the caller.

import type { Random } from "../core/clock.ts";
import type { TraceParent } from "../core/telemetry.ts";
import { wireLimits } from "../wire/wire-limits.ts";

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
