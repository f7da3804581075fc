// Every metric there is: its name and unit by OpenTelemetry's semantic conventions, and the kind of its instrument.
// docs/telemetry.md says what each means, and what to do when it moves.

export interface Metric {
  readonly kind: "counter" | "histogram" | "gauge";
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  /** Where the buckets of a histogram end. */
  readonly bounds?: readonly number[];
}

/** Seconds, as the semantic conventions have them. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export const metrics = {
  "http.server.request.duration": {
    kind: "histogram",
    unit: "s",
    description: "Requests, from their arrival to the end of their answer.",
    bounds: seconds,
  },
  "streamkit.produce.records": { kind: "counter", unit: "{record}", description: "Records committed." },
  "streamkit.produce.bytes": {
    kind: "counter",
    unit: "By",
    description: "Bytes of committed records: payloads and metadata.",
  },
  "streamkit.commit.duration": {
    kind: "histogram",
    unit: "s",
    description: "Requests that commit to a space's log, by their outcome.",
    bounds: seconds,
  },
  "streamkit.commit.group_size": {
    kind: "histogram",
    unit: "{produce}",
    description: "Produces that share one commit.",
    bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  },
  "streamkit.apply.duration": {
    kind: "histogram",
    unit: "s",
    description: "Writes of committed records to a segment, by their outcome.",
    bounds: seconds,
  },
  "streamkit.apply.delay": {
    kind: "histogram",
    unit: "s",
    description: "How long a committed record was pending until all of it was in its segments.",
    bounds: [...seconds, 30, 60, 300],
  },
  "streamkit.consume.entries": { kind: "counter", unit: "{entry}", description: "Entries read for consumers." },
  "streamkit.consume.bytes": { kind: "counter", unit: "By", description: "Bytes of those entries." },
  "streamkit.consume.pages": {
    kind: "counter",
    unit: "{page}",
    description: "Reads for consumers; a live reader makes one each time there may be something new.",
  },
  "streamkit.consumers.delivered": {
    kind: "counter",
    unit: "{entry}",
    description: "Entries that were delivered to workers of consumers, each time that they were.",
  },
  "streamkit.consumers.parked": {
    kind: "counter",
    unit: "{entry}",
    description: "Entries that workers could not handle and that were parked.",
  },
  "streamkit.consumers.lag": {
    kind: "histogram",
    unit: "s",
    description: "Age of the oldest entry of a delivery to a worker, when it was delivered; by consumer.",
    bounds: [...seconds, 30, 60, 300, 900, 3_600, 21_600, 86_400],
  },
  "streamkit.consumers.trimmed": {
    kind: "counter",
    unit: "{delivery}",
    description: "Deliveries that told a worker of entries that were trimmed before it got them.",
  },
  "db.client.operation.duration": {
    kind: "histogram",
    unit: "s",
    description: "Requests to the storage's tables, by kind and status.",
    bounds: seconds,
  },
  "streamkit.storage.retries": {
    kind: "counter",
    unit: "{request}",
    description: "Reads that were sent again because the storage was unavailable or too busy.",
  },
  "streamkit.storage.went_back": {
    kind: "counter",
    unit: "{space}",
    description: "Spaces whose log was shorter than an instance remembered, or another one.",
  },
  "streamkit.monitor.duration": {
    kind: "histogram",
    unit: "s",
    description: "Runs of the monitor, by their outcome.",
    bounds: [...seconds, 30, 60, 120, 240],
  },
  "streamkit.monitor.logs": {
    kind: "counter",
    unit: "{log}",
    description: "Open logs that the monitor visited.",
  },
  "streamkit.monitor.records": {
    kind: "counter",
    unit: "{record}",
    description: "Records that a writer left behind, by what the monitor could do.",
  },
  "streamkit.monitor.oldest_pending": {
    kind: "gauge",
    unit: "s",
    description: "Age of the oldest record that the last run found left behind: not applied, or not notified.",
  },
  "streamkit.trim.rows": {
    kind: "counter",
    unit: "{row}",
    description: "Rows of data that trims have removed: blocks of segments, records of logs.",
  },
  "streamkit.schedule.turns": {
    kind: "counter",
    unit: "{turn}",
    description: "Turns of what was due in the schedule, by their outcome.",
  },
  "streamkit.schedule.late": {
    kind: "gauge",
    unit: "s",
    description: "How late the latest was of what was due, when it had its turn.",
  },
  "streamkit.compact.rows": {
    kind: "counter",
    unit: "{row}",
    description: "Small rows that were merged into larger ones, of logs and of segments.",
  },
  "streamkit.compact.saved": {
    kind: "counter",
    unit: "By",
    description: "Bytes of data that merging rows has saved.",
  },
  "streamkit.notifications.deliveries": {
    kind: "counter",
    unit: "{delivery}",
    description: "Tries to deliver a status notification to a subscription, by their outcome.",
  },
  "streamkit.notifications.poisoned": {
    kind: "gauge",
    unit: "{message}",
    description: "Messages in the notifications' poison queues, when the monitor last ran.",
  },
} as const satisfies Readonly<Record<string, Metric>>;
