// Alerts look for metrics and lines of the app. One that is called otherwise one day must not silence them.

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { corruptData, StoreError } from "../../../src/core/errors.ts";
import { metrics } from "../../../src/core/metrics.ts";
import type { Metric } from "../../../src/core/metrics.ts";
import { createLogger } from "../../../src/core/logger.ts";
import { logFailure } from "../../../src/server/endpoint.ts";
import {
  deployed,
  development,
  everyDeployment,
  ofType,
  only,
  production,
  projectFile,
  projectRoot,
} from "./deployed.ts";

interface QueryRule {
  readonly evaluationFrequency: string;
  readonly windowSize: string;
  readonly criteria: { readonly allOf: readonly [{ readonly query: string; readonly operator: string }] };
}

const known: Readonly<Record<string, Metric>> = metrics;
const sources = globSync("src/**/*.ts", { cwd: projectRoot }).map(projectFile);
const shortName = (name: string): string => /^alert-(.*)-streamkit-prod$/.exec(name)?.[1] ?? name;
const rules = new Map(
  ofType(production, "Microsoft.Insights/scheduledQueryRules").map(({ name, properties }) => [
    shortName(name),
    properties as unknown as QueryRule,
  ]),
);
const ofMetrics = ofType(production, "Microsoft.Insights/metricAlerts").map(({ name }) => shortName(name));
const names = [...rules.keys(), ...ofMetrics];
const query = (name: string): string => rules.get(name)?.criteria.allOf[0].query ?? "";
const queries = [...rules.keys()].map(query);
const metricsIn = (text: string): readonly string[] =>
  [...text.matchAll(/Name == "([^"]+)"/g)].map(([, metric = ""]) => metric);

test("each metric that a query looks for is one that the app has", () => {
  const wanted = queries.flatMap(metricsIn);
  expect(wanted.length).toBeGreaterThan(0);
  expect(wanted.filter((name) => !(name in known))).toEqual([]);
});

test("least and greatest values are asked of histograms alone: of counters and gauges the exporter sends the value", () => {
  const asked = queries.filter((text) => /\b(Min|Max)\b/.test(text));
  expect(asked.filter((text) => metricsIn(text).some((name) => known[name]?.kind !== "histogram"))).toEqual([]);
});

test("each rule has a query of its own", () => {
  expect(queries).not.toContain("");
  expect(new Set(queries).size).toBe(queries.length);
});

test("a client that leaves is no failure: queries look at what the app says, not at what the host counts", () => {
  const tables = queries.flatMap((text) => text.match(/\b(App[A-Z]\w+|requests|exceptions)\b/g) ?? []);
  expect(new Set(tables)).toEqual(new Set(["AppTraces", "AppMetrics"]));
  expect(ofMetrics).toEqual(["throttled", "queued"]);
  expect(sources.some((text) => /\b499\b/.test(text))).toBe(true);
});

