// The runbook's sums follow from its own prices and requests.

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { development, ofType, production, projectFile, projectRoot } from "./deployed.ts";

const runbook = projectFile("docs/operations.md");

const cellsOf = (line: string): readonly string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.replaceAll("*", "").trim());

/** Rows of the table whose head begins with `first`, as cells without emphasis. */
function table(...first: readonly string[]): readonly (readonly string[])[] {
  const lines = runbook.split("\n");
  const head = lines.findIndex((line) => first.every((cell, at) => cellsOf(line)[at] === cell));
  if (head < 0) throw new Error(`The runbook has no table of ${first.join(", ")}.`);
  const end = lines.findIndex((line, at) => at > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map(cellsOf);
}

const number = (text: string | undefined): number => Number((text ?? "").replaceAll(",", ""));
const million = 1_000_000;
const perRequest = { tables: 0.00036 / 10_000, queues: 0.0004 / 10_000 };

test("the prices that sums are made of are those of the table of prices", () => {
  const prices = new Map(table("what", "price").map(([what = "", price]) => [what, price]));
  expect(prices.get("tables")).toMatch(/^0\.00036 per 10,000 requests; 0\.045 per GB/);
  expect(prices.get("queues")).toMatch(/^0\.0004 per 10,000/);
  expect(prices.get("functions, on demand")).toMatch(/^0\.40 per million executions; 0\.000026 per GB and second/);
});

test("writing a million events costs what its requests, executions and bytes cost", () => {
  const rows = table("events in a produce");
  expect(rows.map(([size]) => number(size))).toEqual([1, 10, 100, 1_000]);
  for (const row of rows) {
    const [size, requests, tables, queue, executions, compute, sum, bytes, month] = row.map(number);
    const produces = million / size!;
    expect(requests).toBe(2 * produces);
    expect(tables).toBeCloseTo(requests! * perRequest.tables, 4);
    // Sent and deleted one by one, received in batches of 16.
    expect(queue).toBeCloseTo(produces * (2 + 1 / 16) * perRequest.queues, 3);
    // The produce, and the dispatch of its notification.
    expect(executions).toBeCloseTo((2 * produces * 0.4) / million, 5);
    expect(Math.abs(sum! - (tables! + queue! + executions! + compute!)) / sum!).toBeLessThan(0.05); // Sums have two digits.
    expect(Math.abs(month! - (bytes! * million * 0.045) / 1e9) / month!).toBeLessThan(0.03);
  }
});

const atRest = new Map(table("what", "development").map(([what = "", ...cells]) => [what, cells]));
const row = (start: string) => [...atRest].find(([what]) => what.startsWith(start)) ?? ["none", []];

test("the stated cost of alerts is that of their rules and series", () => {
  const price = { PT5M: 1.5, PT15M: 0.5, series: 0.1 };
  const asked = (from: typeof production) =>
    ofType(from, "Microsoft.Insights/scheduledQueryRules").map(
      ({ properties }) => properties?.["evaluationFrequency"] as "PT5M" | "PT15M",
    );
  /** A rule watches a series for each combination of what its dimensions include. */
  const series = (from: typeof production) =>
    ofType(from, "Microsoft.Insights/metricAlerts").flatMap(({ properties }) => {
      const { allOf } = properties?.["criteria"] as {
        allOf: readonly { dimensions?: readonly { values: string[] }[] }[];
      };
      return allOf.map(({ dimensions = [] }) => dimensions.reduce((all, { values }) => all * values.length, 1));
    });
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
  const cost = (from: typeof production) =>
    sum(asked(from).map((often) => price[often])) + price.series * sum(series(from));
  const [what, cells] = row("alerts");
  expect(cells.slice(0, 2).map(number)).toEqual([cost(development), Number(cost(production).toFixed(2))]);
  const often = (period: string) => asked(production).filter((one) => one === period).length;
  expect(what).toBe(
    `alerts: ${often("PT5M")} rules asked every five minutes, ${often("PT15M")} every fifteen, ${sum(series(production))} series`,
  );
});

test("the stated cost of polling queues follows from their number and the host's interval", () => {
  const { extensions } = JSON.parse(projectFile("host.json")) as {
    readonly extensions: { readonly queues: { readonly maxPollingInterval: string } };
  };
  const { maxPollingInterval } = extensions.queues;
  const [seconds] = maxPollingInterval.split(":").map(Number).slice(-1);
  const functions = globSync("functions/*.ts", { cwd: projectRoot }).map(projectFile).join("\n");
  const queues = (functions.match(/\bapp\.storageQueue\(/g) ?? []).length;
  const looks = (3600 * 730) / seconds!;
  const [what, cells] = row("queues");
  expect(queues).toBe(2);
  expect(what).toBe(`queues, two: each is looked at every ${seconds} s, ${looks.toLocaleString("en-US")} times`);
  expect(cells.slice(0, 2)).toEqual(Array(2).fill((queues * looks * perRequest.queues).toFixed(2)));
});

test("the README says what the runbook does", () => {
  const readme = new Map(
    projectFile("README.md")
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map(cellsOf)
      .map(([what = "", dollars = ""]) => [what, dollars]),
  );
  const monitor = number(row("the monitor")[1][1]);
  const alerts = number(row("alerts")[1][1]);
  const ready = number(row("one instance")[1][1]);
  expect(readme.get("nobody calls, made for development")).toMatch(new RegExp(`^${monitor} a month`));
  expect(readme.get("nobody calls, made for production")).toBe(
    `${(monitor + alerts + ready).toFixed(2)} a month: ${ready} for an instance always ready, ${alerts.toFixed(2)} for alerts`,
  );
  const [one, , hundred, thousand] = table("events in a produce");
  expect(readme.get("a million events written, one in a produce")).toContain(`${one![6]}, with a notification of each`);
  expect(readme.get("a million events written, 100 or 1,000 in each")).toBe(`${hundred![6]} or ${thousand![6]}`);
  expect(readme.get("a million events kept")).toBe(`${thousand![8]} to ${one![8]} a month`);
  const busy = new Map(table("what", "dollars").map(([what = "", dollars = ""]) => [what, dollars]));
  expect(busy.get("one instance kept busy by live streams")).toMatch(/^137 on demand, 105 always ready/);
  expect(readme.get("an instance kept busy by live streams")).toMatch(/^105 to 137 a month/);
});

test("the stated cost of zones is two always-ready instances for each group of functions", () => {
  const functions = globSync("functions/*.ts", { cwd: projectRoot }).map(projectFile).join("\n");
  const groups = 1 + (functions.match(/\bapp\.(timer|storageQueue)\(/g) ?? []).length;
  const [what, cells] = row("several zones");
  expect(what).toContain(`each of ${groups} groups`);
  expect(cells[2]).toBe(`${2 * groups * number(row("one instance")[1][1])}, instead of the 21`);
});

test("the stated cost of an always-ready instance follows from its price", () => {
  const month = 3600 * 730;
  expect(number(row("one instance")[1][1])).toBe(Math.round(2 * 0.000004 * month));
});
