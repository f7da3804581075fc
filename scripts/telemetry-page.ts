// docs/telemetry.md: every metric with what it means and what to do when it moves; names, kinds and units are the
// code's.

import { metrics } from "../src/core/metrics.ts";
import type { MetricName } from "../src/core/telemetry.ts";

interface Meaning {
  /** Its attributes, with their values. */
  readonly by: string;
  readonly moves: string;
}

const meanings: Readonly<Record<MetricName, Meaning>> = {
  "http.server.request.duration": {
    by: "`http.request.method`, `http.route`, `http.response.status_code`, `error.type` (the code of a failure that is ours or the storage's)",
    moves:
      "Slower: see the commit's and the storage's times below. More 503: `error.type` says whether the storage fails, throttles, or we are overloaded. 499: the caller left before its answer, or in the middle of its body. A live stream counts for as long as it lasts.",
  },
  "streamkit.produce.records": {
    by: "",
    moves: "What is taken in. A fall without a fall of requests: produces are refused, see their statuses.",
  },
  "streamkit.produce.bytes": {
    by: "",
    moves:
      "Before compression. What storage grows by is less; bytes a record tell whether producers send more of the same.",
  },
  "streamkit.commit.duration": {
    by: "`streamkit.commit.outcome`: `committed`, `lost_race`",
    moves:
      "One request to the storage: slower means that the storage is. Many `lost_race`: several instances write the same space; fewer instances, or more spaces, help.",
  },
  "streamkit.commit.group_size": {
    by: "",
    moves:
      "Near 1 under a low load. Growth is how a busy space keeps up: produces wait for one commit together. When it stays near its greatest value, the space is at its limit: split it.",
  },
  "streamkit.apply.duration": {
    by: "`streamkit.apply.outcome`: `applied`, `overtaken`",
    moves: "As of commits. Many `overtaken`: several instances apply the same segments, each doing what another did.",
  },
  "streamkit.apply.delay": {
    by: "",
    moves:
      "Until then a produce that asked for `ack=applied` waits, and reads of the segment lag. Growth: more segments are written than applied; raise `STREAMKIT_APPLY_WORKERS` if the storage is not the limit.",
  },
  "streamkit.consume.entries": { by: "", moves: "What is given out." },
  "streamkit.consume.bytes": { by: "", moves: "Payloads and metadata; what egress costs follows it." },
  "streamkit.consume.pages": {
    by: "",
    moves:
      "Many pages with few entries: live readers that find little, or callers that ask with a small `limit` or without `wait`.",
  },
  "streamkit.consumers.delivered": {
    by: "`streamkit.consumer`: its name",
    moves:
      "Each delivery counts. Well beyond what is produced: entries fail, or workers go away before they acknowledge.",
  },
  "streamkit.consumers.parked": {
    by: "`streamkit.consumer`: its name",
    moves: "Above 0: somebody has to look at what is parked, see [consumers](consumers.md#what-fails).",
  },
  "streamkit.consumers.lag": {
    by: "`streamkit.consumer`: its name",
    moves:
      "Growth: workers are fewer or slower than what comes; add workers, up to the partitions. No values while there is something to do: no worker fetches.",
  },
  "streamkit.consumers.trimmed": {
    by: "`streamkit.consumer`: its name",
    moves: "Above 0: entries were trimmed before they were handled. Trim later, or add workers.",
  },
  "db.client.operation.duration": {
    by: "`db.system.name`, `db.operation.name`: `get`, `query`, `submit`, `create`, `db.response.status_code`, `error.type` (a status, `timeout`, `aborted`, `threw`: no answer)",
    moves:
      "Its count is what the storage bills. 429 or 503: throttling, the account or a partition is at its limit; spread over more spaces or accounts. `timeout`: see the storage's own metrics. 403: the identity's roles. 404, 409 and 412 are answers, not failures. Of a batch the status is that of the whole: what it refused is a lost race.",
  },
  "streamkit.storage.retries": {
    by: "`db.system.name`, `db.operation.name`",
    moves: "Reads alone are sent again, by themselves. A few are usual; many go with 429 and 5xx of the storage.",
  },
  "streamkit.storage.went_back": {
    by: "",
    moves:
      "0, unless somebody restored, replaced or deleted a table behind the running app. Sequences and offsets may be used again.",
  },
  "streamkit.monitor.duration": {
    by: "`streamkit.monitor.outcome`: `complete`, `out_of_time`, `failed`",
    moves:
      "No value for minutes: the timer does not run. `out_of_time`: more open logs than one run can visit; the next goes on from there. `failed`: it could not read the list, see the log.",
  },
  "streamkit.monitor.logs": { by: "", moves: "Spaces that were written lately; they cost one read a run each." },
  "streamkit.monitor.records": {
    by: "`streamkit.monitor.outcome`: `applied`, `notified`, `failed`",
    moves:
      "`applied`: instances ended in the middle of their work, as at a deployment or a scale-in; without those, look for crashes. `failed` that goes on: a record cannot be applied, the log says which.",
  },
  "streamkit.monitor.oldest_pending": {
    by: "",
    moves:
      "0 when all is well. Beyond twice `STREAMKIT_WAL_GRACE_MS` and growing: a record is stuck, or the queue takes no notifications; see the runbook.",
  },
  "streamkit.trim.rows": {
    by: "`streamkit.trim.view`: `segment`, `space`",
    moves:
      "What ends, by trims and by retention. Nothing for longer than the age of a policy, while rows are written: look at `streamkit.schedule.turns` with `failed`.",
  },
  "streamkit.schedule.turns": {
    by: "`streamkit.schedule.outcome`: `done`, `again`, `failed`",
    moves:
      "What was to happen at a time: jobs, retention. `failed`: it is tried again after a minute, later after an hour; the log names what it is of, and says why.",
  },
  "streamkit.schedule.late": {
    by: "",
    moves:
      "A minute or two is usual. Growth over runs: more is due than the monitor does; `GET /v1/stores/{store}/jobs` tells what takes so long.",
  },
  "streamkit.compact.rows": {
    by: "",
    moves:
      "As many as there are commits, some minutes later. 0 while spaces are written to: the monitor does not run, or records are not applied.",
  },
  "streamkit.compact.saved": { by: "", moves: "With the rows." },
  "streamkit.notifications.deliveries": {
    by: "`streamkit.delivery.outcome`: `delivered`, `failed`, `rested` (not tried: the target rests after failures), `given_up`",
    moves:
      "Many `failed` or `rested`: a target is down; its subscription has the last error. `given_up`: it was down for a day, or too much waits for it.",
  },
  "streamkit.notifications.poisoned": {
    by: "",
    moves: "Above 0: notifications that could not be dispatched wait for somebody to look at them, see the runbook.",
  },
};

