// A space of its own for each test, on one local server for the file.

import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, inject } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { StoreClient } from "streamkit-client";
import { startServer } from "../../cli/src/local/start-local.ts";
import type { LocalServer } from "../../cli/src/local/start-local.ts";

let server: LocalServer;

export function useLocalServer(): () => StoreClient {
  beforeAll(async () => {
    server = await startServer(pathToFileURL(inject("localServer")), {});
  });
  afterAll(() => server.stop());
  return () => new StreamkitClient(server.url).getStoreClient(randomUUID());
}

export const serverUrl = (): string => server.url;
