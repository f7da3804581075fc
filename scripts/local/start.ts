// `npm start`: storage, if the settings mean the emulator, and the app, until Ctrl-C.
// Promise: it says when the app and its storage answer and what to try; whatever it started is gone when it ends,
// however far it had come.

import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { usualPorts } from "./azurite.ts";
import { Child } from "./child.ts";
import { needsEmulator, provideEmulator } from "./emulator.ts";
import { portRefusal, Refusal } from "./refusal.ts";
import { type LocalSettings, readLocalSettings } from "./settings.ts";
import { findTools } from "./tools.ts";
import { within } from "./within.ts";

const root = join(import.meta.dirname, "..", "..");
const host = "127.0.0.1";
const readyWithinMs = 60_000;
/** From the app's first answer on: an emulator that listens needs no time, an account in the cloud little. */
const storageWithinMs = 10_000;

// In the order of their starts; stopped in the reverse.
const children: Child[] = [];
let stopping: Promise<never> | undefined;

function stopAll(exitCode: number): Promise<never> {
  return (stopping ??= (async () => {
    for (const child of children.toReversed()) await child.stop();
    process.exit(exitCode);
  })());
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  const before = process.listeners(signal);
  process.on(signal, () => void stopAll(0));
  // Ours first, then away with those of the build: with none for a moment, a signal would end us, or be lost.
  for (const listener of before) process.off(signal, listener);
}

// A shell or npm between us and the terminal may be gone without having passed on why.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) void stopAll(0);
}, 500).unref();

/** In place of what is wrong with the storage: the app, or its host, is not set up right. */
const misconfigured = Symbol("misconfigured");

/** The own host prints why it does not start. */
const alreadySaid = new Refusal("The app has said why.");

try {
  await start();
} catch (error) {
  // What is being stopped may well complain.
  if (stopping === undefined && error !== alreadySaid) console.error(error instanceof Refusal ? error.message : error);
  await stopAll(1);
}

async function start(): Promise<void> {
  const local = readLocalSettings(root);
  const port = choosePort(local);
  await refuseTakenPort(port);
  const emulator = needsEmulator(process.env, local.values)
    ? await provideEmulator({
        location: join(root, ".azurite"),
        ports: usualPorts,
        begun: (child) => children.push(child),
        print: (line) => console.log(line),
      })
    : undefined;
  // What is started after a Ctrl-C nobody would stop.
  if (stopping !== undefined) return stopping;
  const baseUrl = `http://${host}:${port}`;
  const app = startApp(port, baseUrl);
  await untilReady(app);
  await untilStored(baseUrl, app);
  console.log(`\n${greeting(baseUrl, app.kind === "own" && setting(local, "STREAMKIT_LOCAL_KEYS") !== undefined)}`);
  const ends = [app.child.exited.then((how) => `The app ended (${how}).`)];
  if (emulator !== undefined) {
    ends.push(emulator.exited.then((how) => `Azurite ended (${how}): there is no storage any more.`));
  }
  throw new Refusal(await Promise.race(ends));
}

/** Of the environment, else of local.settings.json; an empty one is an absent one. */
function setting({ values }: LocalSettings, name: string): string | undefined {
  return [process.env[name], values[name]].find((value) => value !== undefined && value !== "");
}

function choosePort(local: LocalSettings): number {
  const text = setting(local, "PORT") ?? String(local.port ?? 7071);
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Refusal(`PORT must be a number from 1 to 65535, not "${text}".`);
}

/** Before anything is started for nothing. Whoever takes it from now on is found out by the app. */
function refuseTakenPort(port: number): Promise<void> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once("error", (error) => reject(portRefusal(error, port)));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

interface App {
  readonly kind: "own" | "tools";
  readonly child: Child;
  /** Resolves when it answers. */
  readonly listening: Promise<unknown>;
}

/** The Functions tools when they are there, else the project's own host. */
function startApp(port: number, baseUrl: string): App {
  const tools = findTools(port, process.env["PATH"] ?? "");
  if (tools === undefined) {
    const args = ["--enable-source-maps", join(import.meta.dirname, "main.js"), "--root", root, "--port", `${port}`];
    const child = new Child({ command: process.execPath, args, cwd: root, output: "shown" });
    children.push(child);
    // Of the process itself: at the port another one might answer.
    return { kind: "own", child, listening: new Promise((resolve) => child.process.once("message", resolve)) };
  }
  // It would hand on the channel to the worker that it starts, which would take it for its own.
  const child = new Child({ ...tools, cwd: root, output: "shown", channel: "none" });
  children.push(child);
  return { kind: "tools", child, listening: untilAnswered(baseUrl) };
}

async function untilReady({ kind, child, listening }: App): Promise<void> {
  const ended = child.exited.then((how) => {
    throw kind === "own" && how === 1 ? alreadySaid : new Refusal(`The app did not start (${how}).`);
  });
  if (await within(readyWithinMs, Promise.race([listening, ended]))) return;
  throw new Refusal(`The app is not ready after ${readyWithinMs / 1000} s.`);
}

async function untilAnswered(baseUrl: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`${baseUrl}/health`, { method: "HEAD", signal: AbortSignal.timeout(5000) });
      return;
    } catch {
      await delay(100);
    }
  }
}

async function untilStored(baseUrl: string, { child }: App): Promise<void> {
  const deadline = performance.now() + storageWithinMs;
  for (;;) {
    const problem = await storageProblem(baseUrl);
    if (problem === undefined) return;
    // The line of the log that says so has the setting.
    if (problem === misconfigured) throw new Refusal("The app runs, but answers every call 503: see its log above.");
    if (!child.running) throw new Refusal(`The app ended (${await child.exited}).`);
    if (performance.now() > deadline) {
      throw new Refusal(
        `The app runs, but its storage does not answer: ${problem} AzureWebJobsStorage, or STREAMKIT_STORAGE, says where it is.`,
      );
    }
    await delay(250);
  }
}

/** Undefined also when the app has no such page, or wants a key for it: then nothing is known against its storage. */
async function storageProblem(baseUrl: string): Promise<string | typeof misconfigured | undefined> {
  try {
    const answer = await fetch(`${baseUrl}/health?deep=true`, { signal: AbortSignal.timeout(storageWithinMs) });
    const text = await answer.text();
    if (answer.status < 500) return undefined;
    // The host itself, which does not run.
    if (answer.status === 503 && text === "") return misconfigured;
    const { code, detail } = JSON.parse(text) as { readonly code?: string; readonly detail?: string };
    if (code === "misconfigured") return misconfigured;
    return detail ?? `/health?deep=true answers ${answer.status}.`;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}.`;
  }
}

function greeting(baseUrl: string, isKeyed: boolean): string {
  const segment = `${baseUrl}/v1/stores/0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21/spaces/orders/segments/order-1`;
  const body = '{"records":[{"payload":{"event":"placed","total":42}}]}';
  const key = isKeyed ? ` -H "x-functions-key: $KEY"` : "";
  // Whoever repeats it writes nothing twice, as every produce should be.
  const headers = `-H 'content-type: application/json' -H 'idempotency-key: ${randomUUID()}'`;
  return [
    `Ready on ${baseUrl}. Ctrl-C ends it. Produce an event, then consume it:`,
    "",
    ...(isKeyed ? ["  KEY=... # one of STREAMKIT_LOCAL_KEYS", ""] : []),
    `  curl -X POST '${segment}/records?encoding=json'${key} ${headers} -d '${body}'`,
    "",
    `  curl '${segment}/entries?encoding=json'${key}`,
    "",
    `Every call, to read and to try: ${baseUrl}/docs`,
    "",
  ].join("\n");
}
