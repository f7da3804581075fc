// The page at /docs in headless Chromium: it shows every call, tries one, and asks nothing of any other host.

import { randomUUID } from "node:crypto";

import { launch } from "puppeteer-core";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";
import { operations } from "../../src/wire/operations.ts";

/** The store that the page fills in. */
const shownStore = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";

let app: RunningApp;
let browser: Browser;
let page: Page;
const requested: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  // Tables of its own: the page fills in the same store in every run.
  app = await startApp({ env: { STREAMKIT_TABLE_PREFIX: `docs${randomUUID().slice(0, 8)}` } });
  // The package unpacks its browser into the temporary folder: one of this run's own, so that runs do not meet.
  process.env["TMPDIR"] = inject("runFolder");
  const { default: chromium } = await import("@sparticuz/chromium");
  browser = await launch({ args: chromium.args, executablePath: await chromium.executablePath(), headless: "shell" });
  page = await browser.newPage();
  page.on("request", (request) => requested.push(request.url()));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
}, 120_000);
afterAll(async () => {
  await browser.close();
  await app.stop();
});

test("shows every call of the interface", { timeout: 60_000 }, async () => {
  await page.goto(`${app.url}/docs`, { waitUntil: "networkidle0" });
  await page.waitForSelector(".opblock");
  const shown = (await page.evaluate(`[...document.querySelectorAll(".opblock")].map((block) =>
    [".opblock-summary-method", ".opblock-summary-path"]
      .map((name) => block.querySelector(name).textContent.replaceAll("\\u200b", "").trim())
      .join(" "))`)) as string[];
  expect(shown.sort()).toEqual(operations.map(({ method, path }) => `${method} ${path}`).sort());
});

test("tries a produce with the example it shows, and tells the answer", { timeout: 60_000 }, async () => {
  const block = "#operations-Produce-produce";
  await open(block);
  await execute(block);
  expect(await statusIn(block)).toMatch(/^200/);
  const answer = await fetch(`${app.url}/v1/stores/${shownStore}/spaces/orders/entries?encoding=json`);
  expect(await answer.json()).toMatchObject({ entries: [{ segment: "order-1", payload: { item: "book", count: 1 } }] });
});

test("makes a subscription as it is filled in", { timeout: 60_000 }, async () => {
  const block = "#operations-Subscriptions-subscriptionPut";
  await open(block);
  await execute(block);
  expect(await statusIn(block)).toMatch(/^201/);
});

test("a live stream shows its events, and that the page left it", { timeout: 60_000 }, async () => {
  const block = "#operations-Consume-consumeSpace";
  await open(block);
  await page.select(`${block} .response .content-type`, "text/event-stream");
  await execute(block);
  const shown = `document.querySelector("${block} .live-responses-table .response .highlight-code, ${block} .live-responses-table .response pre")?.textContent ?? ""`;
  await page.waitForFunction(`(${shown}).includes("left the stream")`, { timeout: 30_000 });
  expect(await page.evaluate(shown)).toContain('data: {"sequence":1');
});

test("needs nothing from elsewhere and complains of nothing", () => {
  expect(requested.length).toBeGreaterThan(3);
  expect(requested.filter((url) => !url.startsWith(app.url) && !url.startsWith("data:"))).toEqual([]);
  expect(complaints).toEqual([]);
});

test("a file that is not the viewer's is not there", async () => {
  for (const name of ["package.json", "..%2F..%2Fpackage.json", "%2e%2e%2fhost.json", "constructor"]) {
    const answer = await fetch(`${app.url}/docs/${name}`);
    expect(answer.status, name).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "not_found" });
  }
});

async function open(block: string): Promise<void> {
  await page.click(`${block} .opblock-summary-control`);
  await page.waitForSelector(`${block} .execute`);
}

/** Without the mouse: the page moves while a call opens. */
async function execute(block: string): Promise<void> {
  await page.evaluate(`document.querySelector("${block} .execute").click()`);
}

/** The status of the answer that a call shows. */
async function statusIn(block: string): Promise<string> {
  const status = `${block} .live-responses-table .response .response-col_status`;
  await page.waitForSelector(status);
  return (await page.evaluate(`document.querySelector("${status}").textContent`)) as string;
}
