import { expect, test } from "vitest";

import { consumers } from "./play.ts";

test(
  "a consumer keeps what it promises, whatever its workers, instances and operators do",
  { timeout: 600_000 },
  async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 25; seed += 1) {
      const result = await consumers(seed);
      if (result.wrong !== undefined) wrong.push(`seed ${seed}: ${result.wrong}`);
    }
    expect(wrong).toEqual([]);
  },
);
