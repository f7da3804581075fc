// The host's own endpoints under /admin: its status, and running a function by hand.
// Promise: what works here works on Azure with the master key; what Azure refuses is refused with the reason.

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppFunction, FunctionApp } from "./function-app.ts";
import type { RpcTypedData } from "./functions-core.ts";
import { readRequestBody, readWhole } from "./request-body.ts";

export interface AdminOptions {
  readonly app: FunctionApp;
  /** The functions that are not in error. */
  readonly functions: ReadonlyMap<string, AppFunction>;
  /** What the trigger of a function hands over when it is run by hand with this input. */
  readonly inputByHand: (target: AppFunction, input: string) => RpcTypedData;
  readonly startedAt: number;
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
}

/** `path`: in lower case, from /admin on. */
export async function answerAdmin(
  options: AdminOptions,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, json } = await route(options, path, request);
  const body = json === undefined ? "" : `${JSON.stringify(json, undefined, 2)}\n`;
  response.writeHead(status, { ...(body === "" ? {} : { "content-type": "application/json" }) }).end(body);
  request.resume();
}

async function route(options: AdminOptions, path: string, request: IncomingMessage): Promise<Answer> {
  const method = request.method ?? "GET";
  if (method === "GET" && path === "/admin/host/ping") return { status: 200 };
  if (method === "GET" && path === "/admin/host/status") {
    return { status: 200, json: { id: "local", state: "Running", processUptime: Date.now() - options.startedAt } };
  }
  if (method === "GET" && path === "/admin/functions") {
    return { status: 200, json: [...options.functions.values()].map(describe) };
  }
  const name = /^\/admin\/functions\/([^/]+)$/.exec(path)?.[1];
  const target = name === undefined ? undefined : options.functions.get(name);
  if (target === undefined) return { status: 404 };
  if (method === "GET") return { status: 200, json: describe(target) };
  if (method !== "POST") return { status: 405 };
  return runByHand(options, target, request);
}

async function runByHand(options: AdminOptions, target: AppFunction, request: IncomingMessage): Promise<Answer> {
  if (target.trigger.type.toLowerCase() === "httptrigger") {
    return { status: 400, json: { error: `${target.name} answers HTTP requests: call it by its route.` } };
  }
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    return { status: 415, json: { error: 'Send content-type application/json and {"input":"..."}.' } };
  }
  let body = await readRequestBody(request);
  if (body.kind === "streamed") body = await readWhole(request, body);
  const input = body.kind === "whole" ? parseInput(body.bytes.toString()) : undefined;
  if (input === undefined) return { status: 400, json: { error: 'Expected a JSON object like {"input":"..."}.' } };
  void options.app.invoke(target, {
    invocationId: randomUUID(),
    data: options.inputByHand(target, input),
    metadata: {},
  });
  return { status: 202 };
}

function parseInput(body: string): string | undefined {
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
    const { input } = json as { input?: unknown };
    if (input === undefined || input === null) return "";
    return typeof input === "string" ? input : JSON.stringify(input);
  } catch {
    return undefined;
  }
}

function describe(target: AppFunction): unknown {
  return { name: target.name, config: { bindings: Object.values(target.registered.metadata.bindings) } };
}
