// The schedule of the deployment: what is to be done later, by whoever runs then. The monitor reads what is due, and
// nothing else.
//
// Promise: what `put` has written is worked on, from its time on, until its work says that it is done, whoever dies
// meanwhile: a row goes, or moves to a later time, only after its turn, in one transaction under the ETag that it was
// read with. So work is done at least once, may run twice at the same time, and is safe against both.

import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Telemetry } from "../core/telemetry.ts";
import { StoreError } from "../core/errors.ts";
import type { Row, Table, Write } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { decodeDue, dueKey, dueRange, encodeDue, schedulePartition, timeOfKey } from "./due.ts";
import type { Due, DueRow } from "./due.ts";

/**
 * What becomes of it after a turn. `again` at a time that has come: in the same run, after all others had their turn.
 */
export type Next = { readonly kind: "done" } | { readonly kind: "again"; readonly at: number };

export interface Turn {
  /** The storage's time. */
  now(): number;
  /** The turn has had its time: what is left is for the next one. */
  isOver(): boolean;
}

/** One turn. The schedule logs what it throws, and tries again with growing pauses. */
export type Work = (due: Due, turn: Turn) => Promise<Next>;

/** By `what`. A row whose work is not here belongs to another version, and is left alone. */
export type Works = Readonly<Record<string, Work>>;

export interface DueRun {
  /** Turns that ended the work, that leave some for later, and that failed. */
  readonly done: number;
  readonly again: number;
  readonly failed: number;
  /** How late the latest of what was due was when it had its turn, milliseconds. */
  readonly lateMs: number;
  /** False: time ran out before all of it had its turn. */
  readonly complete: boolean;
}

export interface Schedule {
  /**
   * It is in the schedule when this resolves. Errors: `throttled`, `storage_unavailable` (effect unknown: the same once
   * more is one).
   */
  put(due: Due): Promise<void>;
  /** Gives what is due its turns. Rejects when it cannot look at all. */
  run(works: Works, options: { readonly deadlineMs: number }): Promise<DueRun>;
}

export interface ScheduleDeps {
  /** The table of the deployment. */
  readonly registry: Table;
  readonly clock: Clock;
  /** The storage's time. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Turns at the same time: a trim takes a store's partitions, not the account. */
const turnsMax = 8;
/** How long one turn goes on, milliseconds; one that does not come back holds up nothing for longer than twice that. */
const turnMs = 20_000;
/** After a turn that failed: a minute, doubled with each further one up to an hour. */
const pauseMs = 60_000;
const pauseMsMax = 3_600_000;
/** Rows of a page: they are small, and each may take seconds. */
const pageRows = 200;

export function createSchedule(deps: ScheduleDeps): Schedule {
  return {
    put: (due) => put(deps.registry, due),
    run: (works, { deadlineMs }) => new ScheduleRun(deps, works, deps.clock.elapsed() + deadlineMs).run(),
  };
}

async function put(registry: Table, due: Due): Promise<void> {
  const write: Write = { kind: "upsert", row: dueKey(due), properties: encodeDue(due) };
  try {
    const first = await registry.submit(schedulePartition, [write]);
    if (first.kind === "done") return;
    await registry.create();
    const second = await registry.submit(schedulePartition, [write]);
    if (second.kind === "done") return;
    throw new StoreError("storage_unavailable", `The schedule refused a row: ${second.reason}.`);
  } catch (error) {
    throw asStoreError(error, "unknown");
  }
}

class ScheduleRun {
  readonly #deps: ScheduleDeps;
  readonly #works: Works;
  readonly #endsAt: number;
  readonly #report = { done: 0, again: 0, failed: 0, lateMs: 0 };
  #complete = true;

  constructor(deps: ScheduleDeps, works: Works, endsAt: number) {
    this.#deps = deps;
    this.#works = works;
    this.#endsAt = endsAt;
  }

