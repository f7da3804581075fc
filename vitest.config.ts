// Every test of the project: `npm test`. One storage emulator and one build of the app serve a whole run.

import { availableParallelism } from "node:os";
import { join } from "node:path";

import { defineConfig } from "vitest/config";

export default defineConfig({
  // A package is tested as its sources are, without a build of it before.
  resolve: { alias: { "streamkit-client": join(import.meta.dirname, "packages/client/src/index.ts") } },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts", "packages/*/test/**/*.test.ts"],
    globalSetup: ["test/azurite.ts"],
    // Most of what a test does is waiting: also on two cores, two at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The numbers for the last line of the automated run.
    ...(process.env["CI"] === undefined
      ? {}
      : { reporters: ["default", "json"], outputFile: { json: ".cache/vitest.json" } }),
  },
});
