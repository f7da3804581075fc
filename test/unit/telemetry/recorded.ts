// Telemetry that keeps what it is told, for tests of those who measure.

import type { FinishedSpan, MetricName, Telemetry } from "../../../src/core/telemetry.ts";
import type { Attributes } from "../../../src/core/telemetry.ts";

export interface Recorded extends Telemetry {
  readonly spans: readonly FinishedSpan[];
  /** What a metric was told, in order. */
  values(metric: MetricName): readonly number[];
  attributes(metric: MetricName): readonly Attributes[];
  sum(metric: MetricName): number;
}

export function recordedTelemetry(): Recorded {
  const measured: { readonly metric: MetricName; readonly value: number; readonly attributes: Attributes }[] = [];
  const spans: FinishedSpan[] = [];
  const of = (metric: MetricName) => measured.filter((one) => one.metric === metric);
  return {
    spans,
    record: (metric, value, attributes = {}) => void measured.push({ metric, value, attributes }),
    trace: (span) => void spans.push(span),
    values: (metric) => of(metric).map(({ value }) => value),
    attributes: (metric) => of(metric).map(({ attributes }) => attributes),
    sum: (metric) => of(metric).reduce((sum, { value }) => sum + value, 0),
  };
}
