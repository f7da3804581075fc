// Whoever copies an example of a produce copies what makes it safe to repeat.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { openApiDocument } from "../../src/wire/openapi.ts";

const pages = ["README.md", "docs/http-api.md", "docs/leases.md", "docs/notifications.md"];

test.each(pages)("each produce that %s shows has a key, or records with sequences", (page) => {
  const markdown = readFileSync(join(import.meta.dirname, "../..", page), "utf8");
  const commands = [...markdown.matchAll(/^```sh.*?\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .filter((command) => /\/(records|transactions)\b/.test(command) && /(-d|--data\S*) /.test(command));
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.filter((command) => !/idempotency-key: |"sequence":/.test(command))).toEqual([]);
});

test("each produce that the description shows has a key", () => {
  const { paths } = openApiDocument({ access: "key", media: "all", version: "3.1" }) as {
    readonly paths: Record<string, Record<string, Described>>;
  };
  const produces = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .filter(({ tags }) => tags.includes("Produce"));
  expect(produces.length).toBeGreaterThan(1);
  for (const { parameters } of produces) {
    const key = parameters.find(({ name }) => name === "Idempotency-Key");
    expect(key?.schema.examples).toEqual([expect.any(String)]);
  }
});

interface Described {
  readonly tags: readonly string[];
  readonly parameters: readonly { readonly name: string; readonly schema: { readonly examples?: readonly string[] } }[];
}
