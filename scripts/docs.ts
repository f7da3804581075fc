// `npm run docs`: writes the pages that say what the code says, from the code.
// Promise: a page is a function of the sources alone; a test holds that what is in docs/ is what it would be.

import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { settingsPage } from "./settings-page.ts";
import { telemetryPage } from "./telemetry-page.ts";

/** The generated pages, by their files in docs/. */
const pages: Readonly<Record<string, () => string>> = {
  "settings.md": settingsPage,
  "telemetry.md": telemetryPage,
};

const docs = join(import.meta.dirname, "../docs");

/** Each page as it is and as it is to be, formatted as everything here is. */
export async function generatedPages(): Promise<readonly { readonly file: string; readonly text: string }[]> {
  return Promise.all(
    Object.entries(pages).map(async ([name, page]) => {
      const file = join(docs, name);
      return { file, text: await format(page(), { ...(await resolveConfig(file)), filepath: file }) };
    }),
  );
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const { file, text } of await generatedPages()) {
    const current = await readFile(file, "utf8").catch(() => undefined);
    if (current !== text) await writeFile(file, text);
  }
}
