import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { metrics } from "../../../src/core/metrics.ts";
import type { FinishedSpan, MetricName } from "../../../src/core/telemetry.ts";
import { listen } from "../../../src/telemetry/azure-monitor.ts";

function world(tracePercent = 100) {
  const exported = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const spans = new InMemorySpanExporter();
  const reader = new PeriodicExportingMetricReader({ exporter: exported, exportIntervalMillis: 3_600_000 });
  const { telemetry, flush } = listen(
    { resource: { "service.name": "streamkit" }, tracePercent },
    reader,
    new SimpleSpanProcessor(spans),
  );
  return { telemetry, flush, exported, spans };
}

const names = Object.keys(metrics) as MetricName[];
const span = (parent?: FinishedSpan["parent"]): FinishedSpan => ({
  name: "GET /health",
  startedAt: 1_700_000_000_000,
  ms: 250,
  parent,
  attributes: { "http.route": "/health" },
});
const caller = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

test("every metric arrives under its name, with its unit, its description and its attributes", async () => {
  const { telemetry, flush, exported } = world();
  for (const name of names) telemetry.record(name, 2, { "error.type": "timeout" });
  await flush();
  const arrived = exported.getMetrics()[0]!.scopeMetrics[0]!.metrics;
  expect(arrived.map(({ descriptor }) => descriptor.name).sort()).toEqual([...names].sort());
  for (const { descriptor, dataPoints } of arrived) {
    const { unit, description } = metrics[descriptor.name as MetricName];
    expect(descriptor).toMatchObject({ unit, description });
    expect(dataPoints).toHaveLength(1);
    expect(dataPoints[0]?.attributes).toEqual({ "error.type": "timeout" });
  }
});

test("counters add up, histograms keep counts and sums in their buckets, gauges keep the last value", async () => {
  const { telemetry, flush, exported } = world();
  for (const value of [1, 3]) {
    telemetry.record("streamkit.produce.records", value);
    telemetry.record("streamkit.commit.group_size", value);
    telemetry.record("streamkit.monitor.oldest_pending", value);
  }
  await flush();
  const points = new Map(
    exported
      .getMetrics()[0]!
      .scopeMetrics[0]!.metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints[0]?.value]),
  );
  expect(points.get("streamkit.produce.records")).toBe(4);
  expect(points.get("streamkit.commit.group_size")).toMatchObject({
    count: 2,
    sum: 4,
    buckets: { boundaries: metrics["streamkit.commit.group_size"].bounds, counts: [1, 0, 1, 0, 0, 0, 0, 0, 0, 0] },
  });
  expect(points.get("streamkit.monitor.oldest_pending")).toBe(3);
});

test("a span continues the caller's, lasts as long as it did, and says how it failed", () => {
  const { telemetry, spans } = world(0);
  telemetry.trace({ ...span({ ...caller, sampled: true }), failure: "storage_unavailable" });
  const [finished] = spans.getFinishedSpans();
  expect(finished?.spanContext().traceId).toBe(caller.traceId);
  expect(finished?.parentSpanContext).toMatchObject({ spanId: caller.spanId, isRemote: true });
  expect(finished).toMatchObject({
    name: "GET /health",
    kind: SpanKind.INTERNAL,
    startTime: [1_700_000_000, 0],
    duration: [0, 250_000_000],
    attributes: { "http.route": "/health" },
    status: { code: SpanStatusCode.ERROR, message: "storage_unavailable" },
  });
});

test("a caller that does not want its trace is not traced; one that does not say is, by the percentage", () => {
  const all = world(100);
  all.telemetry.trace(span({ ...caller, sampled: false }));
  expect(all.spans.getFinishedSpans()).toEqual([]);
  all.telemetry.trace(span());
  expect(all.spans.getFinishedSpans()).toHaveLength(1);
  const none = world(0);
  none.telemetry.trace(span());
  expect(none.spans.getFinishedSpans()).toEqual([]);
});
