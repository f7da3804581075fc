// Pages of another origin, in headless Chromium, against the compiled app in the local host: with keys, which no
// preflight has, and with tokens.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { StreamkitClient } from "../../packages/client/src/index.ts";
import { methodsOf, formatPath } from "../../src/wire/operation.ts";
import { operations } from "../../src/wire/operations.ts";
import { openBrowser } from "./browser.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";
import { startIssuer } from "./issuer.ts";

const names = { store: randomUUID(), space: "a/b", segment: "g", key: "k", id: "i", job: randomUUID(), consumer: "c" };
const key = "host-key";
const keys = { master: "master-key", host: { default: key } };
const linkSecret = randomUUID();

/** Serves one empty page; its origin is that of a port of its own. */
let pages: Server;
let origin: string;
let other: string;
let browser: Browser;
let app: RunningApp;
beforeAll(async () => {
  pages = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<title>A page</title>");
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  const { port } = pages.address() as AddressInfo;
  origin = `http://127.0.0.1:${port}`;
  other = `http://localhost:${port}`;
  app = await startApp({
    env: {
      STREAMKIT_AUTH: "key",
      STREAMKIT_LOCAL_KEYS: JSON.stringify(keys),
      STREAMKIT_CORS_ORIGINS: origin,
      STREAMKIT_LINK_KEYS: `pages:${linkSecret}`,
    },
  });
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser.close();
  await app.stop();
  pages.close();
});

/** What the function, which has nothing but its argument, gives in a page of that origin. */
async function inPage<Given, Result>(
  of: string,
  run: (given: Given) => Promise<Result>,
  given: Given,
): Promise<Result> {
  const page = await browser.newPage();
  try {
    await page.goto(of);
    return (await page.evaluate(`(${run.toString()})(${JSON.stringify(given)})`)) as Result;
  } finally {
    await page.close();
  }
}

interface Given {
  readonly base: string;
  readonly space: string;
  readonly key: string;
}
const given = () => ({
  base: app.url,
  space: `/v1/stores/${names.store}/spaces/${encodeURIComponent("a/b")}`,
  key,
});

test(
  "a page of an origin that is set produces, reads, follows, and reads why it is refused",
  { timeout: 60_000 },
  async () => {
    const seen = await inPage(
      origin,
      async ({ base, space, key }: Given) => {
        const headers = { "content-type": "application/json", "x-functions-key": key };
        const call = async (
          path: string,
          init: Omit<RequestInit, "headers"> = {},
          more: Record<string, string> = {},
        ) => {
          const answer = await fetch(base + path, { ...init, headers: { ...headers, ...more } });
          return { status: answer.status, id: answer.headers.get("x-request-id"), text: await answer.text() };
        };
        const produced = await call(
          `${space}/segments/g/records?encoding=json`,
          { method: "POST", body: JSON.stringify({ records: [{ payload: "from a page" }] }) },
          { "idempotency-key": "one", "x-request-id": "of-the-page", "x-trace-of-a-library": "1" },
        );
        const read = await call(`${space}/entries?encoding=json`);
        const source = new EventSource(`${base}${space}/entries?encoding=json&code=${key}`);
        const event = await new Promise<string>((resolve) => {
          source.onmessage = (message) => resolve(message.data as string);
          source.onerror = () => resolve("an error");
        });
        source.close();
        const refused = await call(`${space}/entries?limt=1`);
        const wrong = await fetch(`${base}/health`, { method: "DELETE" }).catch(() => "kept from it");
        const nothing = await call("/nope", { method: "PUT" });
        const withoutKey = await fetch(`${base}${space}/entries`).then(String, () => "kept from it");
        return { produced, read, event, refused, wrong, nothing, withoutKey };
      },
      given(),
    );
    expect(seen.produced, seen.produced.text).toMatchObject({ status: 200, id: "of-the-page" });
    expect(JSON.parse(seen.read.text)).toMatchObject({ entries: [{ payload: "from a page" }] });
    expect(JSON.parse(seen.event)).toMatchObject({ sequence: 1, payload: "from a page" });
    expect([seen.refused.status, JSON.parse(seen.refused.text)]).toMatchObject([400, { field: "limt" }]);
    // The preflight tells the browser already.
    expect(seen.wrong).toBe("kept from it");
    expect([seen.nothing.status, JSON.parse(seen.nothing.text)]).toMatchObject([404, { code: "not_found" }]);
    // The host refuses it before the app sees it, and says nothing to pages.
    expect(seen.withoutKey).toBe("kept from it");
  },
);

