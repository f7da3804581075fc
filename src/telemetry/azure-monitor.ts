// Sends to Azure Monitor. Heavy: loaded in the background, and only when a connection string says where to send.

import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from "@azure/monitor-opentelemetry-exporter";
import type { AzureMonitorExporterOptions } from "@azure/monitor-opentelemetry-exporter";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { SpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Attributes } from "../core/telemetry.ts";
import type { Listener } from "./late.ts";
import { createTelemetry } from "./otel.ts";

/** Azure Monitor keeps metrics by the minute. */
const exportEveryMs = 60_000;

export interface SdkOptions {
  /** The attributes of this instance: `service.name`, `service.instance.id` ... */
  readonly resource: Attributes;
  /** The share of traced requests among those whose caller does not decide it, 0 to 100. */
  readonly tracePercent: number;
}

export interface AzureMonitorOptions extends SdkOptions {
  readonly connectionString: string;
  /** Undefined: the connection string alone. */
  readonly credential: NonNullable<AzureMonitorExporterOptions["credential"]> | undefined;
}

export function listenByAzureMonitor(options: AzureMonitorOptions): Listener {
  const { connectionString, credential } = options;
  // Data that cannot be sent is not worth a disk that is shared with the host.
  const exporter = {
    connectionString,
    disableOfflineStorage: true,
    ...(credential === undefined ? {} : { credential }),
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: new AzureMonitorMetricExporter(exporter),
    exportIntervalMillis: exportEveryMs,
  });
  return listen(options, reader, new BatchSpanProcessor(new AzureMonitorTraceExporter(exporter)));
}

/** With the SDK, whoever takes what it collects. */
export function listen(options: SdkOptions, reader: MetricReader, spans: SpanProcessor): Listener {
  const resource = resourceFromAttributes(options.resource);
  const meters = new MeterProvider({ resource, readers: [reader] });
  const tracers = new BasicTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.tracePercent / 100) }),
    spanProcessors: [spans],
  });
  return {
    telemetry: createTelemetry(meters.getMeter("streamkit"), tracers.getTracer("streamkit")),
    flush: async () => {
      await Promise.all([meters.forceFlush(), tracers.forceFlush()]);
    },
  };
}
