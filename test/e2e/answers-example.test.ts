// The example that streams a model's answer, in headless Chromium: live, through a reload in the middle, and later.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { launch } from "puppeteer-core";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { answersServer } from "../../examples/answers.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const key = "host-key";
const linkKey = { name: "pages", secret: randomUUID() };
const tokens = Array.from({ length: 40 }, (_, index) => `${index} `);

/** Resolved one by one: the model has come so far. */
const steps = tokens.map(() => Promise.withResolvers<undefined>());
async function* model(question: string): AsyncGenerator<string, void, undefined> {
  yield `${question}\n`;
  for (const [index, token] of tokens.entries()) {
    await steps[index]!.promise;
    yield token;
  }
}
const comeTo = (count: number): void => steps.slice(0, count).forEach(({ resolve }) => resolve(undefined));
const answerUpTo = (count: number): string => `How many?\n${tokens.slice(0, count).join("")}`;

let app: RunningApp;
let server: Server;
let browser: Browser;
beforeAll(async () => {
  app = await startApp({
    env: {
      STREAMKIT_AUTH: "key",
      STREAMKIT_LOCAL_KEYS: JSON.stringify({ master: "m", host: { default: key } }),
      STREAMKIT_LINK_KEYS: `${linkKey.name}:${linkKey.secret}`,
      STREAMKIT_CORS_ORIGINS: "*",
    },
  });
  server = answersServer({ url: app.url, key, storeId: randomUUID(), linkKey, model });
  await once(server.listen(0, "127.0.0.1"), "listening");
  process.env["TMPDIR"] = inject("runFolder");
  const { default: chromium } = await import("@sparticuz/chromium");
  const args = chromium.args.filter((argument) => argument !== "--disable-web-security");
  browser = await launch({ args, executablePath: await chromium.executablePath(), headless: "shell" });
}, 120_000);
afterAll(async () => {
  await browser.close();
  server.close();
  await app.stop();
});

test(
  "an answer is shown as it comes, goes on after a reload, and is there for another page",
  { timeout: 60_000 },
  async () => {
    const { port } = server.address() as AddressInfo;
    const page = await browser.newPage();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    const shows = (of: typeof page, text: string): Promise<unknown> =>
      of.waitForFunction(`document.querySelector("#answer").textContent === ${JSON.stringify(text)}`, {
        timeout: 20_000,
      });
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.evaluate(`document.querySelector("input").value = "How many?"`);
    await page.evaluate(`document.querySelector("form").requestSubmit()`);
    await shows(page, answerUpTo(0));
    comeTo(10);
    await shows(page, answerUpTo(10));
    // It reloads while tokens come, and asks for what it does not have yet.
    requests.length = 0;
    const reloaded = page.reload();
    comeTo(25);
    await reloaded;
    await shows(page, answerUpTo(25));
    const read = requests.filter((url) => url.includes("/v1/links/"));
    expect(read).toHaveLength(1);
    expect(read[0]).toMatch(/offset=\d{16}_0*[1-9]\d*$/);
    const other = await browser.newPage();
    await other.goto(page.url());
    await shows(other, answerUpTo(25));
    comeTo(tokens.length);
    await Promise.all([page, other].map((one) => shows(one, answerUpTo(tokens.length))));
    // Nothing that a page was given has the key.
    expect(requests.filter((url) => url.includes(key))).toEqual([]);
  },
);