test("a page of another origin is kept from reading and from writing", { timeout: 60_000 }, async () => {
  const seen = await inPage(
    other,
    async ({ base, space, key }: Given) => {
      const tried = (path: string, init: RequestInit) =>
        fetch(base + path, init).then(
          ({ status }) => status,
          () => "kept from it",
        );
      return [
        await tried("/health", {}),
        await tried(`${space}/entries?code=${key}`, {}),
        await tried(`${space}/segments/g/records?code=${key}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ records: [{ payload: "aGFsbG8=" }] }),
        }),
      ];
    },
    given(),
  );
  expect(seen).toEqual(["kept from it", "kept from it", "kept from it"]);
  const headers = { "x-functions-key": key };
  const { base, space } = given();
  const { entries } = (await (await fetch(`${base}${space}/entries`, { headers })).json()) as { entries: unknown[] };
  expect(entries.length).toBeLessThan(2);
});

test("a page reads by signed links what it has no key for, live too", { timeout: 60_000 }, async () => {
  const client = new StreamkitClient(app.url, { key }, { allowInsecureConnection: true });
  const segment = client.getStoreClient(names.store).getSpaceClient("a/b").getSegmentClient("linked");
  await segment.append({ payload: "one" });
  const stream = `${app.url}${given().space}/streams/tokens`;
  const headers = { "x-functions-key": key, "content-type": "text/plain" };
  await fetch(stream, { method: "PUT", headers });
  await fetch(stream, { method: "POST", headers, body: "a token" });
  const linkKey = { name: "pages", secret: linkSecret };
  const links = {
    entries: await segment.createReadLink({ key: linkKey }),
    stream: await client
      .getStoreClient(names.store)
      .getSpaceClient("a/b")
      .getSegmentClient("tokens")
      .createReadLink({ key: linkKey, form: "stream" }),
  };
  const seen = await inPage(
    origin,
    async ({ entries, stream }: typeof links) => {
      const page = await (await fetch(`${entries}?encoding=json`)).text();
      const source = new EventSource(`${entries}?encoding=json`);
      const event = await new Promise<string>((resolve) => {
        source.onmessage = (message) => resolve(message.data as string);
        source.onerror = () => resolve("an error");
      });
      source.close();
      const read = await fetch(`${stream}?offset=-1`);
      const tokens = [await read.text(), read.headers.get("stream-next-offset"), read.headers.get("stream-up-to-date")];
      const { status: written } = await fetch(stream, { method: "POST", body: "x" });
      const spoilt = await fetch(`${entries}x`);
      return { page, event, tokens, written, spoilt: [spoilt.status, await spoilt.text()] as const };
    },
    links,
  );
  expect(JSON.parse(seen.page)).toMatchObject({ entries: [{ segment: "linked", payload: "one" }] });
  expect(JSON.parse(seen.event)).toMatchObject({ payload: "one" });
  expect(seen.tokens).toEqual(["a token", expect.stringMatching(/^\d{16}_\d{16}$/), "true"]);
  expect(seen.written).toBe(405);
  expect([seen.spoilt[0], JSON.parse(seen.spoilt[1])]).toMatchObject([403, { code: "permission_denied" }]);
});

const paths = [...new Set(operations.map(({ path }) => path))];
const preflight = (url: string, path: (typeof paths)[number], method: string) =>
  fetch(`${url}${formatPath(path, names)}`, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": method, "access-control-request-headers": "content-type" },
  });

describe("on every route a preflight passes", () => {
  const taken = paths.map((path) => {
    const methods = operations.filter((one) => one.path === path).flatMap((one) => methodsOf(one) as string[]);
    return { path, methods };
  });

  test("where the host asks for keys, which it has none of", async () => {
    for (const { path, methods } of taken) {
      const { status, headers } = await preflight(app.url, path, methods[0]!);
      expect([status, headers.get("access-control-allow-origin")], path).toEqual([204, origin]);
      expect(headers.get("access-control-allow-methods")!.split(", "), path).toEqual([...methods, "OPTIONS"]);
      expect(headers.get("access-control-allow-headers"), path).toContain("x-functions-key");
    }
  });

  test("where the app asks for tokens; and that a page has none it can read", async () => {
    const issuer = await startIssuer();
    const tokens = await startApp({ env: { ...issuer.settings, STREAMKIT_CORS_ORIGINS: origin } });
    try {
      for (const { path, methods } of taken) {
        const { status, headers } = await preflight(tokens.url, path, methods[0]!);
        expect([status, headers.get("access-control-allow-origin")], path).toEqual([204, origin]);
        expect(headers.get("access-control-allow-headers"), path).toContain("authorization");
      }
      const answer = await fetch(`${tokens.url}/v1/stores/${names.store}/spaces`, { headers: { origin } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
      expect(answer.headers.get("access-control-expose-headers")).toContain("www-authenticate");
      expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
    } finally {
      await tokens.stop();
      issuer.close();
    }
  });
});
