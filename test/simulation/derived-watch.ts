// Judges every write to what is derived from the logs (I2, I5, I6): segments, inventory, the list of open logs, status messages.

import { decodeEntry } from "../../src/codec/entry.ts";
import type { SegmentName, SpaceName } from "../../src/core/ids.ts";
import { blockRow, segmentHeadRow, transactionRow } from "../../src/store/azure/rows/keys.ts";
import { decodeSegmentHead, decodeTransactionRow } from "../../src/store/azure/rows/segment-rows.ts";
import type { Change } from "../doubles/simulated-service.ts";
import { decodeData } from "./log-watch.ts";
import { originOf } from "./operations.ts";
import type { LogEntry, SegmentTruth, SpaceTruth, Verdict } from "./truth.ts";
import type { Entry } from "../../src/core/entry.ts";

/** A write to a segment: its next transactions, from the log, as one block, and the head. Says what it was. */
export function segmentWritten(
  segment: SegmentTruth,
  partition: string,
  changes: readonly Change[],
  verdict: Verdict,
): string {
  const { name } = segment;
  const headChange = changes.find(({ row }) => row === segmentHeadRow(partition));
  if (headChange?.after === undefined) {
    verdict.report("I6", `segment ${name} was written without its head`);
    return "";
  }
  const head = decodeSegmentHead(headChange.after);
  const before = headChange.before === undefined ? 0 : decodeSegmentHead(headChange.before).lastSequence;
  const { lastSequence } = head;
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
    head.firstTimestamp === segment.entries[0]?.timestamp;
  verdict.check(tells, "I6", () => `the head of segment ${name} at ${lastSequence} is not what the log says`);
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
  return `${name} is at ${lastSequence}`;
}

/** A read or stored entry against the log's. */
export function isSame(entry: Entry, truth: LogEntry | undefined, verdict: Verdict, where: string): boolean {
  const { text } = originOf(entry.payload);
  const same =
    truth !== undefined &&
    entry.segment === truth.segment &&
    entry.sequence === truth.sequence &&
    entry.timestamp === truth.timestamp &&
    entry.trx.id === truth.id &&
    entry.trx.node === truth.node &&
    entry.trx.number === truth.number &&
    text === truth.text;
  return verdict.check(same, "I6", () => {
    const wanted =
      truth === undefined ? "nothing" : `${truth.segment} ${truth.sequence} (${truth.text}) at ${truth.timestamp}`;
    return `${where} has ${entry.segment} ${entry.sequence} (${text}) at ${entry.timestamp}, the log ${wanted}`;
  });
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
      firstSequence === 1 &&
      segment.entries[0]?.timestamp === firstTimestamp &&
      last?.timestamp === lastTimestamp &&
      segment.applied >= lastSequence;
    verdict.check(right, "I5", () => `a status message that is not so: ${text}`);
    segment?.notified.add(lastSequence);
  }
}