  async run(): Promise<DueRun> {
    // Work that wants another turn is due again, and gets it in the next pass.
    while (await this.#pass()) continue;
    const report = { ...this.#report, complete: this.#complete };
    record(this.#deps.telemetry, report);
    return report;
  }

  /** Once through what is due now. True: something has moved to a time that has come. */
  async #pass(): Promise<boolean> {
    const now = this.#deps.serviceClock.now();
    const under = new Set<Promise<void>>();
    const pass = { isMore: false };
    for await (const row of this.#due(now)) {
      if (this.#isOver()) {
        this.#complete = false;
        break;
      }
      const turn = this.#within(this.#take(row)).then((again) => {
        under.delete(turn);
        pass.isMore ||= again;
      });
      under.add(turn);
      if (under.size >= turnsMax) await Promise.race(under);
    }
    await Promise.all(under);
    if (pass.isMore && this.#isOver()) this.#complete = false;
    return pass.isMore && !this.#isOver();
  }

  async *#due(now: number): AsyncGenerator<Row> {
    const range = dueRange(now);
    let from = range.from;
    let continuation: string | undefined;
    do {
      const page = await this.#deps.registry.query({ ...range, from }, { top: pageRows, continuation });
      yield* page.rows;
      const last = page.rows.at(-1);
      // A token may point past a row that has moved: pages go on by the key.
      if (last !== undefined) from = `${last.row}0`;
      continuation = last === undefined ? page.continuation : undefined;
      if (page.continuation === undefined) return;
    } while (!this.#isOver());
  }

  /** A turn that does not come back goes on by itself. */
  async #within(turn: Promise<boolean>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<false>();
    const cancel = this.#deps.clock.after(2 * turnMs, () => resolve(false));
    try {
      return await Promise.race([turn, promise]);
    } finally {
      cancel();
    }
  }

  /** Never rejects. True: it wants another turn now. */
  async #take(row: Row): Promise<boolean> {
    const { logger, serviceClock } = this.#deps;
    let due: DueRow | undefined;
    try {
      due = decodeDue(row);
      const work = Object.hasOwn(this.#works, due.what) ? this.#works[due.what] : undefined;
      if (work === undefined) return false;
      this.#late(row);
      const next = await work(due, this.#turn());
      await this.#move(due, next.kind === "done" ? undefined : next.at, 0);
      this.#report[next.kind] += 1;
      return next.kind === "again" && next.at <= serviceClock.now();
    } catch (error) {
      this.#report.failed += 1;
      const { store, space, segment } = due ?? {};
      logger.error("what is due cannot be done for now", {
        what: due?.what,
        store,
        space,
        segment,
        row: row.row,
        error,
      });
      if (due !== undefined) await this.#putOff(due);
      return false;
    }
  }

  #turn(): Turn {
    const { clock, serviceClock } = this.#deps;
    const endsAt = Math.min(this.#endsAt, clock.elapsed() + turnMs);
    return { now: () => serviceClock.now(), isOver: () => clock.elapsed() >= endsAt };
  }

  /** Where that fails too, it stays due. */
  async #putOff(due: DueRow): Promise<void> {
    const at = this.#deps.serviceClock.now() + Math.min(pauseMsMax, pauseMs * 2 ** Math.min(due.failures, 10));
    await this.#move(due, at, due.failures + 1).catch(() => undefined);
  }

  /** Another run may have moved it meanwhile: then it is where that one put it. */
  async #move(due: DueRow, at: number | undefined, failures: number): Promise<void> {
    const { etag: ifMatch, row } = due;
    const writes: Write[] = [];
    const next = at === undefined ? undefined : { ...due, at };
    const nextRow = next === undefined ? undefined : dueKey(next);
    if (nextRow !== row) writes.push({ kind: "delete", row, ifMatch });
    if (next !== undefined && nextRow !== undefined) {
      const properties = encodeDue(next, failures);
      writes.push(
        nextRow === row ? { kind: "replace", row, properties, ifMatch } : { kind: "upsert", row: nextRow, properties },
      );
    }
    await this.#deps.registry.submit(schedulePartition, writes);
  }

  #late({ row }: Row): void {
    const lateMs = this.#deps.serviceClock.now() - (timeOfKey(row) ?? Infinity);
    this.#report.lateMs = Math.max(this.#report.lateMs, lateMs);
  }

  #isOver(): boolean {
    return this.#deps.clock.elapsed() >= this.#endsAt;
  }
}

function record(telemetry: Telemetry, report: DueRun): void {
  telemetry.record("streamkit.schedule.late", report.lateMs / 1_000);
  for (const outcome of ["done", "again", "failed"] as const) {
    telemetry.record("streamkit.schedule.turns", report[outcome], { "streamkit.schedule.outcome": outcome });
  }
}
