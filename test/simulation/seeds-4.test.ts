import { expect, test } from "vitest";

import { firstFailure } from "./hold.ts";

test("seeds 1501 to 2000 keep every invariant", { timeout: 900_000 }, async () => {
  expect(await firstFailure(1501, 500)).toBeUndefined();
});