const head = `# Telemetry

With \`APPLICATIONINSIGHTS_CONNECTION_STRING\` the app sends metrics and traces to Azure Monitor, by the OpenTelemetry SDK. Without it
the app measures nothing and loads nothing of the SDK. It loads the SDK in the background, two seconds after the first
measurement, so that a cold start does not wait for it; until then it keeps up to 5,000 measurements. An instance that ends sends the rest.

Telemetry never has names of spaces or segments, payloads, metadata or keys. It has the names of consumers.

## Metrics

Durations are in seconds, as the semantic conventions of OpenTelemetry have them; names with \`streamkit.\` are this project's own. Each instance sends a metric once
a minute. In Application Insights metrics are in \`customMetrics\`.

| metric | what it is | by | what to do when it moves |
| --- | --- | --- | --- |`;

const tail = `
## Traces

Each request is one span, named by its method and route (\`POST /v1/stores/{store}/…\`), with the attributes of
\`http.server.request.duration\` and \`streamkit.request_id\`, which every line of the log and every answer has too. It continues the
trace of the request's \`traceparent\`: the host's, or through it the caller's. As the host tells of requests itself, the span is one
within the host's request, not a second request.

A caller that decided whether its trace is kept is obeyed. For others \`STREAMKIT_TRACE_PERCENT\` decides.

This page is made from the code's own list of metrics: \`npm run docs\`.
`;

export function telemetryPage(): string {
  const rows = Object.entries(metrics).map(([name, { kind, unit, description }]) => {
    const { by, moves } = meanings[name as MetricName];
    return `| \`${name}\` (${kind}, \`${unit}\`) | ${description} | ${by} | ${moves} |`;
  });
  return [head, ...rows, tail].join("\n");
}
