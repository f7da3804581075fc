// What a test run shares: one Azurite in memory on free ports, the app and the local server as they were built for this
// run. Promise: two runs at once do not meet; when a run ends, or is killed, its processes end too, and its folder goes
// at the latest when the next run begins.

import { globSync } from "node:fs";
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildPackage } from "../packages/cli/build.ts";
import { buildFunctions, buildLocalHost } from "../scripts/build.ts";
import { startAzurite } from "../scripts/local/azurite.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The connection string of this run's emulator. */
    readonly azurite: string;
    /** A folder as it is deployed, with host.json, package.json and dist; the local host is in dist/local. */
    readonly appRoot: string;
    /** The folder of the package `streamkit` as it is published, but for its types. */
    readonly cliRoot: string;
    /** The program of the local server in it. */
    readonly localServer: string;
    /** A folder of this run for what tests write; it is removed at the end. */
    readonly runFolder: string;
  }
}

const root = join(import.meta.dirname, "..");

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandoned();
  const runFolder = join(root, ".cache", `run-${process.pid}`);
  const azurite = startAzurite({ location: undefined, ports: "free" });
  const teardown = async (): Promise<void> => {
    await azurite.child.stop();
    await rm(runFolder, { recursive: true, force: true });
  };
  try {
    const appRoot = join(runFolder, "app");
    const cliRoot = join(runFolder, "cli");
    const builds = [installApp(root, appRoot), installCommandLine(cliRoot)];
    const [connectionString] = await Promise.all([azurite.ready, ...builds]);
    project.provide("azurite", connectionString);
    project.provide("appRoot", appRoot);
    project.provide("cliRoot", cliRoot);
    project.provide("localServer", join(cliRoot, "dist/local/worker.js"));
    project.provide("runFolder", runFolder);
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
}

/**
 * Builds the app whose sources are at `source` and puts into `target` what is deployed, and the local host beside it.
 */
export async function installApp(source: string, target: string): Promise<void> {
  const dist = join(target, "dist");
  await mkdir(target, { recursive: true });
  await Promise.all([
    ...globSync(["host.json", "package.json", "local.settings.json"], { cwd: source }).map((file) =>
      cp(join(source, file), join(target, file)),
    ),
    buildFunctions(source, dist),
    buildLocalHost(root, dist),
  ]);
}

async function installCommandLine(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await Promise.all([
    cp(join(root, "packages/cli/package.json"), join(target, "package.json")),
    buildPackage(join(target, "dist")),
  ]);
}

/** The folders of runs that were killed. */
async function removeAbandoned(): Promise<void> {
  for (const folder of globSync(".cache/run-*", { cwd: root })) {
    const pid = Number(folder.slice(folder.lastIndexOf("-") + 1));
    if (!isAlive(pid)) await rm(join(root, folder), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
