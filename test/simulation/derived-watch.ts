// Judges every write to what is derived from the logs (I2, I5, I6): segments, inventory, the list of open logs, status
// messages.

import { decodeEntry } from "../../src/codec/entry.ts";
import type { SegmentName, SpaceName } from "../../src/core/ids.ts";
import { blockRow, segmentHeadRow, segmentRowOf, transactionRow } from "../../src/store/azure/rows/keys.ts";
import { isMarker } from "../../src/store/azure/rows/markers.ts";
import { isMerged } from "../../src/store/azure/rows/merged-rows.ts";
import { decodeSegmentHead, decodeTransactionRow } from "../../src/store/azure/rows/segment-rows.ts";
import type { SegmentHead } from "../../src/store/azure/rows/segment-rows.ts";
import type { Change } from "../doubles/simulated-service.ts";
import { segmentMerged } from "./merge-watch.ts";
import { decodeData, decodeRowOf, isSame } from "./stored.ts";
import type { SegmentTruth, SpaceTruth, Verdict } from "./truth.ts";
import type { SegmentStatus } from "../../src/core/entry.ts";

/** A write to a segment: its next transactions, from the log, as one block, and the head. Says what it was. */
export function segmentWritten(
  segment: SegmentTruth,
  space: SpaceTruth,
  partition: string,
  changes: readonly Change[],
  verdict: Verdict,
): string {
  const { name } = segment;
  const headChange = changes.find(({ row }) => row === segmentHeadRow(partition));
  const isMerge = changes.some(({ after }) => after !== undefined && isMerged(after));
  if (isMerge && headChange === undefined) return segmentMerged(segment, changes, verdict);
  if (headChange?.after === undefined) {
    verdict.report("I6", `segment ${name} was written without its head`);
    return "";
  }
  const head = decodeSegmentHead(headChange.after);
  const before = headChange.before === undefined ? 0 : decodeSegmentHead(headChange.before).lastSequence;
  const { lastSequence } = head;
  if (lastSequence === before && isMerge && head.firstSequence === segment.first) {
    verdict.check(head.ownFirst === segment.own, "L6", () => `a compaction of ${name} moves how far its trims went`);
    return segmentMerged(segment, changes, verdict);
  }
  if (lastSequence === before) return segmentTrimmed(segment, space, head, changes, verdict);
  verdict.check(
    before === segment.applied && lastSequence > before,
    "I2",
    () => `segment ${name} goes from ${before} to ${lastSequence}`,
  );
  const last = segment.transactions.find((transaction) => transaction.lastSequence === lastSequence);
  if (last === undefined) {
    verdict.report("I6", `segment ${name} ends at ${lastSequence}, where no committed transaction does`);
    return "";
  }
  const tells =
    head.transactionId === last.id &&
    head.transactionNumber === last.number &&
    head.lastTimestamp === last.timestamp &&
    head.firstTimestamp === segment.entries[segment.first - 1]?.timestamp;
  verdict.check(tells, "I6", () => `the head of segment ${name} at ${lastSequence} is not what the log says`);
  verdict.check(
    head.firstSequence === segment.first && head.ownFirst === segment.own,
    "L2",
    () => `an apply brings back what was trimmed of ${name}: ${head.firstSequence}, trimmed before ${segment.first}`,
  );
  const peeked = headChange.after.properties["e"];
  if (peeked instanceof Uint8Array)
    isSame(decodeEntry(peeked), segment.entries[lastSequence - 1], verdict, "the last entry in the head");
  let next = before + 1;
  const used = new Set(
    segment.transactions.flatMap(({ keyed, id, lastSequence: end }) =>
      keyed && end > before && end <= lastSequence ? [id] : [],
    ),
  );
  for (const change of changes) {
    if (change === headChange) continue;
    verdict.check(
      change.before === undefined && change.after !== undefined,
      "I6",
      () => `a row of segment ${name} was changed or removed`,
    );
    if (change.after === undefined) continue;
    if (change.row === blockRow(lastSequence)) {
      for (const entry of decodeData(change.after).flatMap(({ entries }) => entries)) {
        verdict.check(
          entry.sequence === next,
          "I2",
          () => `a block of ${name} has ${entry.sequence} where ${next} comes`,
        );
        isSame(entry, segment.entries[entry.sequence - 1], verdict, `a block of ${name}`);
        next += 1;
      }
      continue;
    }
    const id = [...used].find((one) => transactionRow(one) === change.row);
    if (id === undefined) {
      verdict.report("I6", `segment ${name} got a row that no transaction explains`);
      continue;
    }
    used.delete(id);
    const place = decodeTransactionRow(change.after, id);
    const { firstSequence, lastSequence: end, number, timestamp } = segment.byId.get(id)!;
    const same =
      place.firstSequence === firstSequence &&
      place.lastSequence === end &&
      place.number === number &&
      place.timestamp === timestamp;
    verdict.check(same, "I6", () => `the row of id ${id} in ${name} is not what the log says`);
  }
  verdict.check(
    next === lastSequence + 1,
    "I2",
    () => `segment ${name} ends at ${lastSequence}, its block at ${next - 1}`,
  );
  verdict.check(used.size === 0, "I6", () => `segment ${name} does not know the id ${[...used][0]}`);
  segment.applied = lastSequence;
  segment.blocks.set(lastSequence, before + 1);
  return `${name} is at ${lastSequence}`;
}

