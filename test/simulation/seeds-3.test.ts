import { expect, test } from "vitest";

import { firstFailure } from "./hold.ts";

test("seeds 1001 to 1500 keep every invariant", { timeout: 900_000 }, async () => {
  expect(await firstFailure(1001, 500)).toBeUndefined();
});
