// The monitor: finds what writers left behind and finishes it. Visits only open logs; safe beside live writers and itself.

import type { Clock } from "../../core/clock.ts";
import { StoreError } from "../../core/errors.ts";
import type { SpaceName, StoreId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { Telemetry } from "../../core/telemetry.ts";
import type { Row, Table } from "../../table/port.ts";
import { openLogOfRow, openLogsPartition } from "./keys.ts";
import type { PendingRecord } from "./lane.ts";
import { encodeLogHead } from "./log-rows.ts";
import type { LogHead } from "./log-rows.ts";
import { doneThrough, hasPending, isListed, isPending } from "./pending.ts";
import { Semaphore } from "./semaphore.ts";
import type { SpaceWriter } from "./space-writer.ts";

export interface RecoveryReport {
  /** Open logs visited, and those that were closed because they rest. */
  readonly logs: number;
  readonly closed: number;
  /** Records left behind that were applied, notified, or could not be. */
  readonly applied: number;
  readonly notified: number;
  readonly failed: number;
  /** Age of the oldest record left behind, to be applied or to be notified, when it was looked at, milliseconds. */
  readonly oldestMs: number;
  /** False when time ran out; the next run goes on from there. */
  readonly complete: boolean;
}

export interface RecoveryOptions {
  /** When to stop, milliseconds from now. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface RecoveryDeps {
  readonly registry: Table;
  readonly writer: (store: StoreId, space: SpaceName) => SpaceWriter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** Logs visited at the same time. */
const visitsMax = 4;
/** Records looked at for notification in one visit, when the head does not list them one by one. */
const scannedMax = 1_000;

/** One run: what it has done so far, and what it need not try again. */
class Run {
  readonly counts: Counts = { logs: 0, closed: 0, applied: 0, notified: 0, failed: 0, oldestMs: 0 };
  /** The queue does not take notifications: waiting for it once more in each log would take the time of all. */
  queueFails = false;
}

interface Counts {
  logs: number;
  closed: number;
  applied: number;
  notified: number;
  failed: number;
  oldestMs: number;
}

export class Recovery {
  readonly #deps: RecoveryDeps;
  /** Turns of its own: it does not wait behind what writers have to tell. */
  readonly #notifications = new Semaphore(visitsMax);
  /** Where the last run stopped for lack of time. */
  #resumeAt = "0";

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
  }

  async run(options: RecoveryOptions): Promise<RecoveryReport> {
    const { clock, telemetry } = this.#deps;
    const startedAt = clock.elapsed();
    try {
      const report = await this.#run(options);
      recordRun(telemetry, report, clock.elapsed() - startedAt);
      return report;
    } catch (error) {
      recordRun(telemetry, undefined, clock.elapsed() - startedAt);
      throw error;
    }
  }

  async #run(options: RecoveryOptions): Promise<RecoveryReport> {
    const { promise: timeIsUp, resolve } = Promise.withResolvers<undefined>();
    const cancel = this.#deps.clock.after(options.deadlineMs, () => resolve(undefined));
    try {
      return await this.#visitAll(options, timeIsUp);
    } finally {
      cancel();
    }
  }

  async #visitAll(options: RecoveryOptions, timeIsUp: Promise<undefined>): Promise<RecoveryReport> {
    const { clock, registry } = this.#deps;
    const run = new Run();
    const { counts } = run;
    const endsAt = clock.elapsed() + options.deadlineMs;
    const isOver = (): boolean => clock.elapsed() >= endsAt || options.signal?.aborted === true;
    const from = this.#resumeAt;
    this.#resumeAt = "0";
    let continuation: string | undefined;
    do {
      const page = await registry.query(
        { partition: openLogsPartition, from, to: "g" },
        { top: 100, ...(continuation === undefined ? {} : { continuation }) },
      );
      for (let at = 0; at < page.rows.length; at += visitsMax) {
        const some = page.rows.slice(at, at + visitsMax);
        if (isOver()) {
          this.#resumeAt = some[0]?.row ?? "0";
          return { ...counts, complete: false };
        }
        // One that hangs goes on by itself, if it can: whoever runs this is waited for by the host.
        await Promise.race([Promise.all(some.map((row) => this.#visitSafely(row, run))), timeIsUp]);
      }
      continuation = page.continuation;
    } while (continuation !== undefined);
    return { ...counts, complete: from === "0" };
  }

  /** One bad log never stops the others. */
  async #visitSafely(row: Row, run: Run): Promise<void> {
    run.counts.logs += 1;
    try {
      await this.#visit(row, run);
    } catch (error) {
      run.counts.failed += 1;
      this.#deps.log.error("an open log cannot be recovered for now", { row: row.row, error });
    }
  }

  async #visit(row: Row, run: Run): Promise<void> {
    const { counts } = run;
    const { store, space } = openLogOfRow(row.row);
    const writer = this.#deps.writer(store, space);
    const { appender, parts } = writer;
    const seen = await parts.reader.readHead();
    // A head that rests with nothing pending is left alone, or closed: one request.
    if (isResting(seen.head, parts.notifies)) {
      if (await this.#close(row, writer, seen)) counts.closed += 1;
      return;
    }
    await appender.refresh();
    await this.#apply(writer, seen.serviceTime, counts);
    seeUnnotified(writer, seen.serviceTime, counts);
    if (!run.queueFails) await this.#notify(writer, seen.serviceTime, run);
    await appender.settle();
  }

  /** What waits only for a record that is lost is tried again, in order, once that is given up. */
  async #apply(writer: SpaceWriter, serviceTime: number, counts: Counts): Promise<void> {
    const { applier, options } = writer.parts;
    const ageMs = ({ writtenAt }: PendingRecord): number => serviceTime - writtenAt;
    const due = [...applier.pendingRecords].filter((record) => isDue(ageMs(record), options.walGraceMs));
    counts.oldestMs = Math.max(counts.oldestMs, ...due.map(ageMs));
    const behindLost: PendingRecord[] = [];
    await Promise.all(
      due.map((record) =>
        this.#count(writer, record, counts, async () => {
          try {
            await applier.ensureRecord(record);
          } catch (error) {
            if (!isCorrupt(error)) throw error;
            behindLost.push(record);
          }
        }),
      ),
    );
    counts.applied -= behindLost.length;
    for (const record of behindLost.sort((a, b) => a.summary.timestamp - b.summary.timestamp)) {
      await this.#count(writer, record, counts, async () => {
        if (ageMs(record) >= options.tombstoneAfterMs) await giveUp(writer, record);
        await applier.ensureRecord(record);
      });
    }
  }

  async #count(
    { parts: { log, space } }: SpaceWriter,
    { summary: { timestamp } }: PendingRecord,
    counts: Counts,
    apply: () => Promise<void>,
  ): Promise<void> {
    try {
      await apply();
      counts.applied += 1;
    } catch (error) {
      counts.failed += 1;
      log.error("a pending record cannot be applied for now", { space, timestamp, error });
    }
  }

  async #notify(writer: SpaceWriter, serviceTime: number, run: Run): Promise<void> {
    const { counts } = run;
    const { done, notifies, options, reader, state } = writer.parts;
    const head = state.version?.head;
    if (!notifies || head === undefined) return;
    const records = isListed(head.unnotified, head.timestamp)
      ? await reader.readRecordsAt(head.unnotified.exceptions)
      : (await reader.readRecordsFrom(head.unnotified.watermark + 1, undefined, scannedMax)).records;
    let through = 0;
    let unbroken = !isListed(head.unnotified, head.timestamp);
    for (const { summary, writtenAt } of records) {
      const { timestamp } = summary;
      const waits = done.notified.has(timestamp) || !isDue(serviceTime - writtenAt, options.walGraceMs);
      const isApplied = !isPending(head.unapplied, timestamp) || done.applied.has(timestamp);
      const isTold = !waits && isApplied && !run.queueFails;
      const outcome = isTold ? await writer.notify({ summary }, this.#notifications) : "left";
      const sent = outcome === "told";
      if (sent) counts.notified += 1;
      else if (isTold) counts.failed += 1;
      if (outcome === "queue_failed") run.queueFails = true;
      unbroken &&= sent || done.notified.has(timestamp);
      if (unbroken) through = timestamp;
    }
    done.notifiedThrough = Math.max(done.notifiedThrough, through);
  }

  /**
   * Takes a resting log from the list of open ones. The row and its ETag were read before the head; the head is replaced even if
   * it says so already, or inserted: that fences every writer that holds the former version; and only when that is
   * confirmed is the row deleted, if no writer has written it since. Whoever dies in between leaves a row too many.
   */
  async #close(
    row: Row,
    writer: SpaceWriter,
    seen: { etag: string | undefined; head: LogHead; serviceTime: number; writtenAt: number },
  ): Promise<boolean> {
    const { options, reader, table } = writer.parts;
    const rests = (writtenAt: number): boolean => isDue(seen.serviceTime - writtenAt, options.logIdleMs);
    if (!rests(row.writtenAt) || !rests(seen.writtenAt)) return false;
    const properties = encodeLogHead({ ...seen.head, registered: false });
    if (seen.etag === undefined) await table.create();
    const fenced = await table.submit(reader.partition, [
      seen.etag === undefined
        ? { kind: "insert", row: reader.headRow, properties }
        : { kind: "replace", row: reader.headRow, properties, ifMatch: seen.etag },
    ]);
    if (fenced.kind === "refused") return false;
    const deleted = await this.#deps.registry.submit(openLogsPartition, [
      { kind: "delete", row: row.row, ifMatch: row.etag },
    ]);
    return deleted.kind === "done";
  }
}

