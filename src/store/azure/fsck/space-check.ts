// Checks everything of one space against its log: segments, inventory, the row that lists the log as open.
//
// Promise: reads in the order that makes each disagreement real. Names are read before the log, so the log must know
// them; segments after it, so they must have what it counts as applied; what they have beyond it must be in the log
// when that is read again.

import { isUnreadable } from "../../../core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import type { Row, Table } from "../../../table/port.ts";
import {
  lastRecordTimestamp,
  logHeadRow,
  logPartition,
  nameRange,
  nameRow,
  openLogRow,
  openLogsPartition,
  recordRange,
  segmentOfRow,
  segmentsPartition,
  spacesPartition,
} from "../rows/keys.ts";
import { decodeRecordSummary, summaryProperties } from "../rows/log-rows.ts";
import type { TransactionSummary } from "../rows/log-rows.ts";
import { isMarker } from "../rows/markers.ts";
import { rows } from "../read/pages.ts";
import type { Source } from "../read/read.ts";
import { SegmentLog } from "./block-check.ts";
import type { Finding } from "./finding.ts";
import { Findings } from "./finding.ts";
import type { LogCheckOptions, LogPicture } from "./log-check.ts";
import { checkLog } from "./log-check.ts";
import type { SegmentPicture } from "./segment-check.ts";
import { checkSegment } from "./segment-check.ts";

export interface SpaceCheckDeps {
  readonly source: Source;
  readonly registry: Table;
  readonly store: StoreId;
}

export interface SpaceCheckOptions extends LogCheckOptions {
  /** Segments that rows were seen of, listed or not. */
  readonly seen: Iterable<SegmentName>;
  /** Told of each segment once it has been judged; waited for. */
  readonly onSegment?: (picture: SegmentPicture, forked: boolean, log: LogPicture) => Promise<void>;
}

export interface SpacePicture {
  readonly log: LogPicture;
  readonly segments: number;
  /** Inventory rows of the space and its segments that nothing is stored of. */
  readonly extraNames: readonly Row[];
  readonly findings: readonly Finding[];
}

/** Segments checked at the same time. */
const segmentsMax = 4;

export async function checkSpace(
  deps: SpaceCheckDeps,
  space: SpaceName,
  options: SpaceCheckOptions,
): Promise<SpacePicture> {
  const { source } = deps;
  const { table } = source;
  const findings = new Findings(space);
  const { row: spaceRow } = await table.get(spacesPartition, nameRow(space), { select: ["v"] });
  const listed = await readNames(table, segmentsPartition(space), segmentOfRow, findings);
  const log = await checkLog(source, space, options);
  const names = new Set([...log.segments.keys(), ...listed.keys(), ...options.seen]);
  const pictures = await checkSegments(deps, space, log, [...names]);
  const isAhead = pictures.some((picture) => picture.reach > picture.log.lastSequence);
  const since = isAhead ? await readSince(source, space, log.head.timestamp) : new Map<SegmentName, number>();
  const extraNames: Row[] = [];
  for (const picture of pictures) {
    const { segment, lastSequence } = picture.log;
    const last = Math.max(lastSequence, since.get(segment) ?? 0);
    const forked = picture.reach > last && !picture.isTrimmedAway;
    if (forked) {
      const ends = last === 0 ? "the log has nothing of it" : `its log ends at ${last}`;
      findings.add(
        "segment_beyond_log",
        `the segment has entries up to sequence ${picture.reach}, and ${ends}`,
        segment,
      );
    }
    findings.list.push(...picture.findings.list);
    const isLogged = picture.log.transactions.length > 0 || since.has(segment);
    const name = listed.get(segment);
    if (name !== undefined && !isLogged && !forked && !picture.isTrimmedAway) {
      extraNames.push(name);
      findings.add("name_extra", "the segment is listed, and the log has nothing of it", segment);
    }
    await options.onSegment?.(picture, forked, log);
  }
  if (spaceRow !== undefined && log.records === 0 && log.trimmedThrough === 0 && !isAhead) {
    extraNames.push(spaceRow);
    findings.add("name_extra", "the space is listed, and has no log");
  }
  await checkListed(table, log, new Set(listed.keys()), findings);
  await checkOpen(deps, log, findings);
  return { log, segments: log.segments.size, extraNames, findings: [...log.findings.list, ...findings.list] };
}

