// Registers calls with the Functions library: the one place that sets the app up, so that every function file is alike.

import { app } from "@azure/functions";

import { authLevel, flushTelemetry, httpParts } from "./runtime.ts";
import { functionsHandler } from "./server/functions-http.ts";
import type { Endpoint } from "./server/serve.ts";
import type { Operation } from "./wire/operation.ts";
import type { PathTemplate } from "./wire/path.ts";

// Bodies stream both ways; on or off for the whole app.
app.setup({ enableHttpStream: true });
app.hook.appTerminate(flushTelemetry);

/**
 * The function has the operation's id as its name, its path as its route. No function's name has a dash: the setting that
 * disables it has its name in it, and names of settings have no dashes on Linux.
 */
export function registerOperation(operation: Operation, endpoint: Endpoint): void {
  app.http(operation.id, {
    methods: [operation.method],
    route: operation.path.slice(1),
    authLevel: operation.access === "public" ? "anonymous" : authLevel,
    handler: functionsHandler(endpoint, httpParts),
  });
}

/** For people: not part of the described interface, open to everyone. */
export function registerPage(name: string, path: PathTemplate, endpoint: Endpoint): void {
  app.http(name, {
    methods: ["GET"],
    route: path.slice(1),
    authLevel: "anonymous",
    handler: functionsHandler(endpoint, httpParts),
  });
}

/**
 * What no operation takes. Hosts go through functions in the alphabetical order of their names, and the first route that fits wins:
 * this one must come last.
 */
export function registerNotFound(endpoint: Endpoint): void {
  app.http("zzNotFound", {
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    route: "{*path}",
    authLevel: "anonymous",
    handler: functionsHandler(endpoint, httpParts),
  });
}
