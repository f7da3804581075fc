// The record of a run of the monitor, for those who ask how it went.

import type { DueRun } from "../jobs/schedule.ts";

export interface MonitorRun {
  /** By the storage's clock, milliseconds since 1970. */
  readonly startedAt: number;
  readonly ms: number;
  /** False: time ran out before all open logs were visited. */
  readonly complete: boolean;
  /** Open logs that it visited, and those of them that it closed because they rest. */
  readonly logs: number;
  readonly closed: number;
  /** Records left behind that it applied, notified, or could not finish. */
  readonly applied: number;
  readonly notified: number;
  readonly failed: number;
  /** Age of the oldest record left behind when it was looked at, milliseconds; 0: there was none. */
  readonly oldestMs: number;
  /** The work that was due in the schedule. */
  readonly due: DueRun;
}
