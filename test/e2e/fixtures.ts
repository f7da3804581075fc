// The fixture apps of the local host's tests, and requests to them as they are written.

import { once } from "node:events";
import { type IncomingMessage, request as openRequest } from "node:http";
import { join } from "node:path";
import { inject } from "vitest";
import { installApp } from "../azurite.ts";

/** Settings of the fixture `streaming` for those who call it over HTTP alone. */
export const noTriggers = Object.fromEntries(
  ["slow", "at-start", "on-message"].map((name) => [`AzureWebJobs.${name}.Disabled`, "true"]),
);

/** Built into a folder of its own; `purpose` tells it from those of other test files. */
export async function installFixture(name: "streaming" | "buffered", purpose: string): Promise<string> {
  const folder = join(inject("runFolder"), `${name}-${purpose}`);
  await installApp(join(import.meta.dirname, "fixture-apps", name), folder);
  return folder;
}

/** Bytes as they are: no client that tidies up the path or frames the body. */
export async function send(
  url: string,
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string>;
    body?: (request: ReturnType<typeof openRequest>) => void;
  },
): Promise<IncomingMessage> {
  const { method = "GET", headers = {}, body } = options;
  const { hostname, port } = new URL(url);
  const request = openRequest({ hostname, port, path, method, headers, agent: false });
  const response = once(request, "response") as Promise<[IncomingMessage]>;
  if (body === undefined) request.end();
  else body(request);
  return (await response)[0];
}
