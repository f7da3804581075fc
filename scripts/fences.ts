// Shows the lease tokens that a space fences with, and resets one: `npm run fences -- --store <id> --space <name>
// [--reset <lease> --why <text>]`. Promise: without --reset it only reads. It ends with 0 when it has done what was
// asked, 2 when it could not.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseSpaceName, parseStoreId } from "../src/core/ids.ts";
import { readFences, resetFence } from "../src/store/azure/fsck/fences.ts";
import { resolveOptions } from "../src/store/azure/instance/options.ts";
import { storeTableName } from "../src/store/azure/rows/keys.ts";
import { openStorage } from "./storage.ts";

const usage = `Usage: npm run fences -- --store <id> --space <name> [--reset <lease> --why <text>]

Shows the leases that have written to a space, each with the greatest of its tokens: older ones are refused. And all resets.
  --store <id>     The store, a UUID.
  --space <name>   The space.
  --reset <lease>  Forget the token of this lease: from then on only the last token that was granted of it may write. Safe beside
                   running instances.
  --why <text>     With --reset: the reason. It is kept with the reset.

The storage account is the app's: STREAMKIT_STORAGE or AzureWebJobsStorage, and STREAMKIT_TABLE_PREFIX, of the environment or
of local.settings.json. Ends with 0 when it has done so, 2 when it could not.`;

try {
  await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      store: { type: "string" },
      space: { type: "string" },
      reset: { type: "string" },
      why: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { store, space: name, reset: lease, why, help } = values;
  if (help) {
    console.log(usage);
    return;
  }
  if (store === undefined || name === undefined) throw new Error(usage);
  if ((lease === undefined) !== (why === undefined)) throw new Error("--reset and --why go together.");
  const { settings, account } = openStorage(join(import.meta.dirname, ".."));
  const table = account.table(storeTableName(resolveOptions(settings.store).tablePrefix, parseStoreId(store)));
  const space = parseSpaceName(name);
  if (lease !== undefined && why !== undefined) await resetFence(table, space, lease, why);
  const { fences, resets } = await readFences(table, space);
  for (const [key, token] of fences) console.log(`lease ${JSON.stringify(key)}: token ${token}`);
  for (const { at, lease: key, token, why: reason } of resets) {
    console.log(`reset at ${new Date(at).toISOString()}: lease ${JSON.stringify(key)}, token ${token}: ${reason}`);
  }
  console.log(`Space ${JSON.stringify(space)} of store ${store} - leases: ${fences.size}, resets: ${resets.length}.`);
}
