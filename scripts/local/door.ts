// Whom the local host lets in: requests that name this machine, and no more bodies than it has room for.
//
// Why: a page in a browser can have its own name point at this machine and then read what it likes, but it cannot
// choose the Host that the browser sends. And a body with a length is held whole before its function sees it.

import type { IncomingMessage, ServerResponse } from "node:http";

import { bodyBytesMax } from "./request-body.ts";

/** Bodies with a length, all together, bytes: five of the largest. */
export const heldBytesMax = 512 * 1024 * 1024;

export class Door {
  readonly #hosts: ReadonlySet<string>;
  readonly #bytesMax: number;
  #held = 0;

  /** `hosts`: names besides this machine's own, with commas between them. */
  constructor(hosts = "", bytesMax: number = heldBytesMax) {
    this.#hosts = new Set(hosts.split(",").map((host) => host.trim().toLowerCase()));
    this.#bytesMax = bytesMax;
  }

  get held(): number {
    return this.#held;
  }

  /** The status that refuses the request; undefined: it is let in, and its body counted until its answer has ended. */
  refusal(request: IncomingMessage, response: ServerResponse): number | undefined {
    const [host, ...others] = request.headersDistinct.host ?? [];
    if (others.length > 0) return 400;
    // Of a request without one, HTTP/1.0, no browser is the sender.
    if (host !== undefined) {
      const name = nameOf(host);
      if (name === undefined) return 400;
      if (!isThisMachine(name) && !this.#hosts.has(name)) return 421;
    }
    const announced = Number(request.headers["content-length"] ?? 0);
    // One that is too large is refused without being read.
    const bytes = announced > bodyBytesMax ? 0 : announced;
    if (this.#held + bytes > this.#bytesMax) return 503;
    this.#held += bytes;
    response.once("close", () => {
      this.#held -= bytes;
    });
    return undefined;
  }
}

/** Without its port, in lower case; undefined of what is no Host: `127.999.1.1` would be an address, and is none. */
function nameOf(host: string): string | undefined {
  if (!URL.canParse(`http://${host}`)) return undefined;
  const [, name, port = "0"] = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{0,5}))?$/i.exec(host) ?? [];
  return Number(port) > 65_535 ? undefined : name?.toLowerCase();
}

function isThisMachine(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}
