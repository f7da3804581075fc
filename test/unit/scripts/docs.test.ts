import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { generatedPages } from "../../../scripts/docs.ts";
import { settingsSchema } from "../../../src/settings.ts";

const pages = await generatedPages();

test.each(pages.map((page) => ({ name: basename(page.file), ...page })))(
  "docs/$name is what the code says; npm run docs writes it",
  async ({ file, text }) => {
    expect(await readFile(file, "utf8")).toBe(text);
  },
);

test("the page of settings has a row for each, with what it does and what it may be", () => {
  const text = pages.find(({ file }) => file.endsWith("settings.md"))?.text ?? "";
  for (const name of Object.keys(settingsSchema.shape)) {
    expect(text, name).toMatch(new RegExp(`^\\| \`${name}\` +\\| [A-Z].{10,}\\. +\\| \\S`, "m"));
  }
  expect(text).toMatch(/STREAMKIT_WAL_GRACE_MS.*\| an integer from 0 to 3600000 +\| `30000` /);
});
