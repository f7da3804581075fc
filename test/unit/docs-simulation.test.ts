// The table of deliberate mistakes in the docs is the list that `npm run mutants` goes through.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mutations } from "../simulation/mutations.ts";

test("docs/simulation.md lists every deliberate mistake, with the seeds that catch it", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/simulation.md"), "utf8");
  const listed = [...page.matchAll(/^\| (.+?) +\| `([a-z0-9-]+)` +\| (\d+) +\|$/gm)].map(
    ([, mistake, name, seeds]) => ({
      mistake,
      name,
      seeds: Number(seeds),
    }),
  );
  expect(listed).toEqual(mutations.map(({ mistake, name, seeds }) => ({ mistake, name, seeds })));
});

test("every deliberate mistake fits the sources as they are", async () => {
  const root = join(import.meta.dirname, "../..");
  for (const { name, patches } of mutations) {
    const texts = new Map<string, string>();
    for (const { file, find, replace } of patches) {
      const text = texts.get(file) ?? (await readFile(join(root, file), "utf8"));
      expect(text.split(find).length - 1, `${name} in ${file}`).toBe(1);
      texts.set(
        file,
        text.replace(find, () => replace),
      );
    }
  }
});
