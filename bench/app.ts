// The app as it is deployed, in the local host, in a process of its own; and a plain client that calls it.
// Promise: the process and its folder are gone when the measure ends.

import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";

import { installApp } from "../test/azurite.ts";
import { startAppProcess } from "../test/e2e/app-process.ts";
import type { StoreId } from "../src/core/ids.ts";
import { type Cost, profileOfProcess } from "./profile.ts";
import { eventText } from "./events.ts";
import { segment, space } from "./written.ts";

export interface App {
  readonly client: AppClient;
  /** CPU that the process has taken, milliseconds. */
  cpuMs(): number;
  /** Memory of the process that is in use, MiB. */
  rssMiB(): number;
  /** Where the processor's time goes while the work runs. */
  profile(work: () => Promise<unknown>): Promise<readonly Cost[]>;
}

const root = join(import.meta.dirname, "..");
/** Of a run of tests or measures: removed with the process's number by the next one, should this one be killed. */
const runFolder = join(root, ".cache", `run-${process.pid}`);

/** Notifications off, so that the calls' own costs are seen. */
export async function withApp<T>(storage: string, use: (app: App) => Promise<T>): Promise<T> {
  const appRoot = join(runFolder, "app");
  await installApp(root, appRoot);
  const profileFile = join(runFolder, "profile.json");
  const env = {
    STREAMKIT_NOTIFICATIONS_QUEUE: "",
    NODE_OPTIONS: `--import ${new URL("./app-profiler.ts", import.meta.url).href}`,
    PROFILE_FILE: profileFile,
  };
  const running = await startAppProcess({ azurite: storage, appRoot, hostRoot: appRoot, env });
  const client = new AppClient(running.url);
  try {
    return await use({
      client,
      cpuMs: () => cpuMsOf(running.pid),
      rssMiB: () => rssMiBOf(running.pid),
      profile: async (work) => {
        await rm(profileFile, { force: true });
        return profileOfProcess(running.pid, profileFile, work);
      },
    });
  } catch (error) {
    throw new Error(`The app said:\n${running.logs().slice(-2_000)}`, { cause: error });
  } finally {
    client.close();
    await running.stop();
    await rm(runFolder, { recursive: true, force: true });
  }
}

export class AppClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async produce(store: StoreId, worker: number, body: string): Promise<void> {
    const path = `${placeOf(store, worker)}/records?encoding=json`;
    await this.#call("POST", path, { "content-type": "application/json" }, body);
  }

  /** All entries of the segment as lines. Gives the bytes. */
  consume(store: StoreId, worker: number): Promise<number> {
    return this.#call("GET", `${placeOf(store, worker)}/entries?encoding=json`, { accept: "application/x-ndjson" });
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, headers: Record<string, string>, body?: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { agent: this.#agent, method, headers }, (answer) => {
        let bytes = 0;
        answer.on("data", (piece: Buffer) => (bytes += piece.length));
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve(bytes);
          else reject(new Error(`${method} ${path} was answered ${answer.statusCode ?? "nothing"}.`));
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

export function produceBody(count: number, bytes: number): string {
  const records = Array.from({ length: count }, (_, index) => `{"payload":${eventText(index, bytes)}}`);
  return `{"records":[${records.join(",")}]}`;
}

function placeOf(store: StoreId, worker: number): string {
  return `/v1/stores/${store}/spaces/${space}/segments/${segment}-${worker}`;
}

/** Linux tells of other processes in files; elsewhere there is nothing to read, and these measures fail. */
function cpuMsOf(pid: number): number {
  // After the name, which may hold anything, in parentheses: the 12th and 13th field, hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

function rssMiBOf(pid: number): number {
  const kiB = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kiB) / 1_024;
}
