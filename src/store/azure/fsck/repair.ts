// Repairs one space from its log: segments, inventory, the list of open logs, and, when nothing else runs, the log's
// head.
//
// Promise: what the log cannot vouch for is left alone. Where the log is damaged itself, the segments may hold the only
// copy.

import type { Row, Table } from "../../../table/port.ts";
import { logHeadRow, logPartition, nameRow, segmentsPartition, spacesPartition } from "../rows/keys.ts";
import { formatFirst } from "../rows/format.ts";
import { encodeLogHead } from "../rows/log-rows.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { nothingPending } from "../rows/pending.ts";
import { Registration } from "../log/registration.ts";
import type { Finding } from "./finding.ts";
import type { LogPicture } from "./log-check.ts";
import { rebuildSegment } from "./rebuild.ts";
import type { SegmentPicture } from "./segment-check.ts";
import { checkSpace } from "./space-check.ts";
import type { SpaceCheckDeps, SpaceCheckOptions, SpacePicture } from "./space-check.ts";

export interface RepairOptions
  extends SpaceCheckOptions, Pick<AzureStoreOptions, "batchBytes" | "batchOperations" | "walGraceMs"> {
  readonly isOffline: boolean;
}

/** A live writer may come between: more tries than these mean that the space is busier than a repair can be. */
const roundsMax = 5;

/**
 * Repairs as much as it can; a further check tells how much that was. Records that have been pending for longer than
 * the grace time are applied, too.
 */
export async function repairSpace(deps: SpaceCheckDeps, picture: SpacePicture, options: RepairOptions): Promise<void> {
  const { isOffline } = options;
  if (picture.findings.length === 0 && picture.log.unapplied === 0) return;
  // A log of a later format is for a later version to repair.
  if (picture.log.findings.list.some(({ kind }) => kind === "row_newer")) return;
  // A head that counts more records than there are tells of what is lost: it stays.
  const isSure = picture.log.whole && picture.log.records + picture.log.trimmedThrough > 0;
  const needsHead = isOffline && isSure && picture.findings.some(isHeadWrong);
  for (let round = 0; round < roundsMax; round += 1) {
    let changes = 0;
    let redactions = 0;
    const now = await checkSpace(deps, picture.log.space, {
      ...options,
      appliedAfterMs: isOffline ? 0 : options.walGraceMs,
      // A log whose head is rebuilt counts all its records as applied: they are, after this.
      ignoreHead: needsHead,
      onSegment: async (segment, forked, log) => {
        redactions = Math.max(redactions, segment.head?.redactions ?? 0);
        if (!isRepairable(segment, forked, log, { isOffline, needsHead })) return;
        changes += 1;
        const counted = needsHead ? undefined : (log.head.redactions ?? 0);
        await rebuildSegment(deps.source, log.space, segment, { ...options, forked, redactions: counted });
      },
    });
    changes += await repairNames(deps.source.table, now);
    if (now.findings.some(({ kind }) => kind === "log_not_open")) {
      await register(deps, now.log);
      changes += 1;
    }
    // The head says that all is applied only when a whole round has seen that it is.
    if (changes > 0) continue;
    if (!needsHead) await settle(deps, now.log, now.findings);
    else if (!now.findings.some(({ kind }) => kind === "segment_beyond_log"))
      await rebuildHead(deps, now.log, redactions);
    return;
  }
}

function isHeadWrong({ kind }: Finding): boolean {
  return kind.startsWith("log_head_") || kind === "pending_unknown";
}

function isRepairable(
  segment: SegmentPicture,
  forked: boolean,
  log: LogPicture,
  mode: { readonly isOffline: boolean; readonly needsHead: boolean },
): boolean {
  const { findings, head, log: of } = segment;
  if ((forked || head === undefined) && !mode.isOffline) return false;
  if (findings.list.some(({ kind }) => kind === "row_newer")) return false;
  // Entries beyond the log are given up only when the log is surely complete.
  if (forked && (!log.whole || log.records === 0 || mode.needsHead)) return false;
  const isWhole = log.segments.get(of.segment)?.whole ?? log.whole;
  return isWhole && (forked || findings.list.some(({ remedy }) => remedy !== "none"));
}

/** How many rows it wrote or deleted. */
async function repairNames(table: Table, picture: SpacePicture): Promise<number> {
  const { log, extraNames, findings } = picture;
  let changes = extraNames.length;
  for (const { kind, segment } of findings) {
    if (kind === "space_unlisted") await upsertName(table, spacesPartition, log.space);
    else if (kind === "segment_unlisted" && segment !== undefined) {
      await upsertName(table, segmentsPartition(log.space), segment);
    } else continue;
    changes += 1;
  }
  for (const row of extraNames) await deleteName(table, row);
  return changes;
}

async function upsertName(table: Table, partition: string, name: string): Promise<void> {
  await table.submit(partition, [{ kind: "upsert", row: nameRow(name), properties: { v: formatFirst } }]);
}

/** A writer that lists it at this moment gives the row another ETag. */
async function deleteName(table: Table, { partition, row, etag }: Row): Promise<void> {
  await table.submit(partition, [{ kind: "delete", row, ifMatch: etag }]);
}

function register({ registry, store }: SpaceCheckDeps, log: LogPicture): Promise<void> {
  return new Registration(registry, store, log.space).register();
}

/** Takes out of pending what this check has seen applied, all of it; a writer that has written since does so itself. */
async function settle({ source }: SpaceCheckDeps, log: LogPicture, findings: readonly Finding[]): Promise<void> {
  const { head, headEtag, space, unapplied, waiting } = log;
  const isSeen = findings.every(({ kind }) => kind.endsWith("_overdue") || kind === "record_unreadable");
  if (headEtag === undefined || unapplied === 0 || waiting > 0 || !isSeen) return;
  const properties = encodeLogHead({ ...head, unapplied: nothingPending });
  await source.table.submit(logPartition(space), [
    { kind: "replace", row: logHeadRow(space), properties, ifMatch: headEtag },
  ]);
}

/**
 * As the records tell it, and of redactions as the segments do. The row first: a head that says it is listed must not
 * be wrong.
 */
async function rebuildHead(deps: SpaceCheckDeps, log: LogPicture, redactions: number): Promise<void> {
  await register(deps, log);
  const row = logHeadRow(log.space);
  const counted = redactions === 0 ? {} : { redactions, format: 2 as const };
  const properties = encodeLogHead({ ...log.head, ...counted, registered: true });
  await deps.source.table.submit(logPartition(log.space), [
    log.headEtag === undefined
      ? { kind: "insert", row, properties }
      : { kind: "replace", row, properties, ifMatch: log.headEtag },
  ]);
}
