// Builds what runs: functions/*.ts to dist/functions (with shared code in dist/chunks) and scripts/local/*.ts to
// dist/local. Promise: after a build, dist holds exactly this build's files; files whose content did not change were
// not touched, so an app that runs from dist keeps running while an identical one is built beside it.

import { randomUUID } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions, type Metafile, type OutputFile } from "esbuild";

/** `@azure/functions` and the other CommonJS libraries in the bundle call `require` for Node's own modules. */
export const requireBanner =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);';

/** What the deployed app must never carry: the tests' backend, the tools, the local host. */
const neverBundled = ["scripts/", "test/", "node_modules/classic-level/", "node_modules/fast-check/"];

const common = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  sourcemap: "linked",
  splitting: true,
  metafile: true,
  write: false,
  logLevel: "warning",
} satisfies BuildOptions;

export interface BuildFunctionsOptions {
  /** Smaller and faster to load; names stay, so that a stack still says where it came from. Default false. */
  readonly minify?: boolean;
}

/** Bundles the functions of the app at `root` into `outDir`. Throws when the bundle breaks one of its rules. */
export async function buildFunctions(
  root: string,
  outDir: string,
  { minify = false }: BuildFunctionsOptions = {},
): Promise<Metafile> {
  const app = await build({
    ...common,
    // A Node.js that is too old must get as far as saying so.
    target: "node20",
    minifyWhitespace: minify,
    minifySyntax: minify,
    absWorkingDir: root,
    entryPoints: globSync("functions/*.ts", { cwd: root }).sort(),
    outbase: root,
    outdir: outDir,
    // Outside of what package.json's `main` matches: the host would load each chunk as a function file.
    chunkNames: "chunks/[name]-[hash]",
    // The worker provides the first; the second is a native binary that is installed beside the bundle.
    external: ["@azure/functions-core", "@mongodb-js/zstd"],
    banner: { js: requireBanner },
  });
  checkBundle(app.metafile);
  await replaceFiles(outDir, "{functions,chunks}/**/*.{js,map}", app.outputFiles);
  if (existsSync(join(root, docsFunction))) await copyViewer(join(outDir, "docs"));
  return app.metafile;
}

/** The function that serves the files of the page at /docs, from the folder `docs` beside its own. */
const docsFunction = "functions/docs-file.ts";

async function copyViewer(folder: string): Promise<void> {
  const { resolve: locate } = createRequire(import.meta.url);
  for (const name of ["swagger-ui-bundle.js", "swagger-ui.css"]) {
    await writeIfChanged(join(folder, name), await readFile(locate(`swagger-ui-dist/${name}`)));
  }
}

/** Bundles the local host, whose libraries stay in node_modules, into `outDir`. */
export async function buildLocalHost(root: string, outDir: string): Promise<void> {
  const local = await build({
    ...common,
    absWorkingDir: root,
    entryPoints: ["scripts/local/main.ts", "scripts/local/start.ts"],
    outbase: join(root, "scripts"),
    outdir: outDir,
    chunkNames: "local/chunks/[name]-[hash]",
    packages: "external",
  });
  await replaceFiles(outDir, "local/**/*.{js,map}", local.outputFiles);
}

async function replaceFiles(outDir: string, pattern: string, files: readonly OutputFile[]): Promise<void> {
  const written = new Set<string>();
  for (const file of files) {
    await writeIfChanged(file.path, file.contents);
    written.add(file.path);
  }
  for (const name of globSync(pattern, { cwd: outDir })) {
    const path = join(outDir, name);
    if (!written.has(path)) await rm(path, { force: true });
  }
}

function checkBundle(metafile: Metafile): void {
  for (const input of Object.keys(metafile.inputs)) {
    const rule = neverBundled.find((prefix) => input.startsWith(prefix) || input.includes(`/${prefix}`));
    if (rule !== undefined) throw new Error(`The app's bundle holds ${input}; nothing of ${rule} may be deployed.`);
  }
  const holders = Object.entries(metafile.outputs).filter(([, output]) =>
    Object.keys(output.inputs).some((input) => input.includes("node_modules/@azure/functions/")),
  );
  if (holders.length > 1) {
    const names = holders.map(([name]) => name).join(", ");
    throw new Error(`@azure/functions keeps its state in its module and must be bundled once; it is in ${names}.`);
  }
}

/** By way of a rename, so that nobody ever reads half a file. */
async function writeIfChanged(path: string, contents: Uint8Array): Promise<void> {
  const current = await readFile(path).catch(() => undefined);
  if (current?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}.tmp`;
  await writeFile(draft, contents);
  await rename(draft, path);
}

/** For people. */
export function summary(app: Metafile): string {
  const outputs = Object.entries(app.outputs).filter(([name]) => name.endsWith(".js"));
  const bytes = outputs.reduce((sum, [, output]) => sum + output.bytes, 0);
  return `Built the app: ${outputs.length} files, ${Math.ceil(bytes / 1024)} KiB.`;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, "..");
  const dist = join(root, "dist");
  const [app] = await Promise.all([buildFunctions(root, dist), buildLocalHost(root, dist)]);
  console.log(summary(app));
}
