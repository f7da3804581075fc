// A network of a known length: passes bytes on between a port of its own and another, each so many milliseconds late,
// in a thread of its own. What comes together goes on together; order is kept.

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

interface Route {
  readonly port: number;
  readonly delayMs: number;
}

export interface DelayProxy {
  readonly port: number;
  close(): Promise<unknown>;
}

/** To `port` of this machine. */
export async function startDelayProxy(port: number, delayMs: number): Promise<DelayProxy> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, delayMs } satisfies Route });
  const listening = await new Promise<number>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return { port: listening, close: () => worker.terminate() };
}

function serve({ port, delayMs }: Route): void {
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port, noDelay: true });
    pass(near, far, delayMs);
    pass(far, near, delayMs);
  });
  server.listen(0, "127.0.0.1", () => parentPort?.postMessage((server.address() as AddressInfo).port));
}

function pass(from: Socket, to: Socket, delayMs: number): void {
  from.on("data", (bytes) => void setTimeout(() => to.write(bytes), delayMs));
  from.on("end", () => void setTimeout(() => to.end(), delayMs));
  from.on("error", () => to.destroy());
}

if (!isMainThread && isRoute(workerData)) serve(workerData);

function isRoute(data: unknown): data is Route {
  return typeof data === "object" && data !== null && "port" in data && "delayMs" in data;
}
