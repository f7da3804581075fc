// The faults of a backend in another process: each call is a request over a socket that only the test knows.

import { createServer, request } from "node:http";
import { entryOf } from "../http/http-json.ts";
import type { Faults } from "../backend.ts";

type Call = {
  readonly [Name in keyof Faults]: { readonly name: Name; readonly args: Parameters<Faults[Name]> };
}[keyof Faults];

/** Resolves when it listens. It keeps no process alive. */
export function serveFaults(faults: Faults, socket: string): Promise<void> {
  const server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = [];
    incoming.on("data", (piece: Buffer) => pieces.push(piece));
    incoming.on("end", () => {
      perform(faults, JSON.parse(Buffer.concat(pieces).toString()) as Call).then(
        (answer) => outgoing.end(JSON.stringify({ answer })),
        (error: unknown) => outgoing.writeHead(500).end(String(error)),
      );
    });
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
}

export function remoteFaults(socket: string): Faults {
  return {
    failReads: (...args) => send(socket, { name: "failReads", args }) as Promise<void>,
    crash: (...args) => send(socket, { name: "crash", args }) as Promise<void>,
    corrupt: (id, view, entry) => {
      // The place is enough, and is all that survives JSON as it is.
      const place = { ...entry, payload: "", metadata: {} };
      return send(socket, { name: "corrupt", args: [id, view, entryOf(place)] }) as Promise<void>;
    },
    pagesRead: (...args) => send(socket, { name: "pagesRead", args }) as Promise<number>,
    heal: (...args) => send(socket, { name: "heal", args }) as Promise<void>,
  };
}

function perform(faults: Faults, call: Call): Promise<unknown> {
  switch (call.name) {
    case "failReads":
      return faults.failReads(...call.args);
    case "crash":
      return faults.crash(...call.args);
    case "corrupt":
      return faults.corrupt(...call.args);
    case "pagesRead":
      return faults.pagesRead();
    case "heal":
      return faults.heal();
  }
}

function send(socket: string, call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: socket, method: "POST", path: "/" }, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on("data", (piece: Buffer) => pieces.push(piece));
      incoming.on("end", () => {
        const text = Buffer.concat(pieces).toString();
        if (incoming.statusCode === 200) resolve((JSON.parse(text) as { readonly answer?: unknown }).answer);
        else reject(new Error(text));
      });
    });
    outgoing.once("error", reject);
    outgoing.end(JSON.stringify(call));
  });
}
