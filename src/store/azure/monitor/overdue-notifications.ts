// Sends the notifications of records that are applied and not notified: the monitor does so after a queue was dead, or
// a writer died.
//
// Promise: each record at least once, in no order. The records that the head lists are notified one by one, a range of
// them from its beginning on; how far that has come is the only progress that is kept.

import type { LogHead } from "../rows/log-rows.ts";
import type { StoredRecord } from "../log/log-reader.ts";
import { isPending } from "../rows/pending.ts";
import type { Semaphore } from "../instance/semaphore.ts";
import type { SpaceWriter } from "../space/space-writer.ts";

/** The records of a range that are read at once. */
const pageMax = 500;
/** Handed over at once, when the queue has taken some; `permits` bound how many are notified at the same time. */
const togetherMax = 16;

export interface OverdueRun {
  readonly permits: Semaphore;
  /** No more time for this run. */
  readonly isOver: () => boolean;
  /** The queue does not take notifications: waiting for it once more in each log would take the time of all. */
  queueFails: boolean;
  notified: number;
  failed: number;
}

export interface Overdue {
  readonly writer: SpaceWriter;
  /** The service's time. */
  readonly now: number;
  /** How long a record's own writer has to notify of it, milliseconds. */
  readonly graceMs: number;
  readonly run: OverdueRun;
}

/** Counts in `run` what it did. Throws when the log cannot be read. */
export async function notifyOverdue(overdue: Overdue): Promise<void> {
  const { run, writer } = overdue;
  const { done, notifies, reader, state } = writer;
  const head = state.version?.head;
  if (!notifies || head === undefined) return;
  const { listed, to } = head.unnotified;
  const telling = { ...overdue, head };
  await tellAll(telling, await reader.readRecordsAt(listed));
  let through = Math.max(head.unnotified.from, done.notifiedThrough);
  let continuation: string | undefined;
  while (through < to && !run.queueFails && !run.isOver()) {
    const page = await reader.readRecordsFrom(through + 1, continuation, pageMax);
    const inRange = page.records.filter(({ summary }) => summary.timestamp <= to);
    const notified = await tellAll(telling, inRange);
    if (notified < inRange.length) {
      through = inRange[notified - 1]?.summary.timestamp ?? through;
    } else {
      // A page may be empty and still not be the last.
      continuation = page.records.length === 0 ? page.continuation : undefined;
      const isLast = inRange.length < page.records.length || (page.records.length === 0 && continuation === undefined);
      through = isLast ? to : (inRange.at(-1)?.summary.timestamp ?? through);
    }
    done.notifiedThrough = Math.max(done.notifiedThrough, through);
    if (notified < inRange.length) return;
  }
}

interface Telling extends Overdue {
  readonly head: LogHead;
}

/** How many of the first have been told, up to one that was not. */
async function tellAll(telling: Telling, records: readonly StoredRecord[]): Promise<number> {
  const { run } = telling;
  let notified = 0;
  let isUnbroken = true;
  // A queue that is dead is met by one, not by many.
  let together = 1;
  for (let at = 0; at < records.length && !run.queueFails && !run.isOver();) {
    const some = records.slice(at, at + together);
    for (const isNotified of await Promise.all(some.map((record) => tell(telling, record)))) {
      isUnbroken &&= isNotified;
      if (isUnbroken) notified += 1;
    }
    at += some.length;
    together = Math.min(togetherMax, 2 * together);
  }
  return notified;
}

async function tell(
  { writer, head, now, graceMs, run }: Telling,
  { summary, writtenAt }: StoredRecord,
): Promise<boolean> {
  const { done } = writer;
  const { timestamp } = summary;
  if (done.notified.has(timestamp)) return true;
  const isApplied = !isPending(head.unapplied, timestamp) || done.applied.has(timestamp);
  if (!isApplied || !isDue(now - writtenAt, graceMs)) return false;
  // The queue may have failed while this record waited: it is not tried again in this run.
  const outcome = await run.permits.run(async () => (run.queueFails ? "left" : writer.notifications.tell([summary])));
  if (outcome === "notified") run.notified += 1;
  else if (!run.queueFails || outcome === "queue_failed") run.failed += 1;
  if (outcome === "queue_failed") run.queueFails = true;
  return outcome === "notified";
}

/** `Date` is cut to whole seconds: what was written in this very second looks younger than nothing. */
const dateResolutionMs = 1_000;

/** An age below zero is a clock that was wrong: nothing to wait for. */
export function isDue(ageMs: number, graceMs: number): boolean {
  return ageMs <= -dateResolutionMs || ageMs >= graceMs;
}
