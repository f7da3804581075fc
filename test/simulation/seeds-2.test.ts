import { expect, test } from "vitest";

import { firstFailure } from "./hold.ts";

test("seeds 501 to 1000 keep every invariant", { timeout: 900_000 }, async () => {
  expect(await firstFailure(501, 500)).toBeUndefined();
});
