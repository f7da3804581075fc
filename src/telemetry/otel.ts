// Telemetry by the OpenTelemetry API: any SDK may stand behind it.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import type { Context, Meter, Tracer } from "@opentelemetry/api";
import { metrics } from "../core/metrics.ts";
import type { Metric } from "../core/metrics.ts";
import type { Attributes, FinishedSpan, MetricName, Telemetry, TraceParent } from "../core/telemetry.ts";

type Instrument = (value: number, attributes: Attributes) => void;

export function createTelemetry(meter: Meter, tracer: Tracer): Telemetry {
  const instruments = new Map<MetricName, Instrument>();
  for (const [name, metric] of Object.entries(metrics)) {
    instruments.set(name as MetricName, instrumentOf(meter, name, metric));
  }
  return {
    record: (metric, value, attributes = {}) => instruments.get(metric)?.(value, attributes),
    trace: (span) => record(tracer, span),
  };
}

function instrumentOf(meter: Meter, name: string, { kind, unit, description, bounds }: Metric): Instrument {
  switch (kind) {
    case "counter": {
      const counter = meter.createCounter(name, { unit, description });
      return (value, attributes) => counter.add(value, attributes);
    }
    case "histogram": {
      const advice = bounds === undefined ? {} : { explicitBucketBoundaries: [...bounds] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      return (value, attributes) => histogram.record(value, attributes);
    }
    case "gauge": {
      const gauge = meter.createGauge(name, { unit, description });
      return (value, attributes) => gauge.record(value, attributes);
    }
  }
}

/** The host tells of each request itself: ours is a part of it, not a second one. */
function record(tracer: Tracer, span: FinishedSpan): void {
  const { name, startedAt, ms, parent, attributes, failure } = span;
  const started = tracer.startSpan(
    name,
    { kind: SpanKind.INTERNAL, startTime: startedAt, attributes },
    parent === undefined ? ROOT_CONTEXT : contextOf(parent),
  );
  if (failure !== undefined) started.setStatus({ code: SpanStatusCode.ERROR, message: failure });
  started.end(startedAt + ms);
}

function contextOf({ traceId, spanId, sampled }: TraceParent): Context {
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
