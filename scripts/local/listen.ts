// Where the local host listens: on this machine alone.

import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { portRefusal } from "./refusal.ts";

/** `port` 0: any free one. Gives the base URL; rejects with a `Refusal` when the port cannot be had. */
export async function listenHere(server: Server, port: number): Promise<string> {
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    throw portRefusal(error as Error, port);
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
