// The HTTP client under the SDK's pipeline: a pool of connections that are kept, text out and text in.
//
// By hand, because the SDK's own, made for streams of any kind and progress of both ways, takes as much of the
// processor as all the rest of a request. A request is sent once, whatever becomes of it.

import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import { Agent as PlainAgent, request as plainRequest, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";

/** Errors are Node's own, with their `code`; the signal's abort is one of them. */
export function createHttpClient(): HttpClient {
  const plain = { request: plainRequest, agent: new PlainAgent({ keepAlive: true }) };
  const tls = { request: tlsRequest, agent: new TlsAgent({ keepAlive: true }) };
  return {
    sendRequest: (request) =>
      new Promise((resolve, reject) => {
        const { hostname, pathname, port, protocol, search } = new URL(request.url);
        const insecure = protocol !== "https:";
        if (insecure && !request.allowInsecureConnection) throw new Error("Plain HTTP is not allowed here.");
        const way = insecure ? plain : tls;
        const { method, body, abortSignal } = request;
        if (body !== undefined && body !== null && typeof body !== "string") throw new Error("A body is text.");
        const headers = request.headers.toJSON({ preserveCase: true });
        // All that is written is ASCII: see `odata.ts`.
        if (typeof body === "string") headers["Content-Length"] = String(body.length);
        const sent = way.request(
          {
            // A proxy of the environment brings an agent of its own.
            agent: (request.agent as PlainAgent | undefined) ?? way.agent,
            ...{ hostname, port, method, headers, path: `${pathname}${search}` },
          },
          (answer) => read(request, answer, resolve, reject),
        );
        sent.on("error", reject);
        const abort = (): void => void sent.destroy(new Error("The request was given up."));
        if (abortSignal?.aborted === true) abort();
        // The signal is this request's own, and goes with it.
        abortSignal?.addEventListener("abort", abort);
        if (typeof body === "string") sent.end(body, "latin1");
        else sent.end();
      }),
  };
}

function read(
  request: PipelineRequest,
  answer: IncomingMessage,
  resolve: (response: PipelineResponse) => void,
  reject: (error: unknown) => void,
): void {
  const pieces: Buffer[] = [];
  answer.on("data", (piece: Buffer) => pieces.push(piece));
  answer.on("error", reject);
  answer.on("end", () => {
    const headers = createHttpHeaders();
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers.set(name, typeof value === "string" ? value : value.join(", "));
    }
    const [first, ...more] = pieces;
    const body = first === undefined || more.length > 0 ? Buffer.concat(pieces) : first;
    resolve({ request, headers, status: answer.statusCode ?? 0, bodyAsText: body.toString("utf8") });
  });
}
