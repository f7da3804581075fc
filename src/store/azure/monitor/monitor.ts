// The monitor: finds what writers left behind and finishes it. Visits only open logs; safe beside live writers and
// itself.

import { LRUCache } from "lru-cache";

import type { Clock, Random } from "../../../core/clock.ts";
import type { SpaceName, StoreId } from "../../../core/ids.ts";
import type { LogFields, Logger } from "../../../core/logger.ts";
import { segmentFields } from "../../../core/logger.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { Row, Table } from "../../../table/port.ts";
import { backOff } from "../instance/back-off.ts";
import { isCorrupt, isDeleted } from "../instance/failure.ts";
import type { StoreStanding } from "../instance/standing.ts";
import { openLogOfRow, openLogsPartition } from "../rows/keys.ts";
import type { PendingItem, PendingRecord } from "../apply/segment-queue.ts";
import type { HeadRead, LogReader } from "../log/log-reader.ts";
import { encodeLogHead } from "../rows/log-rows.ts";
import type { LogHead } from "../rows/log-rows.ts";
import { compactLog, logCompactsAgainAt } from "./compact-log.ts";
import { countLog } from "./count-log.ts";
import type { OverdueRun } from "./overdue-notifications.ts";
import { isDue, notifyOverdue } from "./overdue-notifications.ts";
import { nothingCounted } from "../read/count-records.ts";
import type { CountedThrough } from "../read/count-records.ts";
import { rows } from "../read/pages.ts";
import { doneThrough, hasPending } from "../rows/pending.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { Semaphore } from "../instance/semaphore.ts";
import type { SpaceWriter } from "../space/space-writer.ts";

export interface MonitorReport {
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

export interface MonitorOptions {
  /** When to stop, milliseconds from now. */
  readonly deadlineMs: number;
}

export interface MonitorDeps {
  readonly registry: Table;
  /** The table of a store. */
  readonly table: (store: StoreId) => Table;
  readonly reader: (store: StoreId, space: SpaceName) => LogReader;
  readonly writer: (store: StoreId, space: SpaceName) => SpaceWriter;
  readonly compressor: Compressor;
  readonly standing: (store: StoreId) => Pick<StoreStanding, "check">;
  readonly options: AzureStoreOptions;
  /**
   * Called for each log that is visited, and must have succeeded before the log is closed. Absent: nobody is
   * interested.
   */
  readonly visited?: ((store: StoreId, space: SpaceName) => Promise<void>) | undefined;
  /**
   * Called before a log is closed of which rows are to be merged again at a time, and must have succeeded. Absent: they
   * wait until the log is written again.
   */
  readonly compactsAgain?: ((store: StoreId, space: SpaceName, at: number) => Promise<void>) | undefined;
  /** Whether records are to be notified. */
  readonly notifies: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Logs visited at the same time; one that takes longer than its permit lasts goes on beside the others. */
const visitsMax = 4;
const visitPermitMs = 2_000;
const visitsBesideMax = 60;
/** Writes of a head that the monitor tries while writers keep coming before it. */
const settleTriesMax = 8;

/**
 * A record is given up when so many visits of this instance found it damaged, each by reading it anew: one may have
 * been deceived.
 */
const damagedVisitsMin = 3;
/** Damaged records that are remembered: one that is forgotten waits a little longer. */
const damagedMax = 10_000;

/** Logs of which it is remembered how far they were counted: one that is forgotten is counted from its start. */
const countedMax = 10_000;

/** All keys are hex, which sorts from 0 to below g. */
const firstKey = "0";

/** One run: what it has done so far. */
interface Run extends OverdueRun {
  logs: number;
  closed: number;
  applied: number;
  oldestMs: number;
}

export class Monitor {
  readonly #deps: MonitorDeps;
  /** Permits of its own: it does not wait behind what writers have to tell. */
  readonly #notifications = new Semaphore(visitsMax);
  /** How many visits have found a record damaged. */
  readonly #damaged = new LRUCache<string, number>({ max: damagedMax });
  /** How far open logs were counted that do not say how much their space has had. */
  readonly #counted = new LRUCache<string, CountedThrough>({ max: countedMax });
  /** Where the last run stopped for lack of time. */
  #resumeAt: string | undefined;

  constructor(deps: MonitorDeps) {
    this.#deps = deps;
  }

  async run(options: MonitorOptions): Promise<MonitorReport> {
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

  async #run(options: MonitorOptions): Promise<MonitorReport> {
    const { promise: timeIsUp, resolve } = Promise.withResolvers<undefined>();
    const cancel = this.#deps.clock.after(options.deadlineMs, () => resolve(undefined));
    try {
      return await this.#visitAll(options, timeIsUp);
    } finally {
      cancel();
    }
  }

