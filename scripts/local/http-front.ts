// The host's HTTP server: what happens to a request before and around its function.
// Promise: checks come in the host's order: line and headers, route, key, body limit; each has the host's status.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { answerAdmin, type AdminOptions } from "./admin.ts";
import type { Door } from "./door.ts";
import type { AppFunction } from "./function-app.ts";
import { type HttpCall, invokeBuffered, invokeStreamed, reply } from "./http-invocation.ts";
import { headerBytesMax, lineBytesMax, readTarget } from "./http-target.ts";
import { type AuthLevel, type KeyRing, presentedKey } from "./keys.ts";
import { listenHere } from "./listen.ts";
import { describeError, type HostLog } from "./log.ts";
import { readRequestBody, readWhole } from "./request-body.ts";
import { matchRoute, type Route } from "./routes.ts";
import { closeUnlessUploaded } from "./upload-end.ts";

export interface HttpFunction {
  readonly target: AppFunction;
  readonly authLevel: AuthLevel;
}

export interface HttpFrontOptions extends AdminOptions {
  /** In the order of precedence. */
  readonly routes: readonly Route<HttpFunction>[];
  readonly keys: KeyRing;
  readonly door: Door;
  readonly log: HostLog;
}

export class HttpFront {
  readonly #server: Server;
  readonly #answering = new Set<ServerResponse>();

  constructor(options: HttpFrontOptions) {
    // What is too much the host's own limits say, of which those of Node.js must be no part.
    const maxHeaderSize = 16 * (lineBytesMax + headerBytesMax);
    this.#server = createServer({ maxHeaderSize }, (request, response) => {
      this.#answering.add(response);
      response.once("close", () => this.#answering.delete(response));
      closeUnlessUploaded(response);
      const refusal = options.door.refusal(request, response);
      if (refusal !== undefined) {
        reply(response, refusal);
        return;
      }
      handle(options, request, response).catch((error: unknown) => {
        options.log.write("error", "Host.Http", describeError(error));
        if (response.headersSent) response.destroy();
        else reply(response, 500);
      });
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (socket.writable) socket.end(`${statusLine(error.code)}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      else socket.destroy(error);
    });
    // As the host: no limit for the whole of a slow upload, and idle connections are kept for long.
    this.#server.requestTimeout = 0;
    this.#server.keepAliveTimeout = 130_000;
  }

  /** `port` 0: any free one. Gives the base URL; rejects with a `Refusal` when the port cannot be had. */
  listen(port: number): Promise<string> {
    return listenHere(this.#server, port);
  }

  /** Takes no more connections. */
  close(): void {
    this.#server.close();
  }

  /** Resolves when no answer is on its way any more. */
  async idle(): Promise<void> {
    while (this.#answering.size > 0) {
      await Promise.all([...this.#answering].map((response) => once(response, "close")));
    }
  }

  /** Cuts what is left. */
  end(): void {
    this.#server.closeAllConnections();
  }
}

/** Of what is no request: a chunk of a body that is none is found when the host has begun to read it. */
function statusLine(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW") return "HTTP/1.1 431 Request Header Fields Too Large";
  return code?.startsWith("HPE_INVALID_CHUNK") === true
    ? "HTTP/1.1 500 Internal Server Error"
    : "HTTP/1.1 400 Bad Request";
}

async function handle(options: HttpFrontOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { keys, log, app } = options;
  const read = readTarget(request);
  if (read.kind === "refused") {
    reply(response, read.status);
    return;
  }
  const { path, passedOn, search } = read;
  const query = new URLSearchParams(search);
  const header = request.headers["x-functions-key"];
  const key = presentedKey(Array.isArray(header) ? header[0] : header, query);

  const adminPath = path.toLowerCase();
  if (adminPath.startsWith("/admin/")) {
    if (keys.allows("admin", undefined, key)) await answerAdmin(options, adminPath, request, response);
    else reply(response, 401);
    return;
  }

  const match = matchRoute(options.routes, request.method ?? "GET", path);
  if (match === undefined) {
    reply(response, 404);
    return;
  }
  const { target, authLevel } = match.target;
  if (!keys.allows(authLevel, target.name, key)) {
    reply(response, 401);
    return;
  }

  let body = await readRequestBody(request);
  if (body.kind === "streamed" && app.httpUri === undefined) body = await readWhole(request, body);
  const call: HttpCall = { target, params: match.params, url: passedOn + search, query, request, response, log };
  switch (body.kind) {
    case "gone":
      return;
    case "too_large":
      // Not 413: the host reads it for the function's trigger, which fails.
      reply(response, 500);
      return;
    case "stalled":
      response.setHeader("connection", "close");
      reply(response, 500);
      return;
    case "whole":
      if (app.httpUri === undefined) await invokeBuffered(app, call, body.bytes);
      else await invokeStreamed(app, app.httpUri, call, body);
      return;
    case "streamed":
      if (app.httpUri !== undefined) await invokeStreamed(app, app.httpUri, call, body);
  }
}
