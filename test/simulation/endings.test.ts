import { expect, test } from "vitest";

import { endings } from "./endings.ts";

test(
  "a space and a store end, come back and begin anew as they say, whatever fails",
  { timeout: 300_000 },
  async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 40; seed += 1) {
      const result = await endings(seed);
      if (result.wrong !== undefined) wrong.push(`seed ${seed}: ${result.wrong}`);
    }
    expect(wrong).toEqual([]);
  },
);
