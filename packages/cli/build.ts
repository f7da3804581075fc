// Builds the package: the command line, what programs import, and the local server, which is the app's own functions
// and the local host over the storage of this package.
//
// Promise: of the server only what keeps the data is another than on Azure; the rest is the app, file by file. Nothing
// is left to be installed beside the package.

import { globSync, readFileSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { BuildOptions, Metafile, Plugin } from "esbuild";
import { requireBanner } from "../../scripts/build.ts";

const root = join(import.meta.dirname, "../..");
const source = join(import.meta.dirname, "src/local");
const storage = join(source, "storage.ts");

/** What the app and its host ask of Azure, and what answers here. */
const replaced: readonly (readonly [RegExp, string])[] = [
  [/\/table\/sdk\.ts$/, storage],
  [/\/notify\/storage-queue\.ts$|^\.\/storage-queue\.ts$/, storage],
  [/^\.\/connections\.ts$/, storage],
  [/\/telemetry\/azure-monitor\.ts$/, join(source, "no-telemetry.ts")],
  [/^@mongodb-js\/zstd$/, join(source, "zstd-library.ts")],
];

const otherStorage: Plugin = {
  name: "another storage",
  setup: (plugin) => {
    for (const [filter, path] of replaced) plugin.onResolve({ filter }, () => ({ path }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  metafile: true,
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: "warning",
  banner: { js: requireBanner },
} satisfies BuildOptions;

/** Puts the program of a local server into `folder`: what `startLocal` starts. */
async function buildLocalServer(folder: string): Promise<Metafile> {
  const functions = globSync("functions/*.ts", { cwd: root }).sort();
  const { metafile } = await build({
    ...common,
    entryPoints: [
      ...functions.map((file) => ({ in: join(root, file), out: file.replace(/\.ts$/, "") })),
      { in: join(source, "worker.ts"), out: "worker" },
    ],
    outdir: folder,
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
    external: ["@azure/functions-core", "@azure/identity"],
    plugins: [otherStorage],
  });
  await Promise.all([
    cp(join(root, "host.json"), join(folder, "host.json")),
    writeFile(join(folder, "package.json"), JSON.stringify({ type: "module", main: "functions/*.js" })),
    copyViewer(join(folder, "docs")),
  ]);
  return metafile;
}

/** The page at /docs. */
async function copyViewer(folder: string): Promise<void> {
  const { resolve: locate } = createRequire(import.meta.url);
  await mkdir(folder, { recursive: true });
  for (const name of ["swagger-ui-bundle.js", "swagger-ui.css"])
    await cp(locate(`swagger-ui-dist/${name}`), join(folder, name));
}

/** The licences of what is in the bundles, as they ask for it. */
function notices(metafiles: readonly Metafile[]): string {
  const inputs = metafiles.flatMap(({ inputs: paths }) => Object.keys(paths));
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const texts = [...new Set([...folders, "node_modules/swagger-ui-dist"])].sort().map((folder) => {
    const files = globSync("{LICENSE,LICENCE,license,License}{,.md,.txt}", { cwd: join(root, folder) });
    const text = files.map((file) => readFileSync(join(root, folder, file), "utf8")).join("\n");
    return `${folder.replace(/^.*node_modules\//, "")}\n\n${text.trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** Puts into `dist` what the package has there, but for the types. */
export async function buildPackage(dist: string): Promise<void> {
  const program = build({
    ...common,
    entryPoints: ["cli", "index"].map((name) => ({ in: join(import.meta.dirname, `src/${name}.ts`), out: name })),
    outdir: dist,
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
    alias: {
      "streamkit-client": join(root, "packages/client/src/index.ts"),
      "@mongodb-js/zstd": join(source, "zstd-library.ts"),
    },
  });
  const metafiles = await Promise.all([
    buildLocalServer(join(dist, "local")),
    program.then(({ metafile }) => metafile),
  ]);
  await writeFile(join(dist, "NOTICES.txt"), notices(metafiles));
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await buildPackage(join(import.meta.dirname, "dist"));
}
