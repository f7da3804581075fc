// Learns what the Functions library does not tell: whether the caller is still there, and whether it takes what it is
// sent.
//
// The library serves streamed requests from an HTTP server of its own, without a look at its connections. Node
// announces each request of each server in this process on a diagnostics channel; the host has put the invocation's id
// into its headers. Promise: for such a request a caller that leaves aborts `gone`, a caller that does not read holds
// back the body, and one that does not read for too long is disconnected. Any other request is left alone.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "../core/clock.ts";
import type { Connection } from "./http.ts";
import { unseenConnection } from "./http.ts";

const channel = "http.server.request.start";
const invocationHeader = "x-ms-invocation-id";

export interface StreamGuard {
  /** The connection of an invocation; asked for once. */
  connection(invocationId: string): Connection;
  /** Requests announced and not yet over. */
  readonly size: number;
  close(): void;
}

/** `stallMs`: how long a caller may take nothing of what was sent. */
export function guardStreams(clock: Clock, stallMs: number): StreamGuard {
  const responses = new Map<string, ServerResponse>();
  const onRequest = (message: unknown): void => {
    const { request, response } = message as { readonly request: IncomingMessage; readonly response: ServerResponse };
    const id = request.headers[invocationHeader];
    if (typeof id !== "string") return;
    responses.set(id, response);
    response.once("close", () => {
      if (responses.get(id) === response) responses.delete(id);
    });
  };
  subscribe(channel, onRequest);
  return {
    connection: (invocationId) => {
      const response = responses.get(invocationId);
      return response === undefined ? unseenConnection() : seenConnection(response, clock, stallMs);
    },
    get size() {
      return responses.size;
    },
    close: () => void unsubscribe(channel, onRequest),
  };
}

function seenConnection(response: ServerResponse, clock: Clock, stallMs: number): Connection {
  const gone = new AbortController();
  const leave = (): void => {
    if (!response.writableFinished) gone.abort(new Error("The caller is gone."));
  };
  if (response.destroyed) leave();
  else response.once("close", leave);
  return {
    signal: gone.signal,
    writable: async () => {
      if (!response.writableNeedDrain || gone.signal.aborted) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(stallMs, () => response.destroy());
        const done = (): void => {
          cancel();
          response.off("drain", done);
          response.off("close", done);
          resolve();
        };
        response.once("drain", done);
        response.once("close", done);
      });
    },
    destroy: () => {
      response.destroy();
      return true;
    },
  };
}
