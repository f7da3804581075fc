// What takes too long for every change: `npm run test:long`, every night in the GitHub workflow. It shares the set-up
// of `npm test`.

import { defineConfig } from "vitest/config";

import usual from "./vitest.config.ts";

export default defineConfig({
  ...usual,
  test: {
    ...usual.test,
    include: ["test/long/**/*.long.ts"],
    maxWorkers: 1,
    testTimeout: 1_200_000,
    hookTimeout: 300_000,
  },
});