/** Without a report the run could not look at all. */
function recordRun(telemetry: Telemetry, report: RecoveryReport | undefined, ms: number): void {
  const outcome = report === undefined ? "failed" : report.complete ? "complete" : "out_of_time";
  telemetry.record("streamkit.monitor.duration", ms / 1_000, { "streamkit.monitor.outcome": outcome });
  if (report === undefined) return;
  telemetry.record("streamkit.monitor.logs", report.logs);
  telemetry.record("streamkit.monitor.oldest_pending", report.oldestMs / 1_000);
  for (const done of ["applied", "notified", "failed"] as const) {
    telemetry.record("streamkit.monitor.records", report[done], { "streamkit.monitor.outcome": done });
  }
}

/** `Date` is cut to whole seconds: what was written in this very second looks younger than nothing. */
const dateResolutionMs = 1_000;

/** An age below zero is a clock that was wrong: nothing to wait for. */
function isDue(ageMs: number, graceMs: number): boolean {
  return ageMs <= -dateResolutionMs || ageMs >= graceMs;
}

/** How old what waits for its notification is: when the queue is dead, nothing else tells. */
function seeUnnotified(
  { parts: { notifies, options, state } }: SpaceWriter,
  serviceTime: number,
  counts: Counts,
): void {
  const head = state.version?.head;
  if (!notifies || head === undefined || !hasPending(head.unnotified, head.timestamp)) return;
  const ageMs = serviceTime - (doneThrough(head.unnotified) + 1);
  if (ageMs >= options.walGraceMs) counts.oldestMs = Math.max(counts.oldestMs, ageMs);
}

function isResting(head: LogHead, notifies: boolean): boolean {
  return !hasPending(head.unapplied, head.timestamp) && !(notifies && hasPending(head.unnotified, head.timestamp));
}

/** Those of the record's entries that cannot be read: their segments will go on without them. */
async function giveUp(writer: SpaceWriter, record: PendingRecord): Promise<void> {
  const { applier, log, space } = writer.parts;
  if (!(await applier.giveUpLost(record))) return;
  const { timestamp } = record.summary;
  log.error("a log record cannot be read: its segments go on without it", { space, timestamp });
}

function isCorrupt(error: unknown): boolean {
  return error instanceof StoreError && error.code === "corrupt_data";
}
