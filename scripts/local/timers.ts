// Timer triggers: when a schedule is due, and one run after the other.
// Promise: runs of a function never overlap; what was missed meanwhile is made up for by one run that says it is past
// due. Kinder than Azure: schedules that were missed while the host was not running are not caught up, and every local
// instance runs its own timers.

import { Cron } from "croner";
import type { RpcTypedData } from "./functions-core.ts";
import { type Environment, expandSettings } from "./settings.ts";
import { parseTimeSpan } from "./time-span.ts";

export interface Schedule {
  /** The first time after `ms`, in ms since 1970; undefined when there is none any more. */
  nextAfter(ms: number): number | undefined;
}

export interface TimerOptions {
  readonly schedule: Schedule;
  readonly runOnStartup: boolean;
  /** One run; it is waited for and must not reject. */
  readonly run: (data: RpcTypedData) => Promise<unknown>;
  readonly now: () => number;
}

/** Times of six-field NCRONTAB patterns are in UTC unless WEBSITE_TIME_ZONE says otherwise. */
export function parseSchedule(text: string, env: Environment): Schedule {
  const pattern = expandSettings(text, env).trim();
  const everyMs = parseTimeSpan(pattern);
  if (everyMs !== undefined) {
    if (everyMs < 1000) throw new Error(`The schedule "${pattern}" is shorter than a second.`);
    return { nextAfter: (ms) => ms + everyMs };
  }
  // The extensions of the cron library beyond NCRONTAB (L, W, #, nicknames) would fail on Azure.
  const fields = pattern.split(/\s+/);
  const plain = fields.every((field) => /^[\d*,/-]+$|^[a-z]{3}([,-][a-z]{3})*$/i.test(field));
  if (!plain || fields.length < 5 || fields.length > 6) {
    throw new Error(`The schedule "${pattern}" is neither a six-field NCRONTAB expression nor a time span.`);
  }
  const cron = new Cron(fields.length === 5 ? `0 ${pattern}` : pattern, {
    paused: true,
    mode: "6-part",
    domAndDow: true,
    timezone: env["WEBSITE_TIME_ZONE"] ?? "Etc/UTC",
  });
  return { nextAfter: (ms) => cron.nextRun(new Date(ms))?.getTime() };
}

/**
 * When to run after a run for `lastDue`, being at `now`. A time of the schedule that has passed meanwhile is due at
 * once, and however many there were, they are one run.
 */
export function planRun(
  schedule: Schedule,
  lastDue: number,
  now: number,
): { at: number; pastDue: boolean } | undefined {
  const following = schedule.nextAfter(lastDue);
  if (following === undefined) return undefined;
  return following > now ? { at: following, pastDue: false } : { at: now, pastDue: true };
}

/** What a timer function is handed; `next` is the time after the present run. */
export function timerData(
  status: { last: number; next: number | undefined } | undefined,
  pastDue: boolean,
): RpcTypedData {
  const iso = (ms: number): string => new Date(ms).toISOString();
  const scheduleStatus =
    status === undefined
      ? null
      : {
          Last: iso(status.last),
          Next: status.next === undefined ? null : iso(status.next),
          LastUpdated: iso(status.last),
        };
  return {
    json: JSON.stringify({ Schedule: { AdjustForDST: true }, ScheduleStatus: scheduleStatus, IsPastDue: pastDue }),
  };
}

// Node fires a timer at once whose delay does not fit into 32 bits.
const longestDelayMs = 2 ** 31 - 1;

export class Timer {
  readonly #options: TimerOptions;
  #pending: NodeJS.Timeout | undefined;
  #stopped = false;
  #last: number | undefined;

  constructor(options: TimerOptions) {
    this.#options = options;
  }

  start(): void {
    const now = this.#options.now();
    if (this.#options.runOnStartup) void this.#run(now, false);
    else this.#arm(now);
  }

  /** No further run begins. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pending);
  }

  /** What a run by hand is handed, right now. */
  dataByHand(): RpcTypedData {
    return this.#data(this.#options.now(), false);
  }

  #arm(lastDue: number): void {
    if (this.#stopped) return;
    const { schedule, now } = this.#options;
    const plan = planRun(schedule, lastDue, now());
    if (plan === undefined) return;
    const wait = (): void => {
      const leftMs = plan.at - now();
      if (leftMs > 0) {
        this.#pending = setTimeout(wait, Math.min(leftMs, longestDelayMs));
        return;
      }
      // The machine may have slept meanwhile.
      const following = schedule.nextAfter(plan.at);
      void this.#run(plan.at, plan.pastDue || (following !== undefined && following <= now()));
    };
    wait();
  }

  async #run(due: number, pastDue: boolean): Promise<void> {
    const startedAt = this.#options.now();
    const data = this.#data(startedAt, pastDue);
    this.#last = startedAt;
    await this.#options.run(data);
    // A run that began late stands for all that was due until then.
    this.#arm(Math.max(due, startedAt));
  }

  #data(now: number, pastDue: boolean): RpcTypedData {
    const status =
      this.#last === undefined ? undefined : { last: this.#last, next: this.#options.schedule.nextAfter(now) };
    return timerData(status, pastDue);
  }
}
