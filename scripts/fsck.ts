// `npm run fsck -- --store <id> [--repair [--offline]] [--json]`: checks a store, and repairs it from its logs.
// Promise: it ends with 0 when nothing is wrong, 1 when something is, 2 when it could not look.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkStore } from "./check-store.ts";

const usage = `Usage: npm run fsck -- --store <id> [--repair [--offline]] [--json]

Compares what a store holds: each space's log with its segments, the inventory and the list of open logs.
  --store <id>  The store, a UUID.
  --repair      Rebuild what is wrong from the logs, safely beside running instances. Log records are never touched.
  --offline     With --repair: rebuild also what instances may rely on (heads). Stop all of them first, and start them after.
  --json        The report as JSON.

The storage account is the app's: STREAMKIT_STORAGE or AzureWebJobsStorage, and STREAMKIT_TABLE_PREFIX, of the environment or
of local.settings.json. Ends with 0 when nothing is wrong, 1 when something is, 2 when it could not look.`;

try {
  process.exitCode = await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      store: { type: "string" },
      repair: { type: "boolean", default: false },
      offline: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.store === undefined) throw new Error(usage);
  const { store, repair, offline, json } = values;
  const folder = join(import.meta.dirname, "..");
  return checkStore({ store, repair, offline, json, folder, print: (line) => console.log(line) });
}
