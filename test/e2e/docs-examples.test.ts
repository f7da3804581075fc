// The examples of the documentation do what they say: each command is run as it stands, and its answer is the one that is shown.
//
// A page marks its first lines of shell with `sh setup`. A block of shell is followed by its answer, as json or text. What differs
// from run to run (ids, timestamps, cursors) is not compared.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const pages = ["docs/http-api.md", "docs/leases.md", "docs/notifications.md"];
const shownUrl = "http://127.0.0.1:7071";
const shownStore = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

interface Example {
  readonly command: string;
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
  test.each(examples)("$command", async ({ command, language, answer }) => {
    const script = `${setup}\n${command}`.replaceAll(shownUrl, app.url).replaceAll(shownStore, store);
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script]);
    const form =
      language === "json" ? (text: string) => JSON.stringify(JSON.parse(text), null, 2) : (text: string) => text.trim();
    expect(steady(form(stdout))).toBe(steady(form(answer)));
  });
});

function parsePage(markdown: string): { readonly setup: string; readonly examples: readonly Example[] } {
  const blocks = [...markdown.matchAll(/^```(\w+)( setup)?\n(.*?)^```$/gms)];
  const setup = blocks.find(([, , isSetup]) => isSetup !== undefined)?.[3] ?? "";
  const examples = blocks.flatMap(([, language, isSetup, command = ""], index): Example[] => {
    if (language !== "sh" || isSetup !== undefined) return [];
    const [, answerLanguage = "", , answer = ""] = blocks[index + 1] ?? [];
    return [{ command, language: answerLanguage, answer: answerLanguage === "sh" ? "" : answer }];
  });
  return { setup, examples };
}

function steady(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "(uuid)")
    .replaceAll(/\b[0-9a-f]{60,}\b/g, "(cursor)")
    .replaceAll(/"c1[0-9]{12}"/g, '"(cursor)"')
    .replaceAll(/\bwhsec_[A-Za-z0-9+/]+=*/g, "(secret)")
    .replaceAll(/"remainingMs": [0-9]+/g, '"remainingMs": "(time)"')
    .replaceAll(/\b1[0-9]{12}\b/g, "(time)");
}
