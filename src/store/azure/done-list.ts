// Records that this instance has seen done, until a write of the log's head says so.

import type { LogHead } from "./log-rows.ts";
import { isPending } from "./pending.ts";

/** What one write of the head writes off. */
export interface Settling {
  readonly applied: ReadonlySet<number>;
  readonly notified: ReadonlySet<number>;
}

export class DoneList {
  /** Timestamps of records that are applied, and of those that are notified. */
  readonly applied = new Set<number>();
  readonly notified = new Set<number>();
  /** All records up to this timestamp are notified, also those that the head does not list one by one. */
  notifiedThrough = 0;

  snapshot(): Settling {
    return { applied: new Set(this.applied), notified: new Set(this.notified) };
  }

  /** The head says so now. */
  remove(settled: Settling): void {
    for (const timestamp of settled.applied) this.applied.delete(timestamp);
    for (const timestamp of settled.notified) this.notified.delete(timestamp);
  }

  /** Drops what the head does not list any more. */
  keep(head: LogHead): void {
    for (const timestamp of this.applied) if (!isPending(head.unapplied, timestamp)) this.applied.delete(timestamp);
    for (const timestamp of this.notified) if (!isPending(head.unnotified, timestamp)) this.notified.delete(timestamp);
  }

  /** How many records the head lists as unapplied that are not known to be done. */
  unsettled(head: LogHead): number {
    return head.unapplied.exceptions.reduce((sum, timestamp) => (this.applied.has(timestamp) ? sum : sum + 1), 0);
  }
}
