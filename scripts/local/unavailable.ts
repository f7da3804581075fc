// The host when it cannot use host.json: it stays up, runs nothing, and answers every request 503 without a body.
// Promise: the reason is in the log, once.

import { createServer } from "node:http";
import { reply } from "./http-invocation.ts";
import { listenHere } from "./listen.ts";
import type { HostLog } from "./log.ts";
import type { Refusal } from "./refusal.ts";

export interface UnavailableHost {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startUnavailable(reason: Refusal, port: number, log: HostLog): Promise<UnavailableHost> {
  const server = createServer((_request, response) => reply(response, 503));
  const url = await listenHere(server, port);
  const text = `${reason.message} The host runs nothing, and answers every request 503, as on Azure: mend it, and start again.`;
  log.write("critical", "Host.Startup", text);
  return {
    url,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
