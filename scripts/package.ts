// `npm run package`: makes dist/streamkit.zip, which is what is deployed: the bundle, host.json, a package.json, the
// native library.
//
// Promise: the same sources make the same bytes. It needs nothing of the project to run, holds nothing of it that does
// not, and is below the size that is promised.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { globSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { buildFunctions } from "./build.ts";
import { libraryFiles, nativeFiles, type Files, type Target } from "./native.ts";

/** Beyond it a package costs start time that nobody asked for. */
export const packageBytesMax = 10 * 1000 * 1000;

/** Zip knows no time zones and no years before 1980. */
const noTime = new Date(1980, 0, 1);

export interface PackageOptions {
  readonly root: string;
  /** The zip file. */
  readonly out: string;
  /** Processors it must run on, and those for which its binary is left out when it cannot be had. */
  readonly targets: readonly Target[];
  readonly optionalTargets?: readonly Target[];
}

export interface PackageReport {
  readonly bytes: number;
  readonly files: readonly string[];
  readonly targets: readonly Target[];
  /** Why an optional target is not in it. */
  readonly missing: ReadonlyMap<Target, string>;
}

export async function makePackage(options: PackageOptions): Promise<PackageReport> {
  const { root, out, targets, optionalTargets = [] } = options;
  const missing = new Map<Target, string>();
  const native = await Promise.all([
    libraryFiles(root),
    ...targets.map((target) => nativeFiles(root, target)),
    ...optionalTargets.map((target) =>
      nativeFiles(root, target).catch((error: unknown): Files => {
        missing.set(target, error instanceof Error ? error.message : String(error));
        return {};
      }),
    ),
  ]);
  const files = Object.fromEntries(
    [await ownFiles(root), ...native].flatMap((part) => Object.entries(part)).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const zip = zipSync(files, { level: 9, mtime: noTime });
  if (zip.byteLength > packageBytesMax) {
    throw new Error(`The package has ${zip.byteLength} bytes; at most ${packageBytesMax} are allowed.`);
  }
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, zip);
  return {
    bytes: zip.byteLength,
    files: Object.keys(files),
    targets: [...targets, ...optionalTargets.filter((target) => !missing.has(target))],
    missing,
  };
}

/** The app, built small and without its source maps, and what the host reads beside it. */
async function ownFiles(root: string): Promise<Files> {
  const stage = await mkdtemp(join(tmpdir(), "streamkit-package-"));
  try {
    await buildFunctions(root, join(stage, "dist"), { minify: true });
    const files: Record<string, Uint8Array> = {
      "host.json": await readFile(join(root, "host.json")),
      "package.json": Buffer.from(await deployedManifest(root)),
      LICENSE: await readFile(join(root, "LICENSE")),
    };
    for (const found of globSync("dist/**", { cwd: stage, withFileTypes: true })) {
      const path = join(found.parentPath, found.name);
      if (!found.isFile() || path.endsWith(".map")) continue;
      files[relative(stage, path).split(sep).join("/")] = await readFile(path);
    }
    return files;
  } finally {
    await rm(stage, { recursive: true });
  }
}

/** What the host and Node.js read of it. No dependencies: nothing is to be installed where it is deployed. */
async function deployedManifest(root: string): Promise<string> {
  const own = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  const { name, version, license, type, main, engines } = own;
  return `${JSON.stringify({ name, version, license, private: true, type, main, engines }, undefined, 2)}\n`;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, "..");
  const out = join(root, "dist/streamkit.zip");
  // Flex Consumption runs on x64; arm64 is for containers and machines of one's own.
  const options = { root, out, targets: ["linux-x64-gnu"], optionalTargets: ["linux-arm64-gnu"] };
  const report = await makePackage(options);
  console.log(`dist/streamkit.zip: ${Math.ceil(report.bytes / 1000)} kB, for ${report.targets.join(" and ")}.`);
  for (const [target, why] of report.missing) console.log(`Not for ${target}: ${why}`);
}