test("a wrong setting is found by its line, whether the app or the host wrote it", () => {
  const line = sources.filter((text) => /\blogger\.error\("misconfigured\b/.test(text));
  expect(line).toHaveLength(1);
  expect(query("misconfigured")).toContain(
    'iff(Message startswith "{", tostring(parse_json(Message).message), Message) | where said startswith "misconfigured"',
  );
});

test("damaged data is found by its code, which every line about it has", () => {
  expect(query("corrupt-data")).toContain(
    'tostring(line.code) == "corrupt_data" or tostring(line.error.code) == "corrupt_data"',
  );
  const lines: { readonly code?: string; readonly error?: { readonly code?: string; readonly message: string } }[] = [];
  const logger = createLogger({
    level: "error",
    clock: { now: () => 0, elapsed: () => 0, after: () => () => undefined },
    write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  const error = corruptData("a row");
  logFailure(logger, "request failed", error);
  logger.error("a row is left out", { error });
  logger.error("something else", { error: new StoreError("storage_unavailable", "Away.") });
  const isFound = (line: (typeof lines)[number]): boolean =>
    line.code === "corrupt_data" || line.error?.code === "corrupt_data";
  expect(lines.map(isFound)).toEqual([true, true, false]);
});

test("the share of server errors is that of the answers by their status", () => {
  expect(query("server-errors")).toContain("summarize failed = sumif(ItemCount, status >= 500 or status == 424)");
  expect(metricsIn(query("server-errors"))).toEqual(["http.server.request.duration"]);
  const attribute = /Properties\["([^"]+)"\]/.exec(query("server-errors"))?.[1];
  expect(attribute).toBe("http.response.status_code");
  expect(sources.some((text) => text.includes(`"${attribute ?? ""}": `))).toBe(true);
});

test("the age of what is pending is the monitor's own figure, in milliseconds", () => {
  expect(metricsIn(query("pending-age"))).toEqual(["streamkit.monitor.oldest_pending"]);
  expect(metrics["streamkit.monitor.oldest_pending"].unit).toBe("s");
  expect(query("pending-age")).toContain("1000 * max(Sum)");
});

test("a consumer that is far behind is found by the age of what it delivers, in seconds", () => {
  expect(metricsIn(query("consumer-lag"))).toEqual(["streamkit.consumers.lag"]);
  expect(metrics["streamkit.consumers.lag"].unit).toBe("s");
  expect(query("consumer-lag")).toContain("max(Max)");
});

test("a monitor that does not run is missed by its runs", () => {
  expect(metricsIn(query("monitor-absent"))).toEqual(["streamkit.monitor.duration"]);
  expect(rules.get("monitor-absent")?.criteria.allOf[0].operator).toBe("LessThan");
});

test("what is due and waits is found by how late the schedule says it was, in seconds", () => {
  expect(query("schedule-late")).toBe(
    'AppMetrics | where Name == "streamkit.schedule.late" | summarize Value = max(Sum)',
  );
  expect(metrics["streamkit.schedule.late"]).toMatchObject({ kind: "gauge", unit: "s" });
  expect(projectFile("src/jobs/schedule.ts")).toContain('record("streamkit.schedule.late", report.lateMs / 1_000)');
});

test("a monitor that fails is found by its line", () => {
  expect(query("monitor-failures")).toContain('tostring(line.message) == "the monitor failed"');
  expect(projectFile("src/runtime.ts")).toContain('logger.error("the monitor failed", { error })');
});

test("records that the monitor cannot finish are counted by its runs, by what became of them", () => {
  expect(metricsIn(query("monitor-records-failed"))).toEqual(["streamkit.monitor.records"]);
  const [, attribute = "", outcome = ""] =
    /Properties\["([^"]+)"\]\) == "(\w+)"/.exec(query("monitor-records-failed")) ?? [];
  expect(outcome).toBe("failed");
  const recorded = sources.filter((text) => text.includes("streamkit.monitor.records") && text.includes(attribute));
  expect(recorded.some((text) => text.includes(`"${outcome}"`))).toBe(true);
  expect(query("monitor-records-failed")).toContain("Sum > 0 | summarize Value = count()");
});

test("a poison queue is told of for as long as something lies in it", () => {
  expect(metricsIn(query("poison"))).toEqual(["streamkit.notifications.poisoned"]);
  expect(query("poison")).toContain("summarize Value = max(Sum)");
});

test("there is an alert for wrong settings, for damage, for errors, for age, for the monitor, for what is due, for poison, for consumers that are behind, for throttling and for queues that grow", () => {
  expect(names).toEqual([
    "misconfigured",
    "corrupt-data",
    "server-errors",
    "pending-age",
    "monitor-failures",
    "monitor-records-failed",
    "monitor-absent",
    "schedule-late",
    "poison",
    "consumer-lag",
    "throttled",
    "queued",
  ]);
});

test("the runbook has a paragraph for each alert, and for no other", () => {
  const told = [...projectFile("docs/operations.md").matchAll(/^- `alert-([\w-]+)-\*`:/gm)].map(([, name]) => name);
  expect(told).toEqual(names);
});

test("alerts on what callers feel run every five minutes, all others every fifteen, and none skips a minute", () => {
  const minutes = (period: string): number => (period === "PT1H" ? 60 : Number(/^PT(\d+)M$/.exec(period)?.[1]));
  for (const [name, { evaluationFrequency, windowSize }] of rules) {
    expect(minutes(evaluationFrequency), name).toBe(["misconfigured", "server-errors"].includes(name) ? 5 : 15);
    expect(minutes(windowSize), name).toBeGreaterThanOrEqual(minutes(evaluationFrequency));
  }
});

test("alerts are written to those who are named, and cost nothing where they are off, as for development", () => {
  const alert = /^Microsoft\.Insights\/(scheduledQueryRules|metricAlerts|actionGroups)$/;
  for (const deployment of everyDeployment) {
    const off = deployment === development || deployment.name === "longest-names";
    expect(deployment.resources.filter(({ type }) => alert.test(type)).length, deployment.name).toBe(
      off ? 0 : names.length + 1,
    );
  }
  const receivers = (from: typeof production) =>
    only(from, "Microsoft.Insights/actionGroups").properties?.["emailReceivers"];
  expect(receivers(production)).toEqual([]);
  expect(receivers(deployed("zone-redundant"))).toMatchObject([{ emailAddress: "operators@example.org" }]);
});
