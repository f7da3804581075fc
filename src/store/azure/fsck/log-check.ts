// Checks one space's log against itself, and tells what it holds: what segments, inventory and open logs are judged by.
//
// Promise: looks only at records up to the head that it read first. They never change, so what it says stays true
// beside live writers; a record that the head lists as pending is not yet expected anywhere else.

import { isUnreadable } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Row } from "../../../table/port.ts";
import { lastRecordTimestamp, logHeadRow, logPartition, recordRange, timestampOfRow } from "../rows/keys.ts";
import type { LogHead } from "../rows/log-rows.ts";
import { decodeLogHead, emptyLog } from "../rows/log-rows.ts";
import { decodeLogMarker, isMarker } from "../rows/markers.ts";
import { isMerged } from "../rows/merged-rows.ts";
import { rows } from "../read/pages.ts";
import { nothingPending } from "../rows/pending.ts";
import type { Source } from "../read/read.ts";
import { Findings } from "./finding.ts";
import type { LoggedSegment } from "./log-walk.ts";
import { LogWalk } from "./log-walk.ts";

export interface LogPicture {
  readonly space: SpaceName;
  /** Undefined: there is no head row, or one that cannot be read. */
  readonly headEtag: string | undefined;
  /** As stored; where that is missing or wrong, as the records say. */
  readonly head: LogHead;
  readonly records: number;
  /** The timestamp that a trim has removed up to; 0: nothing. */
  readonly trimmedThrough: number;
  /** The first record has been applied, so the space must be listed. */
  readonly begun: boolean;
  readonly entries: number;
  readonly unapplied: number;
  readonly unnotified: number;
  /** How many of the records to apply may still wait, so that nothing of them is expected anywhere. */
  readonly waiting: number;
  /** Age of the oldest pending record by the service's clock, milliseconds; 0 when nothing is pending. */
  readonly oldestPendingMs: number;
  readonly segments: ReadonlyMap<SegmentName, LoggedSegment>;
  /** Every record is there and tells which segments it moves. */
  readonly whole: boolean;
  readonly findings: Findings;
}

export interface LogCheckOptions {
  /** A record that is pending for longer than this is found. */
  readonly overdueMs: number;
  /** All records count, whatever the head says of them. */
  readonly ignoreHead?: boolean;
  /** A record that is pending for longer than this counts as applied: what it lacks is found. Absent: none does. */
  readonly appliedAfterMs?: number;
}

const allPending = { unapplied: { from: 0, to: limits.headNumberMax, listed: [] }, unnotified: nothingPending };

export async function checkLog(source: Source, space: SpaceName, options: LogCheckOptions): Promise<LogPicture> {
  const { table } = source;
  const partition = logPartition(space);
  const { row, serviceTime } = await table.get(partition, logHeadRow(space));
  const findings = new Findings(space);
  const readable = row === undefined ? undefined : headOf(row, findings);
  const stored = options.ignoreHead === true ? undefined : readable;
  // The pending list in a head of a later format cannot be read, so nothing of its records is expected anywhere.
  const isNewer = findings.list.some(({ kind }) => kind === "row_newer");
  const { appliedAfterMs = Infinity } = options;
  const mayWait = (writtenAt: number): boolean => isNewer || serviceTime - writtenAt < appliedAfterMs;
  const walk = new LogWalk(source, space, stored ?? (isNewer ? allPending : emptyLog), mayWait, findings);
  let beyond = 0;
  for await (const record of rows(table, recordRange(partition, 1, lastRecordTimestamp), {})) {
    const timestamp = timestampOf(record, findings);
    if (timestamp === undefined) continue;
    if (isMarker(record)) {
      takeMarker(walk, record, findings);
      continue;
    }
    const isBeyond = stored !== undefined && timestamp > stored.timestamp;
    if (isBeyond) beyond = timestamp;
    // Beyond the head it may have records that were rows of their own when the head was read.
    if (isMerged(record)) await walk.takeMerged(record, stored?.timestamp ?? Infinity);
    else if (!isBeyond) await walk.take(record, timestamp);
  }
  if (stored !== undefined && beyond > 0) await checkBeyond(source, space, beyond, findings);
  const whole = stored === undefined ? walk.endWithoutHead(row !== undefined) : walk.endAt(stored);
  const ageMs = (writtenAt: number): number => (writtenAt === 0 ? 0 : Math.max(0, serviceTime - writtenAt));
  const [unappliedMs, unnotifiedMs] = [ageMs(isNewer ? 0 : walk.oldestUnappliedAt), ageMs(walk.oldestUnnotifiedAt)];
  if (unappliedMs > options.overdueMs) {
    const why = "the monitor does not run, or fails";
    findings.add("apply_overdue", `a record has waited to be applied for ${seconds(unappliedMs)} s: ${why}`);
  }
  if (unnotifiedMs > options.overdueMs) {
    const why = "the monitor does not run, or the queue does not take it";
    findings.add("notify_overdue", `a record has waited for its notification for ${seconds(unnotifiedMs)} s: ${why}`);
  }
  return {
    space,
    headEtag: row?.etag,
    head: stored ?? { ...walk.head(), ...fencesOf(readable) },
    records: walk.records,
    trimmedThrough: walk.trimmedThrough,
    begun: walk.begun,
    entries: walk.entries,
    unapplied: isNewer ? 0 : walk.unapplied,
    unnotified: walk.unnotified,
    waiting: walk.waiting,
    oldestPendingMs: Math.max(unappliedMs, unnotifiedMs),
    segments: walk.segments,
    whole,
    findings,
  };
}

/**
 * If the head is lost, so are its fences: then the last token of each lease must be asked for, as after its key was
 * dropped.
 */
function fencesOf(readable: LogHead | undefined): Pick<LogHead, "droppedAt" | "fences"> {
  const { droppedAt, fences } = readable ?? emptyLog;
  return { droppedAt, fences };
}

function takeMarker(walk: LogWalk, row: Row, findings: Findings): void {
  try {
    walk.takeMarker(decodeLogMarker(row));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    findings.addUnread("record_unreadable", "the marker of a trim in the log", error);
  }
}

function headOf(row: Row, findings: Findings): LogHead | undefined {
  try {
    return decodeLogHead(row);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    findings.addUnread("log_head_differs", "the log's head", error);
    return undefined;
  }
}

function timestampOf(row: Row, findings: Findings): number | undefined {
  try {
    return timestampOfRow(row.row);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    findings.add("row_unknown", `row ${row.row} of the log is none of a log`);
    return undefined;
  }
}

/** Records after the head are new commits, if the head has moved past them by now. */
async function checkBeyond(source: Source, space: SpaceName, timestamp: number, findings: Findings): Promise<void> {
  const { row } = await source.table.get(logPartition(space), logHeadRow(space));
  const now = row === undefined ? 0 : headOf(row, findings)?.timestamp;
  if (now !== undefined && now < timestamp)
    findings.add("log_head_differs", `there is a record at ${timestamp}, after the log's head (${now})`);
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}
