// The one library that is not bundled: Zstd, a small script and a native binary for each platform.
//
// Promise: what is handed out has the version and the integrity of package-lock.json: what is installed here was
// checked by npm when it was, and what is for another platform is installed by npm from the very same entries of the
// lock.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const library = "node_modules/@mongodb-js/zstd";

/** As the library names its binaries' packages: system, processor, C library. */
export type Target = string;

export interface LockEntry {
  readonly version: string;
  readonly [field: string]: unknown;
}

export interface Lock {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** The content of files by their paths in the app. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** The part of a lock that is the library and its binaries, with the package.json that goes with it. */
export function nativeLock(lock: Lock): { readonly lock: Lock; readonly manifest: object } {
  const entries = Object.entries(lock.packages).filter(([path]) => path === library || path.startsWith(`${library}-`));
  const version = lock.packages[library]?.version;
  if (version === undefined) throw new Error(`package-lock.json has no ${library}.`);
  const dependencies = { "@mongodb-js/zstd": version };
  const manifest = { name: "native", version: "0.0.0", private: true, dependencies };
  const top = { name: manifest.name, version: manifest.version, dependencies };
  return {
    manifest,
    lock: { lockfileVersion: lock.lockfileVersion, packages: { "": top, ...Object.fromEntries(entries) } },
  };
}

/** The targets whose binaries are installed in the project. */
export async function installedTargets(root: string): Promise<readonly Target[]> {
  const names = await readdir(join(root, "node_modules/@mongodb-js"));
  return names.filter((name) => name.startsWith("zstd-")).map((name) => name.slice("zstd-".length));
}

/** The library without its binaries. */
export async function libraryFiles(root: string): Promise<Files> {
  return readPackage(root, library);
}

/** The binary for one target, from the project or else by npm. Rejects when neither has it. */
export async function nativeFiles(root: string, target: Target): Promise<Files> {
  const folder = `${library}-${target}`;
  if (existsSync(join(root, folder))) return readPackage(root, folder);
  const [system = "", processor = "", libc = ""] = target.split("-");
  const stage = await mkdtemp(join(tmpdir(), "streamkit-native-"));
  try {
    const { lock, manifest } = nativeLock(JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as Lock);
    await writeFile(join(stage, "package.json"), JSON.stringify(manifest));
    await writeFile(join(stage, "package-lock.json"), JSON.stringify(lock));
    const platform = [
      `--os=${system}`,
      `--cpu=${processor}`,
      ...(libc === "gnu" ? ["--libc=glibc"] : [`--libc=${libc}`]),
    ];
    await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--fetch-retries=1", ...platform], { cwd: stage });
    return await readPackage(stage, folder);
  } finally {
    await rm(stage, { recursive: true });
  }
}

async function readPackage(root: string, folder: string): Promise<Files> {
  const files: Record<string, Uint8Array> = {};
  for (const name of (await readdir(join(root, folder))).sort()) {
    if (!/\.(md|d\.ts)$/i.test(name) || /^licen[cs]e/i.test(name)) {
      files[`${folder}/${name}`] = await readFile(join(root, folder, name));
    }
  }
  return files;
}
