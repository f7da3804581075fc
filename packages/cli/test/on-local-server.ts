// Imported first, it has the tests of a file run on the local server in the place of the app over Azurite.

import { pathToFileURL } from "node:url";
import { inject } from "vitest";
import { startInstead } from "../../../test/e2e/harness.ts";
import { startServer } from "../src/local/start-local.ts";

startInstead(async ({ env = {} }) => {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const server = await startServer(pathToFileURL(inject("localServer")), { settings: env, log });
  return {
    url: server.url,
    pid: process.pid,
    logs: () => lines.join("\n"),
    exited: server.ended.then((error) => (error === undefined ? 0 : error.message)),
    stop: () => server.stop(),
  };
});
