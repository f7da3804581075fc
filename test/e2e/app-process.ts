// The compiled app in the local host, as a process of its own on a free port: for tests, and for programs without a
// test runner. Promise: when it is handed out it answers; `stop` returns when the process is gone.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Child } from "../../scripts/local/child.ts";

export interface AppProcessOptions {
  /** The storage: a connection string. */
  readonly azurite: string;
  /** The app's folder. */
  readonly appRoot: string;
  /** The folder whose dist/local holds the local host. */
  readonly hostRoot: string;
  /** The Node.js that runs it; default: that of this process. */
  readonly node?: string;
  /** Settings of the app; they win over local.settings.json and over those that are set here. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunningApp {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly pid: number;
  /** What the host and the app wrote, stdout and stderr. */
  logs(): string;
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const readyWithinMs = 30_000;

/** Rejects, with the logs, when the app does not start. */
export async function startAppProcess(options: AppProcessOptions): Promise<RunningApp> {
  const child = new Child({
    command: options.node ?? process.execPath,
    args: [
      "--enable-source-maps",
      ...[join(options.hostRoot, "dist/local/main.js"), "--root", options.appRoot, "--port", "0"],
    ],
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      AzureWebJobsStorage: options.azurite,
      // Apps that share a queue would take each other's messages.
      STREAMKIT_NOTIFICATIONS_QUEUE: `status-${randomUUID()}`,
      ...options.env,
    },
    output: "kept",
  });
  const ready = Promise.withResolvers<string>();
  child.process.once("message", (message) => ready.resolve((message as { ready: string }).ready));
  void child.exited.then((how) => ready.reject(new Error(`The app ended (${how}) before it was ready.`)));
  const timer = setTimeout(() => ready.reject(new Error("The app is not ready in time.")), readyWithinMs);
  try {
    const url = await ready.promise;
    return {
      url,
      pid: child.process.pid!,
      logs: () => child.output,
      exited: child.exited,
      stop: (signal) => child.stop(signal),
    };
  } catch (error) {
    await child.stop("SIGKILL");
    throw new Error(`${(error as Error).message}\n${child.output}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
