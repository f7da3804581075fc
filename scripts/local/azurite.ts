// Azurite, the storage emulator, as a child process: for `npm start` on disk and on its usual ports, for tests in
// memory on free ones. Promise: when it was started it answers; it ends with the process that started it, even when
// that is killed.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Child } from "./child.ts";

export interface AzuriteOptions {
  /** The folder of its data; undefined: in memory. */
  readonly location: string | undefined;
  readonly ports: EmulatorPorts | "free";
}

export interface Azurite {
  readonly child: Child;
  /** Resolves with its connection string when it answers; rejects, with what it said, when it ends before that. */
  readonly ready: Promise<string>;
}

export interface EmulatorPorts {
  readonly blob: number;
  readonly queue: number;
  readonly table: number;
}

/** Those that `UseDevelopmentStorage=true` means. */
export const usualPorts: EmulatorPorts = { blob: 10_000, queue: 10_001, table: 10_002 };

// The emulator's well-known account: public, the same on every machine.
const account =
  "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

// Azurite closes idle connections after 5 s, just when a client may want to use one; and it must not outlive its
// parent.
const keepAliveSeconds = 3600;
const watchParent = 'process.on("disconnect", () => process.kill(process.pid, "SIGTERM")); process.channel.unref();';

export function startAzurite(options: AzuriteOptions): Azurite {
  const packageJson = createRequire(import.meta.url).resolve("azurite/package.json");
  const services = ["blob", "queue", "table"] as const;
  const child = new Child({
    command: process.execPath,
    args: [
      ...["--no-deprecation", "--import", `data:text/javascript,${encodeURIComponent(watchParent)}`],
      join(dirname(packageJson), "dist/src/azurite.js"),
      ...["--silent", "--skipApiVersionCheck", "--disableTelemetry"],
      ...(options.location === undefined ? ["--inMemoryPersistence"] : ["--location", options.location]),
      ...services.flatMap((service) => [
        ...[`--${service}Host`, "127.0.0.1"],
        ...[`--${service}Port`, String(options.ports === "free" ? 0 : options.ports[service])],
        ...[`--${service}KeepAliveTimeout`, String(keepAliveSeconds)],
      ]),
    ],
    output: "kept",
  });
  return { child, ready: waitUntilReady(child) };
}

async function waitUntilReady(child: Child): Promise<string> {
  const listening = Promise.withResolvers<string>();
  child.process.stdout?.on("data", () => {
    const [blob, queue, table] = ["Blob", "Queue", "Table"].map((service) => endpoint(child.output, service));
    if (blob !== undefined && queue !== undefined && table !== undefined) {
      const endpoints = `BlobEndpoint=${blob};QueueEndpoint=${queue};TableEndpoint=${table};`;
      listening.resolve(`DefaultEndpointsProtocol=http;${account};${endpoints}`);
    }
  });
  void child.exited.then((how) => {
    const said = child.output.trim().split("\n").slice(-5).join("\n");
    listening.reject(new Error(`Azurite ended (${how}) before it was ready:\n${said}`));
  });
  return listening.promise;
}

function endpoint(output: string, service: string): string | undefined {
  const url = new RegExp(`Azurite ${service} service is successfully listening at (http://\\S+:\\d+)`).exec(
    output,
  )?.[1];
  return url && `${url}/devstoreaccount1`;
}
