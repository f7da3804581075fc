import { expect, test } from "vitest";

import { firstFailure } from "./hold.ts";

test("seeds 1 to 500 keep every invariant", { timeout: 900_000 }, async () => {
  expect(await firstFailure(1, 500)).toBeUndefined();
});