  /** Once around all open logs, from where the last run stopped. */
  async #visitAll(options: MonitorOptions, timeIsUp: Promise<undefined>): Promise<MonitorReport> {
    const { clock } = this.#deps;
    const endsAt = clock.elapsed() + options.deadlineMs;
    const isOver = (): boolean => clock.elapsed() >= endsAt;
    const run: Run = {
      ...{ logs: 0, closed: 0, applied: 0, notified: 0, failed: 0, oldestMs: 0 },
      ...{ permits: this.#notifications, isOver, queueFails: false },
    };
    const permits = new Semaphore(visitsMax, { clock, permitMs: visitPermitMs, besideMax: visitsBesideMax });
    const under = new Set<Promise<void>>();
    const from = this.#resumeAt ?? firstKey;
    this.#resumeAt = undefined;
    for await (const row of this.#openLogs(from)) {
      const leave = await Promise.race([permits.enter(), timeIsUp]);
      if (leave === undefined || isOver()) {
        this.#resumeAt = row.row;
        break;
      }
      const visit = this.#visitSafely(row, run).finally(() => {
        leave();
        under.delete(visit);
      });
      under.add(visit);
    }
    // Work that hangs goes on by itself, if it can: the host waits for this run.
    await Promise.race([Promise.all(under), timeIsUp]);
    const { logs, closed, applied, notified, failed, oldestMs } = run;
    const complete = this.#resumeAt === undefined && under.size === 0;
    return { logs, closed, applied, notified, failed, oldestMs, complete };
  }

  async *#openLogs(from: string): AsyncGenerator<Row> {
    const { registry } = this.#deps;
    const partition = openLogsPartition;
    yield* rows(registry, { partition, from, to: "g" }, {});
    if (from === firstKey) return;
    for await (const row of rows(registry, { partition, from: firstKey, to: from }, {})) if (row.row < from) yield row;
  }

  /** One bad log never stops the others. */
  async #visitSafely(row: Row, run: Run): Promise<void> {
    run.logs += 1;
    try {
      await this.#visit(row, run);
    } catch (error) {
      // A log that was deleted is the job's that removes it.
      if (isDeleted(error)) return;
      run.failed += 1;
      this.#deps.logger.error("an open log cannot be recovered for now", { ...logFieldsOf(row), error });
    }
  }

  async #visit(row: Row, run: Run): Promise<void> {
    const { store, space } = openLogOfRow(row.row);
    const { head } = await this.#finish(row, run);
    if (head.counts === undefined && head.count > 0) await this.#countLog(row, run);
    await this.#deps.visited?.(store, space);
  }

  /** Counts a log that was written before logs were counted, and remembers from run to run how far it came. */
  async #countLog({ row }: Row, run: Run): Promise<void> {
    const { compressor, options, reader: readerOf, table } = this.#deps;
    if (options.formatVersion === 1) return;
    const { store, space } = openLogOfRow(row);
    const deps = { table: table(store), compressor, reader: readerOf(store, space), isOver: run.isOver };
    const through = await countLog(deps, this.#counted.get(row) ?? nothingCounted);
    if (through === undefined) this.#counted.delete(row);
    else this.#counted.set(row, through);
  }

  /** Answers the log's head as it was found. */
  async #finish(row: Row, run: Run): Promise<HeadRead> {
    const { clock, notifies, options, random, reader: readerOf, standing, writer: writerOf } = this.#deps;
    const { store, space } = openLogOfRow(row.row);
    await standing(store).check(space);
    const reader = readerOf(store, space);
    const seen = await reader.readHead();
    // A log that rests with nothing pending is left alone, or closed: one request, and no writer is made for it.
    if (isResting(seen.head, notifies)) {
      const compacted = await compactLog(this.#deps, store, space, run.isOver);
      // A log that will have more to merge within minutes stays open.
      if (compacted === "done" && (await this.#close(row, reader, seen))) {
        run.closed += 1;
      }
      return seen;
    }
    const writer = writerOf(store, space);
    const { appender } = writer;
    await appender.refresh();
    await this.#apply(writer, seen.serviceTime, run);
    seeUnnotified(writer, seen.serviceTime, options.walGraceMs, run);
    await notifyOverdue({ writer, now: seen.serviceTime, graceMs: options.walGraceMs, run });
    for (let tries = 1; (await appender.settle()) === "lost_race" && tries < settleTriesMax; tries += 1) {
      await backOff({ clock, random }, tries);
    }
    await compactLog(this.#deps, store, space, run.isOver);
    return seen;
  }

  /** Records that wait only for a lost record are tried again, in order, once that one is given up. */
  async #apply(writer: SpaceWriter, serviceTime: number, run: Run): Promise<void> {
    const { applier } = writer;
    const { options } = this.#deps;
    const ageMs = ({ writtenAt }: PendingRecord): number => serviceTime - writtenAt;
    const due = [...applier.pendingRecords].filter((record) => isDue(ageMs(record), options.walGraceMs));
    run.oldestMs = Math.max(run.oldestMs, ...due.map(ageMs));
    const behindLost: PendingRecord[] = [];
    await Promise.all(
      due.map((record) =>
        this.#count(writer, record, run, async () => {
          try {
            await applier.ensureRecord(record);
            return 1;
          } catch (error) {
            if (!isCorrupt(error)) throw error;
            behindLost.push(record);
            return 0;
          }
        }),
      ),
    );
    for (const record of behindLost.sort((a, b) => a.summary.timestamp - b.summary.timestamp)) {
      await this.#count(writer, record, run, async () => {
        const isOld = ageMs(record) >= options.tombstoneAfterMs;
        if (this.#damageSeen(writer, record) >= damagedVisitsMin && isOld) await giveUp(writer, record);
        await applier.ensureRecord(record);
        return 1;
      });
    }
  }

  /** One visit more has found that the record, or what it waits for, cannot be read. */
  #damageSeen({ space, store }: SpaceWriter, { summary: { timestamp } }: PendingRecord): number {
    const key = `${store} ${timestamp} ${space}`;
    const visits = (this.#damaged.get(key) ?? 0) + 1;
    this.#damaged.set(key, visits);
    return visits;
  }

  async #count(
    { logger }: SpaceWriter,
    { items, summary: { timestamp } }: PendingRecord,
    run: Run,
    apply: () => Promise<number>,
  ): Promise<void> {
    try {
      const applied = await apply();
      run.applied += applied;
    } catch (error) {
      run.failed += 1;
      logger.error("a pending record cannot be applied for now", { timestamp, ...segmentsOf(items), error });
    }
  }

  /**
   * Takes a resting log from the list of open ones. The row and its ETag were read before the head. The head is
   * replaced even if it says so already, or inserted: that fences every writer that holds the former version. Only when
   * that is confirmed is the row deleted, if no writer has written it since. Dying in between leaves a row too many.
   */
  async #close(
    row: Row,
    reader: LogReader,
    seen: { etag: string | undefined; head: LogHead; serviceTime: number; writtenAt: number },
  ): Promise<boolean> {
    const { options, registry } = this.#deps;
    const { store, space } = openLogOfRow(row.row);
    const table = this.#deps.table(store);
    const rests = (writtenAt: number): boolean => isDue(seen.serviceTime - writtenAt, options.logIdleMs);
    if (!rests(row.writtenAt) || !rests(seen.writtenAt)) return false;
    // The work for a resting space must be in the schedule before the monitor stops to visit it.
    await this.#deps.visited?.(store, space);
    // A log with few records was never merged: that costs no request.
    if (seen.head.count >= options.compactRowsMin) {
      const againAt = await logCompactsAgainAt(this.#deps, store, space);
      if (againAt !== undefined) await this.#deps.compactsAgain?.(store, space, againAt);
    }
    const properties = encodeLogHead({ ...seen.head, registered: false });
    if (seen.etag === undefined) await table.create();
    const fenced = await table.submit(reader.partition, [
      seen.etag === undefined
        ? { kind: "insert", row: reader.headRow, properties }
        : { kind: "replace", row: reader.headRow, properties, ifMatch: seen.etag },
    ]);
    if (fenced.kind === "refused") return false;
    const deleted = await registry.submit(openLogsPartition, [{ kind: "delete", row: row.row, ifMatch: row.etag }]);
    return deleted.kind === "done";
  }
}

