// Records that this instance has seen done, until a write of the log's head says so.

import type { LogHead } from "../rows/log-rows.ts";
import type { Done } from "../rows/pending.ts";
import { isPending } from "../rows/pending.ts";

/** What one write of the head writes off. */
export interface Settling {
  readonly applied: Done;
  readonly notified: Done;
}

export class DoneList {
  /** Timestamps of records that are applied, and of those that are notified. */
  readonly applied = new Set<number>();
  readonly notified = new Set<number>();
  /** All records up to this timestamp are notified, also those that the head does not list one by one. */
  notifiedThrough = 0;

  snapshot(): Settling {
    return {
      applied: { records: new Set(this.applied), through: 0 },
      notified: { records: new Set(this.notified), through: this.notifiedThrough },
    };
  }

  /** The head says so now. */
  remove(settled: Settling): void {
    for (const timestamp of settled.applied.records) this.applied.delete(timestamp);
    for (const timestamp of settled.notified.records) this.notified.delete(timestamp);
  }

  /** The log is another one. */
  clear(): void {
    this.applied.clear();
    this.notified.clear();
    this.notifiedThrough = 0;
  }

  /** Drops what the head does not list any more. */
  keep(head: LogHead): void {
    for (const timestamp of this.applied) if (!isPending(head.unapplied, timestamp)) this.applied.delete(timestamp);
    for (const timestamp of this.notified) if (!isPending(head.unnotified, timestamp)) this.notified.delete(timestamp);
  }

  /** How many records the head lists as unapplied that are not known to be done. */
  unsettled(head: LogHead): number {
    return head.unapplied.listed.reduce((sum, timestamp) => (this.applied.has(timestamp) ? sum : sum + 1), 0);
  }
}