/**
 * A trim moves the first sequence, never back and never beyond what was asked for (L1, L5), and head, marker and blocks
 * agree in the same moment (L7): nothing before it is left, the block that it cuts holds the rest of its entries, the
 * marker is where the last gone one was.
 */
function segmentTrimmed(
  segment: SegmentTruth,
  space: SpaceTruth,
  { firstSequence, firstTimestamp, ownFirst }: SegmentHead,
  changes: readonly Change[],
  verdict: Verdict,
): string {
  const { applied, first, name, own } = segment;
  verdict.check(firstSequence >= first && ownFirst >= own, "L5", () => `segment ${name} begins before ${first} again`);
  const asked = Math.min(Math.max(segment.asked, space.firstFrom(segment, space.asked)), applied + 1);
  verdict.check(
    firstSequence <= asked,
    "L1",
    () => `segment ${name} lost entries from ${asked} on, before ${firstSequence}`,
  );
  verdict.check(
    ownFirst <= segment.asked,
    "L1",
    () => `segment ${name} was not asked to trim itself before ${ownFirst}`,
  );
  const begins = segment.entries[Math.min(firstSequence, applied) - 1];
  verdict.check(begins?.timestamp === firstTimestamp, "I6", () => `the head of ${name} tells another first time`);
  const isMarked = changes.some(
    ({ after, row }) => after !== undefined && isMarker(after) && row === blockRow(firstSequence - 1),
  );
  verdict.check(isMarked, "L7", () => `segment ${name} begins at ${firstSequence}, and no marker says so`);
  for (const { after, row } of changes) {
    const what = segmentRowOf(row);
    if (what?.kind !== "block") continue;
    segment.blocks.delete(what.lastSequence);
    if (after === undefined || isMarker(after)) continue;
    const cut = decodeRowOf(after);
    const isRest = cut[0]?.sequence === firstSequence && cut.at(-1)?.sequence === what.lastSequence;
    verdict.check(isRest, "L1", () => `a block of ${name} that was cut has not the rest of its entries`);
    segment.blocks.set(what.lastSequence, cut[0]?.sequence ?? 0);
    for (const entry of cut) isSame(entry, segment.entries[entry.sequence - 1], verdict, `a cut block of ${name}`);
  }
  const begin = Math.min(...segment.blocks.values());
  const isWhole = firstSequence > applied ? segment.blocks.size === 0 : begin === firstSequence;
  verdict.check(isWhole, "L7", () => `segment ${name} begins at ${firstSequence}, its blocks at ${begin}`);
  segment.first = firstSequence;
  segment.own = ownFirst;
  return `${name} begins at ${firstSequence}`;
}

/** A status tells of a beginning that is, or was: what is known of it may be older than the last trim. */
export function isBeginning(
  segment: SegmentTruth,
  {
    firstSequence,
    firstTimestamp,
    lastSequence,
  }: Pick<SegmentStatus, "firstSequence" | "firstTimestamp" | "lastSequence">,
): boolean {
  if (firstSequence < 1 || firstSequence > segment.first) return false;
  if (firstSequence > lastSequence) return segment.entries.some(({ timestamp }) => timestamp === firstTimestamp);
  return segment.entries[firstSequence - 1]?.timestamp === firstTimestamp;
}

interface Listable {
  listed: boolean;
}

/** A row of the inventory: of what has been committed, and never removed. */
export function nameWritten(what: string, exists: boolean, truth: Listable, change: Change, verdict: Verdict): string {
  verdict.check(exists, "I4", () => `${what} is listed, but nothing was committed to it`);
  verdict.check(change.after !== undefined, "I5", () => `${what} was taken from the inventory`);
  truth.listed = change.after !== undefined;
  return `${what} is listed`;
}

/** A log with something pending is on the monitor's list. */
export function isWatched(space: SpaceTruth, verdict: Verdict): void {
  verdict.check(
    space.open || space.pending.size === 0,
    "I5",
    () => `${space.name} has records pending, but is not listed as open`,
  );
}

interface StatusMessage {
  readonly space: SpaceName;
  readonly statuses: readonly {
    readonly segment: SegmentName;
    readonly firstSequence: number;
    readonly firstTimestamp: number;
    readonly lastSequence: number;
    readonly lastTimestamp: number;
  }[];
}

/** A status message: what it says was so, and readers of the segment see it. */
export function messageSent(text: string, spaces: ReadonlyMap<SpaceName, SpaceTruth>, verdict: Verdict): void {
  const message = JSON.parse(text) as StatusMessage;
  for (const { segment: name, firstSequence, firstTimestamp, lastSequence, lastTimestamp } of message.statuses) {
    const segment = spaces.get(message.space)?.segments.get(name);
    const last = segment?.entries[lastSequence - 1];
    const right =
      segment !== undefined &&
      isBeginning(segment, { firstSequence, firstTimestamp, lastSequence }) &&
      last?.timestamp === lastTimestamp &&
      segment.applied >= lastSequence;
    verdict.check(right, "I5", () => `a status message that is not so: ${text}`);
    if (segment !== undefined) segment.notified = Math.max(segment.notified, lastSequence);
  }
}
