// Checks a store, and repairs it from its logs: `npm run fsck -- --store <id> [--repair [--offline]] [--json]`.
// Promise: without --repair it only reads. It ends with 0 when nothing is wrong, 1 when something is, 2 when it could not look.

import { parseArgs } from "node:util";
import { zstdCompressor } from "../src/codec/zstd.ts";
import { parseStoreId } from "../src/core/ids.ts";
import type { Finding } from "../src/store/azure/fsck/finding.ts";
import { findingText } from "../src/store/azure/fsck/finding.ts";
import { resolveOptions } from "../src/store/azure/instance/options.ts";
import { openStorage } from "./storage.ts";
import { fsck } from "../src/store/azure/fsck/fsck.ts";
import type { FsckReport } from "../src/store/azure/fsck/fsck.ts";

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
  if (values.offline && !values.repair) throw new Error("--offline goes with --repair.");
  const { settings, account, scan } = openStorage();
  const report = await fsck(
    {
      account,
      scan,
      compressor: zstdCompressor,
      store: parseStoreId(values.store),
      options: settings.store,
    },
    values.repair ? (values.offline ? "offline" : "live") : "none",
  );
  if (!report.found) {
    const { accountName } = settings.connection;
    const prefix = resolveOptions(settings.store).tablePrefix;
    throw new Error(
      `The account ${accountName} has no events of store ${report.store} under the table prefix ${prefix}.`,
    );
  }
  if (values.json) console.log(JSON.stringify(report, undefined, 2));
  else print(report, values.repair);
  return report.findings.length === 0 ? 0 : 1;
}

function print(report: FsckReport, isRepair: boolean): void {
  const { entries, findings, oldestPendingMs, records, repaired, segments, spaces, store, unapplied, unnotified } =
    report;
  for (const finding of repaired) console.log(`repaired: ${findingText(finding)}`);
  for (const finding of findings) console.log(`${findingText(finding)}${isRepair ? "" : advice(finding)}`);
  const held = `spaces: ${spaces}, segments: ${segments}, records: ${records}, entries: ${entries}`;
  const pending = `records to apply: ${unapplied}, to notify: ${unnotified}`;
  const oldest = oldestPendingMs > 0 ? `, the oldest for ${Math.round(oldestPendingMs / 1_000)} s` : "";
  console.log(`Store ${store} - ${held}. On their way - ${pending}${oldest}.`);
  const verdict = findings.length === 0 ? "Nothing is wrong." : `Disagreements: ${findings.length}.`;
  console.log(isRepair ? `Repaired: ${repaired.length}. ${verdict}` : verdict);
}

function advice({ remedy }: Finding): string {
  switch (remedy) {
    case "live":
      return " [--repair]";
    case "offline":
      return " [--repair --offline]";
    case "none":
      return "";
  }
}