/** Without a report the run could not look at all. */
function recordRun(telemetry: Telemetry, report: MonitorReport | undefined, ms: number): void {
  const outcome = report === undefined ? "failed" : report.complete ? "complete" : "out_of_time";
  telemetry.record("streamkit.monitor.duration", ms / 1_000, { "streamkit.monitor.outcome": outcome });
  if (report === undefined) return;
  telemetry.record("streamkit.monitor.logs", report.logs);
  telemetry.record("streamkit.monitor.oldest_pending", report.oldestMs / 1_000);
  for (const done of ["applied", "notified", "failed"] as const) {
    telemetry.record("streamkit.monitor.records", report[done], { "streamkit.monitor.outcome": done });
  }
}

/** How old what waits for its notification is: when the queue is dead, nothing else tells. */
function seeUnnotified(writer: SpaceWriter, serviceTime: number, graceMs: number, run: Run): void {
  const head = writer.state.version?.head;
  if (!writer.notifies || head === undefined || !hasPending(head.unnotified)) return;
  const ageMs = serviceTime - (doneThrough(head.unnotified, head.timestamp) + 1);
  if (ageMs >= graceMs) run.oldestMs = Math.max(run.oldestMs, ageMs);
}

function isResting(head: LogHead, notifies: boolean): boolean {
  return !hasPending(head.unapplied) && !(notifies && hasPending(head.unnotified));
}

/** Gives up the record's entries that cannot be read: their segments will go on without them. */
async function giveUp(writer: SpaceWriter, record: PendingRecord): Promise<void> {
  const { applier, logger } = writer;
  if (!(await applier.giveUpLost(record))) return;
  const { timestamp } = record.summary;
  const unreadable = segmentsOf(record.items.filter((item) => item.unreadable));
  logger.error("a log record cannot be read: its segments go on without it", {
    code: "corrupt_data",
    timestamp,
    ...unreadable,
  });
}

function segmentsOf(items: readonly PendingItem[]): LogFields {
  return segmentFields(items.map(({ transaction }) => transaction.segment));
}

/** Names the space of the log; the row's key, where that cannot be read. */
function logFieldsOf({ row }: Row): LogFields {
  try {
    return openLogOfRow(row);
  } catch {
    return { row };
  }
}
