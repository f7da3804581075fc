// The examples of the documentation do what they say: each command is run as it stands, and its answer is the one that
// is shown.
//
// A page marks its first lines of shell with `sh setup`, and with `sh key` or `sh token` what is for an app that asks
// for them. A block of shell is followed by its answer, as json or text. What differs from run to run (ids, timestamps,
// cursors) is not compared.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { operations } from "../../src/wire/operations.ts";
import { matchPath } from "../../src/wire/operation.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";
import { startIssuer } from "./issuer.ts";
import type { Issuer } from "./issuer.ts";

const pages = ["docs/http-api.md", "docs/leases.md", "docs/consumers.md", "docs/notifications.md"];
const shownUrl = "http://127.0.0.1:7071";
const shownStore = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";

type Asked = "nothing" | "key" | "token";

let issuer: Issuer;
let apps: Readonly<Record<Asked, RunningApp>>;
beforeAll(async () => {
  issuer = await startIssuer();
  const keys = JSON.stringify({ master: "m", host: { default: "the-key" }, functions: {} });
  apps = {
    nothing: await startApp(),
    key: await startApp({ env: { STREAMKIT_AUTH: "key", STREAMKIT_LOCAL_KEYS: keys } }),
    token: await startApp({ env: issuer.settings }),
  };
});
afterAll(async () => {
  for (const app of Object.values(apps)) await app.stop();
  issuer.close();
});

interface Example {
  readonly command: string;
  /** What the app asks of its callers. */
  readonly asked: Asked;
  readonly language: string;
  readonly answer: string;
}

describe.each(pages)("%s", async (page) => {
  const { setup, examples } = parsePage(await readFile(join(import.meta.dirname, "../..", page), "utf8"));
  const store = randomUUID();

  test("has an answer to each of its commands", () => {
    expect(examples.length).toBeGreaterThan(0);
    for (const { command, answer } of examples) expect(answer, command).not.toBe("");
  });

  // In their order: what one writes, the next ones read.
  test.each(examples)("$command", async ({ command, asked, language, answer }) => {
    const script = `${setup}\n${command}`.replaceAll(shownUrl, apps[asked].url).replaceAll(shownStore, store);
    const env = { ...process.env, KEY: "the-key", TOKEN: await issuer.token(`streamkit::${store}`) };
    const run = (text: string) => promisify(execFile)("bash", ["-euo", "pipefail", "-c", text], { env });
    const { stdout } = await run(script);
    const form =
      language === "json" ? (text: string) => JSON.stringify(JSON.parse(text), null, 2) : (text: string) => text.trim();
    expect(steady(form(stdout))).toBe(steady(form(answer)));
    if (asked === "nothing") return;
    // It is the key or the token that opened it.
    const refused = await run(
      script.replace(/\$(KEY|TOKEN)/, "wrong").replace("curl -s", "curl -s -o /dev/null -w '%{http_code}'"),
    );
    expect(refused.stdout).toBe("401");
  });
});

test("the page of the interface has an example of every call", async () => {
  const { examples } = parsePage(await readFile(join(import.meta.dirname, "../..", "docs/http-api.md"), "utf8"));
  const shown = examples.flatMap(({ command }) =>
    command.split("curl ").map((call) => {
      const [, path = ""] = /"(\$(?:STORE|BASE)[^"?]*)/.exec(call) ?? [];
      const method = /-X (\w+)/.exec(call)?.[1] ?? (/ -d | --data/.test(call) ? "POST" : "GET");
      return { method, path: path.replace("$STORE", `/v1/stores/${shownStore}`).replace("$BASE", "") };
    }),
  );
  const missing = operations.filter(
    (operation) =>
      !shown.some(({ method, path }) => method === operation.method && matchPath(operation.path, path) !== undefined),
  );
  expect(missing.map(({ id }) => id)).toEqual([]);
  expect(shown).toContainEqual({ method: "GET", path: "/docs" });
});

function parsePage(markdown: string): { readonly setup: string; readonly examples: readonly Example[] } {
  const blocks = [...markdown.matchAll(/^```(\w+)(?: (setup|key|token))?\n(.*?)^```$/gms)];
  const setup = blocks.find(([, , mark]) => mark === "setup")?.[3] ?? "";
  const examples = blocks.flatMap(([, language, mark, command = ""], index): Example[] => {
    if (language !== "sh" || mark === "setup") return [];
    const [, answerLanguage = "", , answer = ""] = blocks[index + 1] ?? [];
    const asked = (mark ?? "nothing") as Asked;
    return [{ command, asked, language: answerLanguage, answer: answerLanguage === "sh" ? "" : answer }];
  });
  return { setup, examples };
}

function steady(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "(uuid)")
    .replaceAll(/\b[0-9a-f]{60,}\b/g, "(cursor)")
    .replaceAll(/"c1[0-9]{12}"/g, '"(cursor)"')
    .replaceAll(/\bwhsec_[A-Za-z0-9+/]+=*/g, "(secret)")
    .replaceAll(/"ms": [0-9]+/g, '"ms": "(time)"')
    .replaceAll(/"remainingMs": [0-9]+/g, '"remainingMs": "(time)"')
    .replaceAll(/\b1[0-9]{12}\b/g, "(time)");
}
