// `npm start`, as far as it can be tried without the emulator's usual ports: with storage that the environment configures.

import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, expect, inject, test } from "vitest";
import { Child } from "../../src/local/child.ts";
import { installApp } from "../azurite.ts";
import { until } from "./harness.ts";

let appRoot: string;
let started: Child | undefined;

beforeAll(async () => {
  appRoot = join(inject("runFolder"), "streaming-start");
  await installApp(join(import.meta.dirname, "fixture-apps/streaming"), appRoot);
});
afterEach(() => started?.stop("SIGKILL"));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function start(env: Record<string, string>, args = [join(appRoot, "dist/local/start.js")]): Child {
  started = new Child({
    command: process.execPath,
    args,
    env: {
      // Whatever tools this machine has.
      PATH: "",
      HOME: process.env["HOME"],
      AzureWebJobsStorage: inject("azurite"),
      TEST_QUEUE: "start-messages",
      ...env,
    },
    output: "kept",
  });
  return started;
}

test("says when it is ready, with commands to try, and ends with 0 and without a trace", async () => {
  const port = await freePort();
  const child = start({ PORT: String(port) });
  await until("it is ready", () => child.output.includes("Ready on"), 20_000);
  const segment = `http://127.0.0.1:${port}/v1/stores/0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21/spaces/orders/segments/order-1`;
  expect(child.output).toContain(`curl -X POST '${segment}/records?encoding=json'`);
  expect(child.output).toContain(`curl '${segment}/entries?encoding=json'`);
  expect((await fetch(`http://127.0.0.1:${port}/state`)).status).toBe(200);
  await child.stop("SIGINT");
  expect(await child.exited).toBe(0);
  await expect(fetch(`http://127.0.0.1:${port}/state`)).rejects.toThrow("fetch failed");
});

test("a port in use is one sentence", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const child = start({ PORT: String(port) });
    expect(await child.exited).toBe(1);
    expect(child.output).toBe(`Port ${port} is in use: choose another one, for example PORT=${port + 1} npm start.\n`);
  } finally {
    server.close();
  }
});

test("a port that is none is one sentence", async () => {
  const child = start({ PORT: "http" });
  expect(await child.exited).toBe(1);
  expect(child.output).toBe('PORT must be a number from 1 to 65535, not "http".\n');
});

test("interrupted half way it ends with 0, and what it had started ends too", async () => {
  const port = await freePort();
  const child = start({ PORT: String(port) });
  // The app's process is there but does not answer yet.
  await until(
    "the app is being started",
    () => child.output.includes("is in error") || child.output.includes("answers on"),
  );
  await child.stop("SIGTERM");
  expect(await child.exited).toBe(0);
  await expect(fetch(`http://127.0.0.1:${port}/state`)).rejects.toThrow("fetch failed");
});

test("interrupted while what was built takes over, it ends with 0", { timeout: 60_000 }, async () => {
  for (const ms of [0, 5, 10, 20, 40, 80]) {
    const child = start({ PORT: String(await freePort()), STREAMKIT_NOTIFICATIONS_QUEUE: "-" }, [
      join(import.meta.dirname, "../../scripts/start.ts"),
    ]);
    const built = Promise.withResolvers<undefined>();
    child.process.stdout!.on("data", () => {
      if (child.output.includes("Built the app")) built.resolve(undefined);
    });
    await built.promise;
    await delay(ms);
    child.process.kill("SIGINT");
    expect(await Promise.race([child.exited, delay(10_000, "still running", { ref: false })]), `after ${ms} ms`).toBe(
      0,
    );
  }
});

test("an app that cannot start ends it with 1", async () => {
  const child = start({ PORT: String(await freePort()), AzureFunctionsJobHost__version: "1.0" });
  expect(await child.exited).toBe(1);
  expect(child.output).toContain("host.json cannot be used");
  expect(child.output).toContain("The app did not start (1).");
});

test("when it is killed, the app ends by itself", async () => {
  const port = await freePort();
  const child = start({ PORT: String(port) });
  await until("it is ready", () => child.output.includes("Ready on"), 20_000);
  await child.stop("SIGKILL");
  await until("nothing answers any more", () =>
    fetch(`http://127.0.0.1:${port}/state`).then(
      () => false,
      () => true,
    ),
  );
});

test("with the Functions tools on the PATH it is they that run the app", async () => {
  const folder = join(inject("runFolder"), "tools");
  await mkdir(folder, { recursive: true });
  const server = "require('http').createServer((q, a) => a.end('func')).listen(Number(process.argv[1]), '127.0.0.1')";
  await writeFile(join(folder, "func"), `#!/bin/sh\necho "func $*"\nexec "${process.execPath}" -e "${server}" "$3"\n`);
  await chmod(join(folder, "func"), 0o755);
  const port = await freePort();
  const child = start({ PORT: String(port), PATH: folder });
  await until("it is ready", () => child.output.includes("Ready on"), 20_000);
  expect(child.output).toContain(`func start --port ${port}`);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("func");
  await child.stop("SIGINT");
  expect(await child.exited).toBe(0);
});
