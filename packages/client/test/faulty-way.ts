// The way between a client and the instances of an app, on which requests and answers are lost, cut and refused as
// networks and gateways do.
//
// Promise: a request whose fault says that it arrives does arrive, whatever its sender hears; one whose fault says that
// it does not, never does.

import { once } from "node:events";
import { createServer, request as send } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export type Fault =
  | { readonly kind: "pass" }
  /** The connection breaks: before the request arrives, or when its answer was to come. */
  | { readonly kind: "reset"; readonly when: "before" | "after" }
  /** A gateway answers in the place of the app. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly when: "before" | "after";
      readonly retryAfter?: string;
    }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Nothing comes any more after so many bytes of the answer's body, and nothing says so. */
  | { readonly kind: "silence"; readonly afterBytes: number };

export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

export class FaultyWay {
  readonly url: string;
  /** What becomes of each request from now on. */
  plan: (passing: Passing) => Fault = () => ({ kind: "pass" });
  /** Where requests go, in turn; a test may change them. */
  instances: string[];
  readonly seen: Passing[] = [];
  /** Requests whose answers are not over. */
  answering = 0;
  /** Bytes of answers that were taken from the app. */
  bytes = 0;
  readonly #server: Server;
  #turn = 0;

  private constructor(server: Server, instances: readonly string[]) {
    this.#server = server;
    this.instances = [...instances];
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(...instances: readonly string[]): Promise<FaultyWay> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const way = new FaultyWay(server, instances);
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      way.#serve(request, response).catch(() => request.socket.resetAndDestroy());
    });
    return way;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const passing = { method: request.method ?? "", path: request.url ?? "", headers: request.headers };
    this.seen.push(passing);
    this.answering += 1;
    response.once("close", () => (this.answering -= 1));
    const fault = this.plan(passing);
    const body = await buffer(request);
    if ("when" in fault && fault.when === "before") {
      this.#break(fault, request, response);
      return;
    }
    const { hostname, port } = new URL(this.instances[this.#turn++ % this.instances.length]!);
    const { method, path, headers } = passing;
    const outgoing = send({ hostname, port, method, path, headers, agent: false });
    outgoing.end(body);
    response.once("close", () => outgoing.destroy());
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    if ("when" in fault) {
      await buffer(answer);
      this.#break(fault, request, response);
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.flushHeaders();
    let passed = 0;
    for await (const piece of answer as AsyncIterable<Buffer>) {
      this.bytes += piece.byteLength;
      const most = "afterBytes" in fault ? fault.afterBytes - passed : Infinity;
      if (most < piece.byteLength) {
        response.write(piece.subarray(0, most));
        if (fault.kind === "silence") return;
        // What was written is to leave before the connection breaks.
        setTimeout(() => request.socket.resetAndDestroy(), 20);
        return;
      }
      passed += piece.byteLength;
      if (!response.write(piece)) await once(response, "drain");
    }
    response.end();
  }

  #break(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
    if (fault.kind !== "answer") {
      request.socket.resetAndDestroy();
      return;
    }
    const { status, retryAfter } = fault;
    response.writeHead(status, retryAfter === undefined ? {} : { "retry-after": retryAfter });
    response.end("<html>A gateway knows nothing of problems.</html>");
  }
}

/** The first requests meet these faults, in order; the others pass. */
export function first(...faults: readonly Fault[]): () => Fault {
  const left = [...faults];
  return () => left.shift() ?? { kind: "pass" };
}
