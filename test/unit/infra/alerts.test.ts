// Alerts look for metrics and lines of the app. One that is called otherwise one day must not silence them.

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { metrics } from "../../../src/core/metrics.ts";
import { items, literal, projectFile, projectRoot, properties, readTemplate } from "./bicep.ts";

const alerts = await readTemplate("infra/modules/alerts.bicep");
const query = (name: string): string => alerts.variables.find((one) => one.name === name)?.value?.text ?? "";

/** The metrics that a query looks for, each of them one that the app has. */
function metricsIn(name: string): readonly string[] {
  const found = [...query(name).matchAll(/Name == "([^"]+)"/g)].map(([, metric = ""]) => metric);
  expect(found.filter((metric) => !(metric in metrics))).toEqual([]);
  return found;
}

test("the share of server errors is that of the answers by their status", () => {
  expect(query("serverErrors")).toMatch(/^'\$\{requests\} \| summarize failed = sumif\(ItemCount, status >= 500\)/);
  expect(metricsIn("requests")).toEqual(["http.server.request.duration"]);
  const attribute = /Properties\["([^"]+)"\]/.exec(query("requests"))?.[1];
  expect(attribute).toBe("http.response.status_code");
  const sources = globSync("src/server/*.ts", { cwd: projectRoot }).map(projectFile);
  expect(sources.some((text) => text.includes(`"${attribute ?? ""}": `))).toBe(true);
});

test("the age of what is pending is the monitor's own figure, in milliseconds", () => {
  expect(metricsIn("pendingAge")).toEqual(["streamkit.monitor.oldest_pending"]);
  expect(metrics["streamkit.monitor.oldest_pending"].unit).toBe("s");
  expect(query("pendingAge")).toContain("1000 * max(Max)");
});

test("a monitor that does not run is missed by its runs", () => {
  expect(metricsIn("monitorRuns")).toEqual(["streamkit.monitor.duration"]);
});

test("a monitor that fails is found by its line", () => {
  expect(query("monitorFailures")).toContain('tostring(line.message) == "the monitor failed"');
  expect(projectFile("src/runtime.ts")).toContain('log.error("the monitor failed", { error })');
});

test("there is an alert for errors, for age, for the monitor, for poison, for throttling and for queues that grow", () => {
  const rules = items(alerts.variables.find(({ name }) => name === "queries")?.value).map((rule) =>
    literal(properties(rule).get("name")),
  );
  const metrics = alerts.resources
    .filter(({ what }) => what.startsWith("Microsoft.Insights/metricAlerts@"))
    .map(({ symbol }) => symbol);
  expect([...rules, ...metrics]).toEqual([
    "server-errors",
    "pending-age",
    "monitor-failures",
    "monitor-absent",
    "poison",
    "throttled",
    "queued",
  ]);
});

test("the runbook has a paragraph for each alert", () => {
  const runbook = projectFile("docs/operations.md");
  for (const name of [
    "server-errors",
    "pending-age",
    "monitor-failures",
    "monitor-absent",
    "poison",
    "throttled",
    "queued",
  ]) {
    expect(runbook, name).toContain(`\`alert-${name}-`);
  }
});
