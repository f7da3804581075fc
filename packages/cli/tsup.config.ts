// Builds what programs import, with its types. What the command line and the local server are made of, build.ts puts beside it.

import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm"],
  platform: "node",
  target: "node22",
  dts: true,
  clean: true,
  silent: true,
});
