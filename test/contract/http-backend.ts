// The backends behind the HTTP functions: the function files in the local host, reached with nothing but fetch.

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { SegmentName, SpaceName, StoreId } from "../../src/core/ids.ts";
import type { Store } from "../../src/store/store.ts";
import { parseConnection } from "../../src/table/connection.ts";
import { createTableAccount } from "../../src/table/sdk.ts";
import { startApp } from "../e2e/harness.ts";
import type { RunningApp } from "../e2e/harness.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";
import { spoil } from "./azure-backend.ts";
import type { Backend, Instance } from "./backend.ts";
import { grantIn } from "./grants.ts";
import { HttpStore } from "./http/http-store.ts";
import { buildLevelApp } from "./level-app/build.ts";
import { idAt } from "./level-app/instances.ts";
import { remoteFaults } from "./level-app/remote-faults.ts";
import { openStorageProxy } from "./storage-proxy.ts";
import type { Watcher } from "./storage-proxy.ts";

/** Names go out as they are: the server is to judge them. */
const uncheckedNames: Backend["names"] = {
  space: (text) => text as SpaceName,
  segment: (text) => text as SegmentName,
};

export type OpenStore = (url: string, id: StoreId, path?: string) => Store;

const overHttp: OpenStore = (...args) => new HttpStore(...args);

/** One app, in which both instances are: LevelDB lets one process in. */
export async function openLevelHttpBackend(open: OpenStore = overHttp): Promise<Backend> {
  const folder = await mkdtemp(join(tmpdir(), "streamkit-level-http-"));
  const appRoot = join(inject("runFolder"), "level-app");
  await buildLevelApp(appRoot);
  const socket = join(folder, "faults.sock");
  const app = await startApp({
    appRoot,
    env: { CONTRACT_FOLDER: join(folder, "data"), CONTRACT_SOCKET: socket },
  });
  return {
    store: (instance, id) => open(app.url, id, idAt(instance, id)),
    names: uncheckedNames,
    faults: remoteFaults(socket),
    async grant(id, key) {
      const holder = randomUUID();
      const url = `${app.url}/v1/stores/${id}/leases/${encodeURIComponent(key)}`;
      const body = JSON.stringify({ holder, ttlSeconds: 60 });
      const granted = await fetch(url, { method: "PUT", headers: { "content-type": "application/json" }, body });
      if (!granted.ok) throw new Error(`The lease was not granted: ${granted.status}.`);
      await fetch(`${url}?holder=${holder}`, { method: "DELETE" });
      return ((await granted.json()) as { readonly token: number }).token;
    },
    async dispose() {
      await app.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** The app as it is deployed, two processes of it over one emulator, each by way of a proxy of its own. */
export async function openAzureHttpBackend(): Promise<Backend> {
  const azurite = inject("azurite");
  const pages = new PageFaults();
  const mortal = new MortalApp(pages);
  const proxies = await Promise.all([openStorageProxy(azurite, mortal), openStorageProxy(azurite, pages)]);
  const start = (instance: Instance): Promise<RunningApp> => startApp({ azurite: proxies[instance].connectionString });
  const apps = await Promise.all([start(0), start(1)]);
  mortal.app = apps[0];
  const account = createTableAccount(parseConnection({ AzureWebJobsStorage: azurite }), { clock, random });

  return {
    store: (instance, id) => new HttpStore(apps[instance].url, id),
    names: uncheckedNames,
    faults: {
      failReads: (afterPages) => {
        pages.left = afterPages;
        return Promise.resolve();
      },
      crash: (when, commits) => {
        mortal.plan = { when, commits };
        return Promise.resolve();
      },
      corrupt: (id, view, entry) => spoil(account, `streamkit${id.replaceAll("-", "")}`, view, entry),
      pagesRead: () => Promise.resolve(pages.read),
      async heal() {
        pages.left = Infinity;
        if (mortal.plan === undefined) return;
        mortal.plan = undefined;
        await apps[0].stop("SIGKILL");
        apps[0] = await start(0);
        mortal.app = apps[0];
      },
    },
    grant: (id, key) => grantIn(account.table(`streamkit${id.replaceAll("-", "")}`), key),
    async dispose() {
      await Promise.all(apps.map((app) => app.stop()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

class PageFaults implements Watcher {
  read = 0;
  left = Infinity;

  pageAsked(): void {
    if (this.left <= 0) throw new Error("The page cannot be read.");
    this.left -= 1;
    this.read += 1;
  }

  async commit(send: () => Promise<boolean>): Promise<void> {
    await send();
  }
}

/** Kills its app where it is told to, as a machine that loses power would. */
class MortalApp implements Watcher {
  plan: { readonly when: "before_commit" | "after_commit"; commits: number } | undefined;
  app: RunningApp | undefined;
  readonly #pages: PageFaults;

  constructor(pages: PageFaults) {
    this.#pages = pages;
  }

  pageAsked(): void {
    this.#pages.pageAsked();
  }

  async commit(send: () => Promise<boolean>): Promise<void> {
    const { plan } = this;
    if (plan === undefined) {
      await send();
      return;
    }
    const last = plan.commits === 0;
    if (!last || plan.when === "after_commit") {
      const done = await send();
      // A refused attempt is no commit.
      if (!done) return;
      plan.commits -= 1;
      if (!last) return;
    }
    await this.app?.stop("SIGKILL");
  }
}
