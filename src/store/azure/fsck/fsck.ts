// Checks a whole store, and repairs it from its logs.
//
// Promise: a check only reads. A repair never touches a log record, writes only under the ETags of what it has read,
// and is judged by a further check: what that still finds is what remains.

import { isUnreadable } from "../../../core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { TableAccount } from "../../../table/port.ts";
import type { PartitionScan } from "../../../table/port.ts";
import {
  contentOfPartition,
  logHeadRow,
  logPartition,
  openLogOfRow,
  openLogRange,
  registryTableName,
  spaceOfRow,
  spacesPartition,
  storeTableName,
} from "../rows/keys.ts";
import { decodeEnding, endingProperties, isHidden } from "../rows/endings.ts";
import { decodeStoreRow, storeRowKey, storeRowPartition } from "../rows/store-row.ts";
import type { AzureStoreSettings } from "../instance/options.ts";
import { resolveOptions } from "../instance/options.ts";
import { rows } from "../read/pages.ts";
import type { Finding } from "./finding.ts";
import { Findings } from "./finding.ts";
import { repairSpace } from "./repair.ts";
import { checkSpace, readNames } from "./space-check.ts";
import type { SpaceCheckDeps } from "./space-check.ts";

export interface FsckDeps {
  readonly account: TableAccount;
  readonly scan: PartitionScan;
  readonly compressor: Compressor;
  readonly store: StoreId;
  readonly options?: AzureStoreSettings;
}

/** `offline`: nothing else runs on this store, so that what writers may rely on can be rebuilt, too. */
export type RepairMode = "none" | "live" | "offline";

export interface FsckReport {
  readonly store: StoreId;
  /** Whether anything at all speaks of this store. */
  readonly found: boolean;
  readonly spaces: number;
  readonly segments: number;
  readonly records: number;
  readonly entries: number;
  /** Records that are on their way: to their segments, and to who is told of them. */
  readonly unapplied: number;
  readonly unnotified: number;
  readonly oldestPendingMs: number;
  /** The findings; after a repair, those that are left. */
  readonly findings: readonly Finding[];
  /** The findings before the repair. */
  readonly repaired: readonly Finding[];
}

/** How old a pending record is before something must be wrong with the monitor, in grace times. */
const overdueGraces = 20;

/** Throws `storage_unavailable` and the like when the store cannot be read. */
export async function fsck(deps: FsckDeps, repair: RepairMode): Promise<FsckReport> {
  const { account, compressor, scan, store } = deps;
  const options = resolveOptions(deps.options);
  const name = storeTableName(options.tablePrefix, store);
  const check: SpaceCheckDeps = {
    source: { table: account.table(name), compressor },
    registry: account.table(registryTableName(options.tablePrefix)),
    store,
  };
  const findings = new Findings();
  const spaces = await findSpaces(check, scan(name), findings);
  const report = { spaces: 0, segments: 0, records: 0, entries: 0, unapplied: 0, unnotified: 0, oldestPendingMs: 0 };
  const before = [...findings.list];
  for (const [space, seen] of spaces) {
    // A job removes what was deleted: nothing there is damage.
    if (await isDeleted(check, space)) continue;
    const overdueMs = Math.max(60_000, overdueGraces * options.walGraceMs);
    const checking = { overdueMs, seen };
    let picture = await checkSpace(check, space, checking);
    before.push(...picture.findings);
    if (repair !== "none") {
      await repairSpace(check, picture, { ...checking, ...options, isOffline: repair === "offline" });
      picture = await checkSpace(check, space, checking);
    }
    const { log } = picture;
    findings.list.push(...picture.findings);
    if (log.records > 0) report.spaces += 1;
    report.segments += picture.segments;
    report.records += log.records;
    report.entries += log.entries;
    report.unapplied += log.unapplied;
    report.unnotified += log.unnotified;
    report.oldestPendingMs = Math.max(report.oldestPendingMs, log.oldestPendingMs);
  }
  const left = new Set(findings.list.map(keyOf));
  const repaired = repair === "none" ? [] : before.filter((finding) => !left.has(keyOf(finding)));
  return { store, found: spaces.size > 0, ...report, findings: findings.list, repaired };
}

async function isDeleted({ registry, source, store }: SpaceCheckDeps, space: SpaceName): Promise<boolean> {
  const { row } = await registry.get(storeRowPartition(store), storeRowKey(store));
  if (row !== undefined && decodeStoreRow(row).ending !== undefined) return true;
  const head = await source.table.get(logPartition(space), logHeadRow(space), { select: endingProperties });
  return head.row !== undefined && isHidden(decodeEnding(head.row));
}

/**
 * All spaces that anything speaks of (the inventory, the list of open logs, the keys of the rows), and segments with
 * rows.
 */
async function findSpaces(
  { registry, source, store }: SpaceCheckDeps,
  partitions: AsyncIterable<string>,
  findings: Findings,
): Promise<Map<SpaceName, SegmentName[]>> {
  const spaces = new Map<SpaceName, SegmentName[]>();
  const see = (space: SpaceName): SegmentName[] => {
    const seen = spaces.get(space) ?? [];
    spaces.set(space, seen);
    return seen;
  };
  for (const space of (await readNames(source.table, spacesPartition, spaceOfRow, findings)).keys()) see(space);
  for await (const { row } of rows(registry, openLogRange(store), { select: ["v"] })) {
    const openLog = readable(() => openLogOfRow(row), findings);
    if (openLog !== undefined) see(openLog.space);
  }
  for await (const partition of partitions) {
    const content = readable(() => contentOfPartition(partition), findings);
    if (content === undefined || content.kind === "spaces") continue;
    const seen = see(content.space);
    if (content.kind === "segment") seen.push(content.segment);
  }
  return spaces;
}

/** Reads a key. An impossible key becomes a finding, and undefined. */
function readable<T>(read: () => T, findings: Findings): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    findings.add("row_unknown", error.message);
    return undefined;
  }
}

function keyOf({ kind, message, segment, space }: Finding): string {
  return JSON.stringify([kind, space, segment, message]);
}
