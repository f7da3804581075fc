// `npm start`, as far as it can be tried without the emulator's usual ports: with storage that the environment
// configures.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { Child } from "../../scripts/local/child.ts";
import { portRefusal } from "../../scripts/local/refusal.ts";
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
      // Independent of this machine's tools.
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

const portInUse = (port: number): string =>
  portRefusal(Object.assign(new Error(), { code: "EADDRINUSE" }), port).message;

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
    expect(child.output).toBe(`${portInUse(port)}\n`);
  } finally {
    server.close();
  }
});

test("when two start on one port at once, one is ready, and the other says in one sentence why it is not", async () => {
  const port = await freePort();
  const both = [start({ PORT: String(port) }), start({ PORT: String(port) })];
  try {
    const ended = await Promise.race(both.map((child) => child.exited.then((how) => ({ child, how }))));
    expect(ended.how).toBe(1);
    expect(ended.child.output.trimEnd().split("\n").at(-1)).toBe(portInUse(port));
    expect(ended.child.output).not.toMatch(/Ready on|^ +at /m);
    const winner = both.find((child) => child !== ended.child)!;
    await until("the other is ready", () => winner.output.includes("Ready on"), 20_000);
  } finally {
    await Promise.all(both.map((child) => child.stop("SIGINT")));
  }
});

test("an empty PORT is an absent one", async () => {
  const port = await freePort();
  const folder = join(inject("runFolder"), "streaming-port");
  await cp(appRoot, folder, { recursive: true });
  await writeFile(join(folder, "local.settings.json"), JSON.stringify({ Host: { LocalHttpPort: port } }));
  const child = start({ PORT: "", FROM_BOTH: "" }, [join(folder, "dist/local/start.js")]);
  await until("it is ready", () => child.output.includes(`Ready on http://127.0.0.1:${port}.`), 20_000);
  await until("it names the page with every call", () => child.output.includes(`http://127.0.0.1:${port}/docs`), 5000);
});

describe("the project's own app", () => {
  const ownStart = (env: Record<string, string>): Promise<Child> =>
    freePort().then((port) =>
      start({ PORT: String(port), STREAMKIT_NOTIFICATIONS_QUEUE: "-", ...env }, [
        join(inject("appRoot"), "dist/local/start.js"),
      ]),
    );

  test("is ready when its storage answers, and the commands to try work, the produce as often as it is sent", async () => {
    const child = await ownStart({});
    await until("it is ready", () => child.output.includes("Every call"), 20_000);
    const [produce, consume] = child.output.match(/^ {2}curl .*$/gm)!.map((line) => line.trim());
    const run = async (command: string): Promise<unknown> => {
      const { stdout } = await promisify(execFile)("sh", ["-c", command]);
      return JSON.parse(stdout);
    };
    const first = await run(produce!);
    const repeated = await run(produce!);
    expect([first, repeated]).toMatchObject([false, true].map((duplicate) => ({ transactions: [{ duplicate }] })));
    expect(await run(consume!)).toMatchObject({ entries: [{ payload: { event: "placed", total: 42 } }] });
  });

  test("with keys says to send one in the commands to try, and shows none; the app itself does not see them", async () => {
    const keys = { STREAMKIT_AUTH: "key", STREAMKIT_LOCAL_KEYS: '{"master":"master-key"}' };
    const child = await ownStart(keys);
    await until("it is ready", () => child.output.includes("Ready on"), 20_000);
    expect(child.output.match(/curl .*-H "x-functions-key: \$KEY"/g)).toHaveLength(2);
    expect(child.output).not.toMatch(/master-key|no such setting/);
  });

  test("over storage that does not answer is not ready, and ends with 1 and a sentence", async () => {
    const nothing = `http://127.0.0.1:${await freePort()}`;
    const AzureWebJobsStorage = inject("azurite").replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, nothing);
    const child = await ownStart({ AzureWebJobsStorage });
    expect(await child.exited).toBe(1);
    expect(child.output).not.toContain("Ready");
    expect(child.output).toMatch(/^The app runs, but its storage does not answer: .* says where it is\.$/m);
  });

  test("with a wrong setting is not ready, and ends with 1 and what is wrong", async () => {
    const child = await ownStart({ STREAMKIT_WAL_GRACE_MS: "soon" });
    expect(await child.exited).toBe(1);
    expect(child.output).not.toContain("Ready");
    expect(child.output).toContain('"reason":"STREAMKIT_WAL_GRACE_MS: expected an integer from 0 to 3600000."');
    expect(child.output).toMatch(/^The app runs, but answers every call 503: see its log above\.$/m);
  });
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
  const child = start({ PORT: String(await freePort()), STREAMKIT_LOCAL_KEYS: "{" });
  expect(await child.exited).toBe(1);
  expect(child.output).toMatch(/^The app does not start\. SyntaxError/);
});

test("a host.json that stops the host ends it with 1, and it says what is wrong", async () => {
  const child = start({ PORT: String(await freePort()), AzureFunctionsJobHost__version: "1.0" });
  expect(await child.exited).toBe(1);
  expect(child.output).not.toContain("Ready");
  expect(child.output).toMatch(/FATAL Host\.Startup: host\.json cannot be used: .*"2\.0".* version/);
  expect(child.output).toMatch(/^The app runs, but answers every call 503: see its log above\.$/m);
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
  const server =
    "require('http').createServer((q, a) => a.end('func ' + process.channel)).listen(+process.argv[1], '127.0.0.1')";
  await writeFile(join(folder, "func"), `#!/bin/sh\necho "func $*"\nexec "${process.execPath}" -e "${server}" "$3"\n`);
  await chmod(join(folder, "func"), 0o755);
  const port = await freePort();
  const child = start({ PORT: String(port), PATH: folder });
  await until("it is ready", () => child.output.includes("Ready on"), 20_000);
  expect(child.output).toContain(`func start --port ${port}`);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("func undefined");
  await child.stop("SIGINT");
  expect(await child.exited).toBe(0);
});
