import { expect, test } from "vitest";

import { restores } from "./restores.ts";

test("a backup is restored once and whole, whatever fails and whoever writes", { timeout: 300_000 }, async () => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= 40; seed += 1) {
    const result = await restores(seed);
    if (result.wrong !== undefined) wrong.push(`seed ${seed}: ${result.wrong}`);
  }
  expect(wrong).toEqual([]);
});
