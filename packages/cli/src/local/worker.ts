// The thread of a local server: the app's own functions in the local host, on the storage of this thread.
//
// Promise: it says when it answers, or why it does not, and ends when it is asked to.

import { parentPort, workerData } from "node:worker_threads";
import { startHost } from "../../../../scripts/local/host.ts";
import { describeError } from "../../../../scripts/local/log.ts";
import { Refusal } from "../../../../scripts/local/refusal.ts";
import type { LocalNews, LocalOrder } from "./start-local.ts";
import { openStorage } from "./storage.ts";

/** When the server is asked to stop, running requests have this long. */
const graceMs = 1_000;

const { port, folder } = workerData as LocalOrder;
const tell = (news: LocalNews): void => parentPort?.postMessage(news);

try {
  const storage = openStorage(folder);
  const { STREAMKIT_LOCAL_KEYS: keys, ...settings } = process.env;
  // The keys are the host's, as on Azure: the app does not see them.
  delete process.env["STREAMKIT_LOCAL_KEYS"];
  const env = keys === undefined ? settings : { ...settings, STREAMKIT_LOCAL_KEYS: keys };
  const print = (text: string): void => tell({ kind: "line", text });
  const host = await startHost({ root: import.meta.dirname, port, env, print });
  parentPort?.once("message", () => {
    void host.stop(graceMs).finally(() => {
      storage.close();
      process.exit(0);
    });
  });
  tell({ kind: "ready", url: host.url });
} catch (error) {
  tell({ kind: "refused", reason: error instanceof Refusal ? error.message : describeError(error) });
  process.exit(1);
}
