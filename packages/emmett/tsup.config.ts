// Builds the package: ESM and CommonJS, each with its types. Emmett and the client stay what the application has.

import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  platform: "neutral",
  target: "es2022",
  dts: true,
  clean: true,
  silent: true,
});
