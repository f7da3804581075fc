// Builds the app's own function files over the LevelDB composition root, into a folder of this run.

import { globSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

import { requireBanner } from "../../../scripts/build.ts";

const root = join(import.meta.dirname, "../../..");
const runtime = join(import.meta.dirname, "runtime.ts");

/** `target` must be within the project: what is not bundled is found in its node_modules. */
export async function buildLevelApp(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await Promise.all([
    ...["host.json", "package.json"].map((file) => cp(join(root, file), join(target, file))),
    build({
      absWorkingDir: root,
      entryPoints: globSync("functions/*.ts", { cwd: root }).sort(),
      outbase: root,
      outdir: join(target, "dist"),
      chunkNames: "chunks/[name]-[hash]",
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node24",
      splitting: true,
      sourcemap: "linked",
      logLevel: "warning",
      external: ["@azure/functions-core", "@mongodb-js/zstd", "classic-level"],
      banner: { js: requireBanner },
      plugins: [
        {
          name: "another composition root",
          setup: (plugin) => plugin.onResolve({ filter: /\/runtime\.ts$/ }, () => ({ path: runtime })),
        },
      ],
    }),
  ]);
}