/** The names of one inventory partition and their rows; rows whose key is no name are found. */
export async function readNames<Name>(
  table: Table,
  partition: string,
  parse: (row: string) => Name,
  findings: Findings,
): Promise<Map<Name, Row>> {
  const names = new Map<Name, Row>();
  for await (const row of rows(table, nameRange(partition, ""), { select: ["v"] })) {
    try {
      names.set(parse(row.row), row);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      findings.add("name_unreadable", `row ${row.row} of the inventory is no name`);
    }
  }
  return names;
}

async function checkSegments(
  deps: SpaceCheckDeps,
  space: SpaceName,
  log: LogPicture,
  names: readonly SegmentName[],
): Promise<SegmentPicture[]> {
  const pictures: SegmentPicture[] = [];
  for (let at = 0; at < names.length; at += segmentsMax) {
    const some = names.slice(at, at + segmentsMax).map((segment) => {
      const of = new SegmentLog(segment, log.segments.get(segment)?.transactions ?? []);
      return checkSegment(deps.source, space, of, log.head.timestamp, log.trimmedThrough);
    });
    pictures.push(...(await Promise.all(some)));
  }
  return pictures;
}

/** The last sequence of each segment that the log has gained since. */
async function readSince(source: Source, space: SpaceName, timestamp: number): Promise<Map<SegmentName, number>> {
  const last = new Map<SegmentName, number>();
  const range = recordRange(logPartition(space), timestamp + 1, lastRecordTimestamp);
  for await (const row of rows(source.table, range, { select: summaryProperties })) {
    const transactions = transactionsOf(row);
    for (const { segment, lastSequence } of transactions) last.set(segment, lastSequence);
  }
  return last;
}

/** None where that cannot be read: the next check finds it in the log. */
function transactionsOf(row: Row): readonly TransactionSummary[] {
  if (isMarker(row)) return [];
  try {
    return decodeRecordSummary(row).transactions;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return [];
  }
}

async function checkListed(
  table: Table,
  log: LogPicture,
  listed: ReadonlySet<SegmentName>,
  findings: Findings,
): Promise<void> {
  const isThere = async (partition: string, name: string): Promise<boolean> =>
    (await table.get(partition, nameRow(name), { select: ["v"] })).row !== undefined;
  const isRemoved = log.head.ending?.state === "removed";
  if (log.begun && !isRemoved && !(await isThere(spacesPartition, log.space))) {
    findings.add("space_unlisted", "the space has entries and is not listed");
  }
  for (const [segment, { transactions }] of log.segments) {
    const isSettled = transactions[0]?.pending === false;
    if (!isSettled || listed.has(segment) || (await isThere(segmentsPartition(log.space), segment))) continue;
    findings.add("segment_unlisted", "the segment has entries and is not listed", segment);
  }
}

/** A log that says it is open, or has something pending, has its row, or its head has changed meanwhile. */
async function checkOpen(
  { registry, source, store }: SpaceCheckDeps,
  log: LogPicture,
  findings: Findings,
): Promise<void> {
  const { head, headEtag, space, unapplied, unnotified } = log;
  if (headEtag === undefined || (!head.registered && unapplied + unnotified === 0)) return;
  const { row } = await registry.get(openLogsPartition, openLogRow(store, space));
  if (row !== undefined) return;
  const { row: now } = await source.table.get(logPartition(space), logHeadRow(space), { select: ["v"] });
  if (now?.etag !== headEtag) return;
  const why = unapplied + unnotified > 0 ? "has records pending" : "says that it is listed as open";
  findings.add("log_not_open", `the log ${why}, and is not listed as open: the monitor would not visit it`);
}
