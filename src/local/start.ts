// `npm start`: storage, if none is configured, and the app, until Ctrl-C.
// Promise: it says when it is ready and what to try; whatever it started is gone when it ends, however far it had come.

import { accessSync, constants, mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { startAzurite, usualPorts } from "./azurite.ts";
import { Child } from "./child.ts";
import { type Environment, readLocalSettings } from "./settings.ts";

/** An end that is explained by its message alone. */
class Refusal extends Error {}

const root = join(import.meta.dirname, "..", "..");
const host = "127.0.0.1";
const readyWithinMs = 60_000;

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

try {
  await start();
} catch (error) {
  // What is being stopped may well complain.
  if (stopping === undefined) console.error(error instanceof Refusal ? error.message : error);
  await stopAll(1);
}

async function start(): Promise<void> {
  const local = readLocalSettings(root);
  const port = choosePort(process.env["PORT"] ?? String(local.port ?? 7071));
  await refuseTakenPort(port);
  if (needsEmulator(process.env, local.values)) await provideEmulator();
  const app = startApp(port);
  const baseUrl = `http://${host}:${port}`;
  await untilReady(baseUrl, app);
  console.log(`\n${greeting(baseUrl)}`);
  const how = await app.exited;
  // Not awaited by us: then it was Ctrl-C, and that ends the process.
  if (stopping === undefined) throw new Refusal(`The app ended (${how}).`);
}

function choosePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Refusal(`PORT must be a number from 1 to 65535, not "${text}".`);
}

async function refuseTakenPort(port: number): Promise<void> {
  const probe = createServer();
  const free = await new Promise<boolean>((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
  if (!free) throw new Refusal(`Port ${port} is in use: choose another one, for example PORT=${port + 1} npm start.`);
}

/** Storage that the environment configures is not ours to start, nor an account that local.settings.json names. */
function needsEmulator(env: Environment, local: Environment): boolean {
  const configured = Object.entries(env).some(
    ([name, value]) =>
      value !== undefined && value !== "" && /^(AzureWebJobsStorage|STREAMKIT_STORAGE)(__|$)/.test(name),
  );
  return !configured && (local["STREAMKIT_STORAGE"] ?? local["AzureWebJobsStorage"]) === "UseDevelopmentStorage=true";
}

async function provideEmulator(): Promise<void> {
  const { queue, table, blob } = usualPorts;
  const emulatorListens = async (): Promise<boolean> => (await listens(queue)) && (await listens(table));
  if (await emulatorListens()) {
    console.log(`Storage: the emulator that listens on ports ${queue} and ${table} already.`);
    return;
  }
  for (const port of [blob, queue, table]) {
    if (await listens(port)) throw new Refusal(`Port ${port}, which Azurite needs, is in use by something else.`);
  }
  const location = join(root, ".azurite");
  mkdirSync(location, { recursive: true });
  const azurite = startAzurite({ location, ports: "usual" });
  children.push(azurite.child);
  try {
    await azurite.ready;
  } catch (error) {
    // Another `npm start` may have been a moment faster.
    if (!(await emulatorListens())) throw error;
  }
  console.log(`Storage: Azurite, with its data in ${location}`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

/** The Functions tools when they are there, else the project's own host. */
function startApp(port: number): Child {
  const func = findOnPath(process.platform === "win32" ? "func.exe" : "func");
  const [command, args] =
    func === undefined
      ? [
          process.execPath,
          ["--enable-source-maps", join(import.meta.dirname, "main.js"), "--root", root, "--port", `${port}`],
        ]
      : [func, ["start", "--port", `${port}`]];
  const app = new Child({ command, args, cwd: root, output: "shown" });
  children.push(app);
  return app;
}

function findOnPath(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** Any answer of /health but a server error: an app may have no such route, or want a key for it. */
async function untilReady(baseUrl: string, app: Child): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  let problem = "";
  while (performance.now() < deadline) {
    if (!app.running) throw new Refusal(`The app did not start (${await app.exited}).`);
    try {
      const answer = await fetch(`${baseUrl}/health`, { signal: AbortSignal.timeout(5000) });
      await answer.body?.cancel();
      if (answer.status < 500) return;
      problem = `/health answers ${answer.status}`;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Refusal(`The app is not ready after ${readyWithinMs / 1000} s: ${problem}.`);
}

function greeting(baseUrl: string): string {
  const segment = `${baseUrl}/v1/stores/0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21/spaces/orders/segments/order-1`;
  const body = '{"records":[{"payload":{"event":"placed","total":42}}]}';
  return [
    `Ready on ${baseUrl}. Ctrl-C ends it. Produce an event, then consume it:`,
    "",
    `  curl -X POST '${segment}/records?encoding=json' -H 'content-type: application/json' -d '${body}'`,
    "",
    `  curl '${segment}/entries?encoding=json'`,
    "",
  ].join("\n");
}
