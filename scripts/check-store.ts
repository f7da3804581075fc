// Checks a store, and repairs it from its logs: what `npm run fsck` and `streamkit fsck` do.
// Promise: without `repair` it only reads. It resolves with 0 when nothing is wrong, with 1 when something is, and
// rejects when it could not look.

import { zstdCompressor } from "../src/codec/zstd.ts";
import { parseStoreId } from "../src/core/ids.ts";
import type { Finding } from "../src/store/azure/fsck/finding.ts";
import { findingText } from "../src/store/azure/fsck/finding.ts";
import { resolveOptions } from "../src/store/azure/instance/options.ts";
import { openStorage } from "./storage.ts";
import { fsck } from "../src/store/azure/fsck/fsck.ts";
import type { FsckReport } from "../src/store/azure/fsck/fsck.ts";

export interface CheckOptions {
  readonly store: string;
  readonly repair: boolean;
  readonly offline: boolean;
  readonly json: boolean;
  /** Whose local.settings.json says where the storage is, unless the environment does. */
  readonly folder: string;
  readonly print: (line: string) => void;
}

export async function checkStore(values: CheckOptions): Promise<0 | 1> {
  if (values.offline && !values.repair) throw new Error("--offline goes with --repair.");
  const { settings, account, scan } = openStorage(values.folder);
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
  if (values.json) values.print(JSON.stringify(report, undefined, 2));
  else tell(report, values);
  return report.findings.length === 0 ? 0 : 1;
}

function tell(report: FsckReport, { repair: isRepair, print }: CheckOptions): void {
  const { entries, findings, oldestPendingMs, records, repaired, segments, spaces, store, unapplied, unnotified } =
    report;
  for (const finding of repaired) print(`repaired: ${findingText(finding)}`);
  for (const finding of findings) print(`${findingText(finding)}${isRepair ? "" : advice(finding)}`);
  const held = `spaces: ${spaces}, segments: ${segments}, records: ${records}, entries: ${entries}`;
  const pending = `records to apply: ${unapplied}, to notify: ${unnotified}`;
  const oldest = oldestPendingMs > 0 ? `, the oldest for ${Math.round(oldestPendingMs / 1_000)} s` : "";
  print(`Store ${store} - ${held}. On their way - ${pending}${oldest}.`);
  const verdict = findings.length === 0 ? "Nothing is wrong." : `Disagreements: ${findings.length}.`;
  print(isRepair ? `Repaired: ${repaired.length}. ${verdict}` : verdict);
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
