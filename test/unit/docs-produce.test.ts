// Every example of a produce has what makes it safe to repeat.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { openApiDocument } from "../../src/wire/openapi.ts";

const root = join(import.meta.dirname, "../..");

test("each produce that a page shows has a key, or records with sequences", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: root })].map(producesOf);
  expect(pages.filter((commands) => commands.length > 0).length).toBeGreaterThanOrEqual(4);
  expect(pages.flat().filter((command) => !/idempotency-key: |"sequence":/.test(command))).toEqual([]);
});

function producesOf(page: string): readonly string[] {
  const markdown = readFileSync(join(root, page), "utf8");
  return [...markdown.matchAll(/^```sh.*?\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .filter((command) => /\/(records|transactions)\b/.test(command) && /(-d|--data\S*) /.test(command));
}

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
