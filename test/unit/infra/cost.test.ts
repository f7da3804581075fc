// The runbook's sums follow from its own prices and requests.

import { expect, test } from "vitest";
import { projectFile } from "./deployed.ts";

const runbook = projectFile("docs/operations.md");

/** Rows of the table whose head begins with `first`, as cells without emphasis. */
function table(first: string): readonly (readonly string[])[] {
  const lines = runbook.split("\n");
  const head = lines.findIndex((line) => line.startsWith(`| ${first}`));
  const end = lines.findIndex((line, at) => at > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.replaceAll("*", "").trim()),
  );
}

const number = (text: string | undefined): number => Number((text ?? "").replaceAll(",", ""));
const million = 1_000_000;
const perRequest = { tables: 0.00036 / 10_000, queues: 0.0004 / 10_000 };

test("the prices that sums are made of are those of the table of prices", () => {
  const prices = new Map(table("what                    | price").map(([what = "", price]) => [what, price]));
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
