// Registers the app's functions with the Functions library: the one place that sets the app up, so that every function
// file is alike.
//
// Promise: what the app needs and does not have, a right setting or a Node.js that is new enough, does not keep it from
// starting: then every call is answered 503 `misconfigured`, and the log says what is wrong. A function file that
// throws would leave an app without functions, whose callers get an empty 404.

import { createRequire } from "node:module";
import * as zlib from "node:zlib";

import { app } from "@azure/functions";
import type { HttpHandler } from "@azure/functions";

import { invalidArgument, StoreError } from "./core/errors.ts";
import { functionsHandler, misconfiguredHandler } from "./server/functions-http.ts";
import { guardInvocations } from "./server/invocation-guard.ts";
import type { ProgrammingModel } from "./server/invocation-guard.ts";
import { createLogger } from "./core/logger.ts";
import type * as runtime from "./runtime.ts";
import type { Endpoint, OperationEndpoint } from "./server/endpoint.ts";
import { systemClock } from "./system.ts";
import { methodsOf } from "./wire/operation.ts";
import type { PathTemplate } from "./wire/operation.ts";

type Runtime = typeof runtime;

/** They are sent at the same time; what more than this is between them is not the network. */
const invocationGuardOptions = { clock: systemClock, requestWithinMs: 5_000, invocationWithinMs: 3_000 };

// Bodies stream both ways; on or off for the whole app.
app.setup({ enableHttpStream: true });
// Not before all is registered: the library says with the first function how its invocations go.
app.hook.appStart(() => void guardInvocations(programmingModel(), invocationGuardOptions));

const loaded = await load();
if (loaded instanceof StoreError) {
  const logger = createLogger({ level: "error", clock: systemClock, write: (line) => void process.stdout.write(line) });
  logger.error("misconfigured: every call is answered 503", { reason: loaded.message });
} else {
  app.hook.appTerminate(loaded.stop);
}

/**
 * The function has the operation's id as its name, its path as its route. No function's name has a dash: the setting
 * that disables it has its name in it, and names of settings have no dashes on Linux.
 */
export function registerOperation(endpoint: OperationEndpoint): void {
  const { operation } = endpoint;
  app.http(operation.id, {
    methods: [...methodsOf(operation)],
    route: operation.path.slice(1),
    authLevel: operation.access === "public" || loaded instanceof StoreError ? "anonymous" : loaded.authLevel,
    handler: handlerOf(endpoint),
  });
}

/** Every method of a stream at once: its path has any number of steps. */
export function registerStreams(name: string, path: PathTemplate, endpoint: Endpoint): void {
  app.http(name, {
    methods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
    route: path.slice(1),
    authLevel: loaded instanceof StoreError ? "anonymous" : loaded.authLevel,
    handler: handlerOf(endpoint),
  });
}

/** Pages for people, and links that carry their own permission: not described, and no key is asked for. */
export function registerOpen(name: string, path: PathTemplate, endpoint: Endpoint): void {
  app.http(name, {
    methods: [...methodsOf({ method: "GET" })],
    route: path.slice(1),
    authLevel: "anonymous",
    handler: handlerOf(endpoint),
  });
}

/**
 * The fallback takes what no operation takes. Hosts go through functions in the alphabetical order of their names, and
 * the first route that fits wins: this one must come last.
 */
export function registerFallback(endpoint: Endpoint): void {
  app.http("zzFallback", {
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    route: "{*path}",
    authLevel: "anonymous",
    handler: handlerOf(endpoint),
  });
}

/** Registers the functions that run without a caller. They need the settings to be registered at all. */
export function registerBackground(register: (runtime: Runtime) => void): void {
  if (!(loaded instanceof StoreError)) register(loaded);
}

function handlerOf(endpoint: Endpoint): HttpHandler {
  return loaded instanceof StoreError
    ? misconfiguredHandler(loaded)
    : functionsHandler(endpoint, loaded.httpParts, loaded.settings.origins);
}

/** Builds the runtime from the settings, or returns what is wrong with them. */
async function load(): Promise<Runtime | StoreError> {
  // A static import of the name would fail before anything could be said.
  const { zstdCompressSync: zstd } = zlib as Partial<typeof zlib>;
  if (zstd === undefined) return invalidArgument("Node.js", "22.15 or newer", process.version);
  try {
    return await import("./runtime.ts");
  } catch (error) {
    if (error instanceof StoreError && error.code === "invalid_argument") return error;
    throw error;
  }
}

/** How the host has its worker call the functions: by the library, of which the worker alone can be asked. */
function programmingModel(): ProgrammingModel {
  const core = createRequire(import.meta.url)("@azure/functions-core") as { getProgrammingModel(): ProgrammingModel };
  return core.getProgrammingModel();
}
