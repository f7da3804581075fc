// Several processes of the app over one storage, of which some are killed without warning and started again.

import { setTimeout as sleep } from "node:timers/promises";
import type { RunningApp } from "../e2e/app-process.ts";
import type { Chance } from "../simulation/chance.ts";

export class Fleet {
  readonly #start: () => Promise<RunningApp>;
  readonly #apps: (RunningApp | undefined)[];
  kills = 0;

  private constructor(start: () => Promise<RunningApp>, apps: readonly RunningApp[]) {
    this.#start = start;
    this.#apps = [...apps];
  }

  static async start(size: number, start: () => Promise<RunningApp>): Promise<Fleet> {
    const started = await Promise.allSettled(Array.from({ length: size }, start));
    const apps = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failed = started.find((result) => result.status === "rejected");
    if (failed === undefined) return new Fleet(start, apps);
    await Promise.all(apps.map((app) => app.stop("SIGKILL")));
    throw failed.reason;
  }

  /** One that runs, as far as is known. */
  async pick(chance: Chance): Promise<RunningApp> {
    for (;;) {
      const running = this.#apps.filter((app) => app !== undefined);
      if (running.length > 0) return chance.pick(running);
      await sleep(20);
    }
  }

  /**
   * SIGKILL to one of them, again and again until the signal; each comes back after a while. All run when this
   * resolves.
   */
  async torment(chance: Chance, pauseMs: number, over: AbortSignal): Promise<void> {
    const returning: Promise<void>[] = [];
    for (;;) {
      await sleep(pauseMs * chance.between(0.5, 1.5), undefined, { signal: over }).catch(() => undefined);
      const at = chance.integer(0, this.#apps.length - 1);
      const app = this.#apps[at];
      if (over.aborted) break;
      // One at least stays up: that clients find nobody proves nothing.
      if (app === undefined || this.#apps.filter((one) => one !== undefined).length < 2) continue;
      this.#apps[at] = undefined;
      this.kills += 1;
      returning.push(this.#replace(at, app, chance.between(0, 500)));
    }
    await Promise.all(returning);
  }

  /** The host's monitor is run by hand in each process. */
  async runMonitors(): Promise<void> {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"input":""}' };
    for (const app of this.#apps) {
      if (app !== undefined) await (await fetch(`${app.url}/admin/functions/walMonitor`, init)).text();
    }
  }

  logs(): string {
    return this.#apps.map((app) => app?.logs() ?? "").join("\n");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apps.flatMap((app) => (app === undefined ? [] : [app.stop("SIGKILL")])));
  }

  async #replace(at: number, app: RunningApp, afterMs: number): Promise<void> {
    await app.stop("SIGKILL");
    await sleep(afterMs);
    this.#apps[at] = await this.#start();
  }
}
