// How long a new instance takes: to load the app as it is packaged, and to give its first answers, with an emulator beside it.
// `node bench/cold-start.ts`: medians of so many starts, and what the loaded files are made of.

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
import { weigh, type Weight } from "../scripts/start-weight.ts";
import { startAzurite } from "../src/local/azurite.ts";

const starts = 7;
const root = join(import.meta.dirname, "..");

interface Start {
  readonly loadMs: number;
  readonly listensMs: number;
  readonly healthMs: number;
  readonly produceMs: number;
}

const folder = await mkdtemp(join(tmpdir(), "streamkit-cold-"));
// The host's own libraries are found from within the project.
const host = join(root, ".cache", `cold-${process.pid}`);
const azurite = startAzurite({ location: undefined, ports: "free" });
try {
  await buildLocalHost(root, host);
  const out = join(folder, "package.zip");
  const report = await makePackage({ root, out, targets: await installedTargets(root) });
  for (const [path, content] of Object.entries(unzipSync(await readFile(out)))) {
    await mkdir(dirname(join(folder, "app", path)), { recursive: true });
    await writeFile(join(folder, "app", path), content);
  }
  const storage = await azurite.ready;
  const runs: Start[] = [];
  for (let run = 0; run < starts; run += 1) runs.push(await start(storage));
  const median = (value: (one: Start) => number): string =>
    `${Math.round(runs.map(value).sort((a, b) => a - b)[Math.floor(starts / 2)] ?? 0)} ms`;
  console.log(`package                      ${Math.ceil(report.bytes / 1000)} kB`);
  console.log(`loading the function files   ${median(({ loadMs }) => loadMs)}`);
  console.log(`process start to listening   ${median(({ listensMs }) => listensMs)}`);
  console.log(`first answer (health)        ${median(({ healthMs }) => healthMs)}`);
  console.log(`first produce                ${median(({ produceMs }) => produceMs)}`);
  console.log(await contents());
} finally {
  await azurite.child.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(host, { recursive: true, force: true });
}

/** A process of its own for each start: the host, then the app in it. */
async function start(storage: string): Promise<Start> {
  const loadMs = await load(storage);
  const startedAt = performance.now();
  const child = fork(join(host, "local/main.js"), ["--root", join(folder, "app"), "--port", "0"], {
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
    const healthMs = await timed(() => fetch(`${ready}/health`));
    const segment = `${ready}/v1/stores/${randomUUID()}/spaces/s/segments/g/records?encoding=text`;
    const produceMs = await timed(() =>
      fetch(segment, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"records":[{"payload":"a"}]}',
      }),
    );
    return { loadMs, listensMs, healthMs, produceMs };
  } finally {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exited;
  }
}

/** All function files in a bare Node.js: what a worker does before it can take a request. */
async function load(storage: string): Promise<number> {
  const script = `
    import { globSync } from "node:fs";
    const startedAt = performance.now();
    for (const file of globSync(process.argv[1] + "/dist/functions/*.js").sort()) await import(file);
    console.log("loaded in", performance.now() - startedAt);
    process.exit();`;
  const args = ["--input-type=module", "-e", script, join(folder, "app")];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { AzureWebJobsStorage: storage } });
  return Number(/loaded in ([0-9.]+)/.exec(stdout)?.[1]);
}

async function timed(request: () => Promise<Response>): Promise<number> {
  const startedAt = performance.now();
  const answer = await request();
  await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} instead of an answer.`);
  return performance.now() - startedAt;
}

/** What is loaded at the start, and what only when it is needed, with the libraries that make most of it. */
async function contents(): Promise<string> {
  const { atStart, later } = weigh(await buildFunctions(root, join(folder, "dist"), { minify: true }));
  const line = (title: string, { bytes, libraries }: Weight): string => {
    const most = [...libraries].sort((a, b) => b[1] - a[1]).slice(0, 8);
    const list = most.map(([library, size]) => `${library} ${Math.round(size / 1000)}`).join(", ");
    return `${title.padEnd(28)} ${Math.round(bytes / 1000)} kB: ${list}`;
  };
  return [line("loaded at the start", atStart), line("loaded when it is needed", later)].join("\n");
}
