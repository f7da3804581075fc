// The command of the local host: `node dist/local/main.js [--root <folder>] [--port <number>]`.
// Promise: says when it is ready, to a parent process by message too; ends with 0 when it is asked to, and with 1 when
// it cannot start or the app breaks, and never outlives the process that started it with a channel.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startHost } from "./host.ts";
import { describeError } from "./log.ts";
import { Refusal } from "./refusal.ts";
import { readLocalSettings } from "./settings.ts";

const { values: args } = parseArgs({ options: { root: { type: "string" }, port: { type: "string" } } });
const root = resolve(args.root ?? ".");
process.chdir(root);

/** What still runs when the host is asked to stop has this long. */
const graceMs = 3000;

// On Azure these end the worker, and what else runs in it, at once.
process.on("uncaughtException", (error, origin) => {
  console.error(`The app broke (${origin}), as it would on Azure: ${describeError(error)}`);
  process.exit(1);
});

try {
  const local = readLocalSettings(root);
  // The environment wins over the file.
  for (const [name, value] of Object.entries(local.values)) process.env[name] ??= value;
  process.env["AZURE_FUNCTIONS_ENVIRONMENT"] ??= "Development";

  // The keys, and the names, are the host's, as on Azure: the app does not see them.
  const env = { ...process.env };
  delete process.env["STREAMKIT_LOCAL_KEYS"];
  delete process.env["STREAMKIT_LOCAL_HOSTS"];
  const port = Number(args.port ?? local.port ?? 7071);
  const host = await startHost({ root, port, env, print: (line) => console.log(line) });

  let stopping = false;
  const stop = (): void => {
    // Asked twice: at once.
    if (stopping) process.exit(1);
    stopping = true;
    host.stop(graceMs).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(describeError(error));
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  if (process.send !== undefined) {
    process.on("disconnect", stop);
    process.send({ ready: host.url });
  }
  console.log(`The app answers on ${host.url}`);
} catch (error) {
  console.error(error instanceof Refusal ? error.message : `The app does not start. ${describeError(error)}`);
  process.exit(1);
}
