// Every test of the project: `npm test`. One storage emulator and one build of the app serve a whole run.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/azurite.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The numbers for the last line of the automated run.
    ...(process.env["CI"] === undefined
      ? {}
      : { reporters: ["default", "json"], outputFile: { json: ".cache/vitest.json" } }),
  },
});
