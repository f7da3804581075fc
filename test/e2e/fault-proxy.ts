// A proxy between the app and the emulator's tables that lets requests fail as networks and services do.
//
// Promise: a request whose fault says that it arrives does arrive, whatever its sender hears; one whose fault says that
// it does not, never does.

import { once } from "node:events";
import { createServer, request as send } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export type ProxyFault =
  | { readonly kind: "pass" }
  /** So long on the way, and then it arrives, though its sender may have given it up. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The connection breaks: before the request arrives, or after it took effect. */
  | { readonly kind: "reset"; readonly when: "before" | "after" }
  /** An error instead of the answer: without the request arriving, or after it took effect. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly code: string;
      readonly retryAfterSeconds?: number;
      readonly when: "before" | "after";
    };

export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** The parts of an entity-group transaction. */
  readonly body: string;
}

export class FaultProxy {
  /** The account by way of the proxy: its tables. */
  readonly connectionString: string;
  /** What becomes of each request from now on. */
  plan: (request: ProxiedRequest) => ProxyFault = () => ({ kind: "pass" });
  /** Requests by their fault. */
  readonly counts = new Map<string, number>();
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, connectionString: string) {
    this.#server = server;
    this.connectionString = connectionString;
  }

  static async open(connectionString: string): Promise<FaultProxy> {
    const endpoint = /TableEndpoint=([^;]+)/.exec(connectionString)?.[1];
    if (endpoint === undefined) throw new Error("The connection string has no TableEndpoint.");
    const { hostname, pathname, port } = new URL(endpoint);
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`;
    const proxy = new FaultProxy(server, connectionString.replace(endpoint, own));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      proxy.#serve({ hostname, port }, request, response).catch(() => response.destroy());
    });
    return proxy;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #serve(
    service: { readonly hostname: string; readonly port: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await buffer(request);
    const fault = this.plan({ method: request.method ?? "", url: request.url ?? "", body: body.toString("latin1") });
    const name = "when" in fault ? `${fault.kind} ${"status" in fault ? fault.status : ""} ${fault.when}` : fault.kind;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (fault.kind === "delay") await sleep(fault.ms);
    const arrives = !("when" in fault) || fault.when === "after";
    const answer = arrives ? await forward(service, request, body) : undefined;
    switch (fault.kind) {
      case "reset":
        request.socket.resetAndDestroy();
        return;
      case "answer":
        response.writeHead(fault.status, {
          "content-type": "application/json",
          ...(fault.retryAfterSeconds === undefined ? {} : { "retry-after": String(fault.retryAfterSeconds) }),
        });
        response.end(
          JSON.stringify({ "odata.error": { code: fault.code, message: { lang: "en-US", value: "As planned." } } }),
        );
        return;
      case "pass":
      case "delay":
        if (answer === undefined || response.destroyed) return;
        response.writeHead(answer.status, answer.headers);
        response.end(answer.body);
    }
  }
}

async function forward(
  service: { readonly hostname: string; readonly port: string },
  { headers, method, url }: IncomingMessage,
  body: Buffer,
): Promise<{ readonly status: number; readonly headers: IncomingMessage["headers"]; readonly body: Buffer }> {
  const outgoing = send({ ...service, method, path: url, headers });
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 500, headers: answer.headers, body: await buffer(answer) };
}
