// Reads which token of a lease was granted last, for the produces whose token the space does not know.
//
// A key that the space has no token of may have been dropped to make room: then nothing in the log tells of newer tokens that have written.
// So its token must be the last that was granted, as read when the log's version was known: whoever had written with a newer one
// by then was granted it before. As long as no key has been dropped since, later versions tell of all who wrote later.

import type { Clock, Random } from "../../../core/clock.ts";
import { sleep } from "../../../core/clock.ts";
import { readLastToken } from "../../../lease/leases.ts";
import type { Table } from "../../../table/port.ts";
import { isTransient } from "../instance/failure.ts";
import { Semaphore } from "../instance/semaphore.ts";
import type { LogHead } from "../rows/log-rows.ts";
import type { LogState } from "./log-state.ts";
import type { Intent } from "./intent.ts";
import type { IntentQueue, WaitingIntent } from "./queue.ts";

export interface GrantLoaderDeps {
  readonly table: Table;
  readonly state: LogState;
  readonly queue: IntentQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Something was read. */
  readonly wake: () => void;
}

/** Reads of one space's writer at the same time; one that takes longer than its turn goes on beside the others. */
const readsMax = 16;
const readTurnMs = 1_000;
const readsBesideMax = 64;

export class GrantLoader {
  readonly #deps: GrantLoaderDeps;
  readonly #reading = new Set<WaitingIntent>();
  readonly #turns: Semaphore;

  constructor(deps: GrantLoaderDeps) {
    this.#deps = deps;
    const { clock, wake: onFree } = deps;
    this.#turns = new Semaphore(readsMax, { clock, turnMs: readTurnMs, besideMax: readsBesideMax, onFree });
  }

  /** Starts the reads that are missing, as of the version that the state has now. */
  load(intents: Iterable<WaitingIntent>): void {
    const head = this.#deps.state.version?.head;
    if (head === undefined) return;
    for (const intent of intents) {
      if (isGrantKnown(intent, head) || this.#reading.has(intent)) continue;
      const leave = this.#turns.tryEnter();
      if (leave === undefined) return;
      this.#reading.add(intent);
      void this.#read(intent, head.droppedAt).then(() => {
        this.#reading.delete(intent);
        leave();
        this.#deps.wake();
      });
    }
  }

  /** Dying in here leaves nothing behind: it only reads. */
  async #read(intent: WaitingIntent, droppedAt: number): Promise<void> {
    const { clock, queue, random, table } = this.#deps;
    try {
      intent.grant = { lastToken: await readLastToken(table, intent.lease?.key ?? ""), droppedAt };
    } catch (error) {
      if (isTransient(error)) {
        // Repeated, after a while, as long as it waits.
        intent.trouble = error;
        await sleep(clock, 50 + 150 * random.fraction());
      } else {
        queue.fail(intent, error);
      }
    }
  }
}

/** Whether all is known that a plan against this head needs to judge the intent's token. */
export function isGrantKnown({ grant, lease }: Intent, { droppedAt, fences }: LogHead): boolean {
  if (lease === undefined) return true;
  const fence = fences.get(lease.key);
  if (fence !== undefined && lease.token <= fence) return true;
  return grant !== undefined && (fence !== undefined || grant.droppedAt === droppedAt);
}
