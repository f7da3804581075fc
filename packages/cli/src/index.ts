// The package's exports for programs; its command line is cli.ts.

import { startServer } from "./local/start-local.ts";
import type { LocalOptions, LocalServer } from "./local/start-local.ts";

export type { LocalOptions, LocalServer } from "./local/start-local.ts";

/**
 * Starts the app on this machine, for development and tests. Rejects with a sentence that says why when it cannot: a
 * port that is taken, a folder that another server uses.
 */
export function startLocal(options: LocalOptions = {}): Promise<LocalServer> {
  return startServer(new URL("./local/worker.js", import.meta.url), options);
}
