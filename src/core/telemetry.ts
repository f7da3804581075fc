// The measurements as the code that measures sees them: metrics by their names, and spans when they are over. This file
// does not know who listens.
//
// Promise: neither call throws or waits. Attributes have few values: never names of spaces and segments, payloads or
// keys.

import type { metrics } from "./metrics.ts";

export type MetricName = keyof typeof metrics;
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A span of someone else's that ours continues (W3C Trace Context). */
export interface TraceParent {
  /** 32 and 16 hex digits in lower case, not all zero. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

export interface FinishedSpan {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly ms: number;
  /** Undefined: a trace of its own. */
  readonly parent: TraceParent | undefined;
  readonly attributes: Attributes;
  /** The kind of failure it ended in, a stable word. */
  readonly failure?: string | undefined;
}

export interface Telemetry {
  /** Adds to a counter, or records a value of a histogram or a gauge, in the metric's unit. */
  record(metric: MetricName, value: number, attributes?: Attributes): void;
  trace(span: FinishedSpan): void;
}

export const silentTelemetry: Telemetry = { record: () => undefined, trace: () => undefined };
