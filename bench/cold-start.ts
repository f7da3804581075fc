// How long a new instance takes: to load the app as it is packaged, and to give its first answers, with an emulator
// beside it; and what the loaded files are made of. Medians of so many starts.

import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execFile, fork } from "node:child_process";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { buildFunctions, buildLocalHost } from "../scripts/build.ts";
import { installedTargets } from "../scripts/native.ts";
import { makePackage } from "../scripts/package.ts";
import { weigh } from "../scripts/start-weight.ts";
import type { Figure, Measure } from "./measure.ts";
import { median } from "./measure.ts";
import { withStorage } from "./storage.ts";

const root = join(import.meta.dirname, "..");

interface Start {
  /** A Node.js that does nothing. */
  readonly bareMs: number;
  readonly loadMs: number;
  readonly listensMs: number;
  readonly healthMs: number;
  readonly produceMs: number;
}

/** What is started: the folder of the app, the local host's, the storage. */
interface Place {
  readonly app: string;
  readonly host: string;
  readonly storage: string;
}

export const coldStart: Measure = {
  name: "cold-start",
  about: "A new process of the packaged app, the local host in it: until it listens, and its first answers.",
  run: async ({ rounds }) => {
    const folder = await mkdtemp(join(tmpdir(), "streamkit-cold-"));
    // The host's own libraries are found from within the project.
    const host = join(root, ".cache", `cold-${process.pid}`);
    try {
      await buildLocalHost(root, host);
      const out = join(folder, "package.zip");
      const { bytes } = await makePackage({ root, out, targets: await installedTargets(root) });
      const app = join(folder, "app");
      for (const [path, content] of Object.entries(unzipSync(await readFile(out)))) {
        await mkdir(dirname(join(app, path)), { recursive: true });
        await writeFile(join(app, path), content);
      }
      const runs: Start[] = [];
      await withStorage(async (storage) => {
        for (let run = 0; run < rounds; run += 1) runs.push(await start({ app, host, storage }));
      });
      const of = (value: (one: Start) => number): number => Math.round(median(runs.map(value)));
      const bare = of(({ bareMs }) => bareMs);
      const listens = of(({ listensMs }) => listensMs);
      return [
        { what: "package", value: Math.ceil(bytes / 1_000), unit: "kB" },
        { what: "a Node.js that does nothing", value: bare, unit: "ms" },
        { what: "loading the function files", value: of(({ loadMs }) => loadMs), unit: "ms" },
        { what: "from the start of the process until it listens", value: listens, unit: "ms" },
        { what: "from the start of the process until it listens", value: listens / bare, unit: "bare starts" },
        { what: "first answer (health)", value: of(({ healthMs }) => healthMs), unit: "ms" },
        { what: "first produce", value: of(({ produceMs }) => produceMs), unit: "ms" },
        ...(await contents(join(folder, "dist"))),
      ];
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rm(host, { recursive: true, force: true });
    }
  },
};

/** A process of its own for each start: the host, then the app in it. */
async function start({ app, host, storage }: Place): Promise<Start> {
  const bareMs = await timed(() => promisify(execFile)(process.execPath, ["-e", ""]));
  const loadMs = await load(app, storage);
  const startedAt = performance.now();
  const child = fork(join(host, "local/main.js"), ["--root", app, "--port", "0"], {
    silent: true,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      AzureWebJobsStorage: storage,
      STREAMKIT_NOTIFICATIONS_QUEUE: `status-${randomUUID()}`,
    },
  });
  try {
    const { ready } = await new Promise<{ ready: string }>((resolve, reject) => {
      child.once("message", (message) => resolve(message as { ready: string }));
      child.once("exit", () => reject(new Error("The app did not start.")));
    });
    const listensMs = performance.now() - startedAt;
    const healthMs = await timed(() => answered(fetch(`${ready}/health`)));
    const segment = `${ready}/v1/stores/${randomUUID()}/spaces/s/segments/g/records?encoding=text`;
    const headers = { "content-type": "application/json" };
    const body = '{"records":[{"payload":"a"}]}';
    const produceMs = await timed(() => answered(fetch(segment, { method: "POST", headers, body })));
    return { bareMs, loadMs, listensMs, healthMs, produceMs };
  } finally {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exited;
  }
}

/** All function files in a bare Node.js: what a worker does before it can take a request. */
async function load(app: string, storage: string): Promise<number> {
  const script = `
    import { globSync } from "node:fs";
    const startedAt = performance.now();
    for (const file of globSync(process.argv[1] + "/dist/functions/*.js").sort()) await import(file);
    console.log("loaded in", performance.now() - startedAt);
    process.exit();`;
  const args = ["--input-type=module", "-e", script, app];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { AzureWebJobsStorage: storage } });
  return Number(/loaded in ([0-9.]+)/.exec(stdout)?.[1]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function answered(asked: Promise<Response>): Promise<void> {
  const answer = await asked;
  await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} instead of an answer.`);
}

/** What is loaded at the start, with the libraries that make most of it, and what only when it is needed. */
async function contents(dist: string): Promise<Figure[]> {
  const { atStart, later } = weigh(await buildFunctions(root, dist, { minify: true }));
  const kB = (bytes: number): number => Math.round(bytes / 1_000);
  const most = [...atStart.libraries].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return [
    { what: "script loaded at the start", value: kB(atStart.bytes), unit: "kB" },
    ...most.map(([library, bytes]) => ({
      what: `script loaded at the start: ${library}`,
      value: kB(bytes),
      unit: "kB",
    })),
    { what: "script loaded when it is needed", value: kB(later.bytes), unit: "kB" },
  ];
}
