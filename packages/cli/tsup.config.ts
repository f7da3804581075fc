// The types of what programs import; all that runs, build.ts puts beside them.

import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm"],
  platform: "node",
  target: "node22",
  dts: { only: true },
  clean: true,
  silent: true,
});
