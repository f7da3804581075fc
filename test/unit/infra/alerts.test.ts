// Alerts look for metrics and lines of the app. One that is called otherwise one day must not silence them.

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { metrics } from "../../../src/core/metrics.ts";
import type { Metric } from "../../../src/core/metrics.ts";
import { items, literal, projectFile, projectRoot, properties, readTemplate } from "./bicep.ts";

const alerts = await readTemplate("infra/modules/alerts.bicep");
const known: Readonly<Record<string, Metric>> = metrics;
const sources = globSync("src/**/*.ts", { cwd: projectRoot }).map(projectFile);
const written = (name: string): string => alerts.variables.find((one) => one.name === name)?.value?.text ?? "";
/** With the queries that it begins with. */
const query = (name: string): string =>
  written(name).replaceAll(/\$\{(\w+)\}/g, (all, inner: string) => written(inner).replaceAll("'", "") || all);
const metricsIn = (text: string): readonly string[] =>
  [...text.matchAll(/Name == "([^"]+)"/g)].map(([, metric = ""]) => metric);

const rules = items(alerts.variables.find(({ name }) => name === "queries")?.value).map((rule) => properties(rule));
const names = [
  ...rules.map((rule) => String(literal(rule.get("name")))),
  ...alerts.resources
    .filter(({ what }) => what.startsWith("Microsoft.Insights/metricAlerts@"))
    .map(({ symbol }) => symbol),
];

test("each metric that a query looks for is one that the app has", () => {
  const wanted = metricsIn(alerts.text);
  expect(wanted.length).toBeGreaterThan(0);
  expect(wanted.filter((name) => !(name in known))).toEqual([]);
});

test("least and greatest values are asked of histograms alone: of counters and gauges the exporter sends the value", () => {
  const asked = alerts.variables.map(({ name }) => query(name)).filter((text) => /\b(Min|Max)\b/.test(text));
  expect(asked.filter((text) => metricsIn(text).some((name) => known[name]?.kind !== "histogram"))).toEqual([]);
});

test("each rule has a query of its own", () => {
  const used = rules.map((rule) => rule.get("query")?.text ?? "");
  expect(used.filter((name) => query(name) === "")).toEqual([]);
  expect(new Set(used).size).toBe(rules.length);
});

test("the share of server errors is that of the answers by their status", () => {
  expect(written("serverErrors")).toMatch(/^'\$\{requests\} \| summarize failed = sumif\(ItemCount, status >= 500\)/);
  expect(metricsIn(query("requests"))).toEqual(["http.server.request.duration"]);
  const attribute = /Properties\["([^"]+)"\]/.exec(query("requests"))?.[1];
  expect(attribute).toBe("http.response.status_code");
  expect(sources.some((text) => text.includes(`"${attribute ?? ""}": `))).toBe(true);
});

test("the age of what is pending is the monitor's own figure, in milliseconds", () => {
  expect(metricsIn(query("pendingAge"))).toEqual(["streamkit.monitor.oldest_pending"]);
  expect(metrics["streamkit.monitor.oldest_pending"].unit).toBe("s");
  expect(query("pendingAge")).toContain("1000 * max(Sum)");
});

test("a monitor that does not run is missed by its runs", () => {
  expect(metricsIn(query("monitorRuns"))).toEqual(["streamkit.monitor.duration"]);
});

test("a monitor that fails is found by its line", () => {
  expect(query("monitorFailures")).toContain('tostring(line.message) == "the monitor failed"');
  expect(projectFile("src/runtime.ts")).toContain('log.error("the monitor failed", { error })');
});

test("records that the monitor cannot finish are counted by its runs, by what became of them", () => {
  expect(metricsIn(query("recordsFailed"))).toEqual(["streamkit.monitor.records"]);
  const [, attribute = "", outcome = ""] = /Properties\["([^"]+)"\]\) == "(\w+)"/.exec(query("recordsFailed")) ?? [];
  expect(outcome).toBe("failed");
  const recorded = sources.filter((text) => text.includes("streamkit.monitor.records") && text.includes(attribute));
  expect(recorded.some((text) => text.includes(`"${outcome}"`))).toBe(true);
  expect(query("recordsFailed")).toContain("Sum > 0 | summarize Value = count()");
});

test("a poison queue is told of for as long as something lies in it", () => {
  expect(metricsIn(query("poisoned"))).toEqual(["streamkit.notifications.poisoned"]);
  expect(query("poisoned")).toContain("summarize Value = max(Sum)");
});

test("there is an alert for errors, for age, for the monitor, for poison, for throttling and for queues that grow", () => {
  expect(names).toEqual([
    "server-errors",
    "pending-age",
    "monitor-failures",
    "monitor-records-failed",
    "monitor-absent",
    "poison",
    "throttled",
    "queued",
  ]);
});

test("the runbook has a paragraph for each alert, and for no other", () => {
  const told = [...projectFile("docs/operations.md").matchAll(/^- `alert-([\w-]+)-\*`:/gm)].map(([, name]) => name);
  expect(told).toEqual(names);
});
