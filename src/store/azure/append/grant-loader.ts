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
import type { AppendRequest } from "./append-request.ts";
import type { AppendQueue, WaitingAppend } from "./queue.ts";

export interface GrantLoaderDeps {
  readonly table: Table;
  readonly state: LogState;
  readonly queue: AppendQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Something was read. */
  readonly wake: () => void;
}

/** Reads of one space's writer at the same time; one that takes longer than its turn goes on beside the others. */
const readsMax = 16;
const readPermitMs = 1_000;
const readsBesideMax = 64;

export class GrantLoader {
  readonly #deps: GrantLoaderDeps;
  readonly #reading = new Set<WaitingAppend>();
  readonly #permits: Semaphore;

  constructor(deps: GrantLoaderDeps) {
    this.#deps = deps;
    const { clock, wake: onFree } = deps;
    this.#permits = new Semaphore(readsMax, { clock, permitMs: readPermitMs, besideMax: readsBesideMax, onFree });
  }

  /** Starts the reads that are missing, as of the version that the state has now. */
  load(requests: Iterable<WaitingAppend>): void {
    const head = this.#deps.state.version?.head;
    if (head === undefined) return;
    for (const request of requests) {
      if (isGrantKnown(request, head) || this.#reading.has(request)) continue;
      const leave = this.#permits.tryEnter();
      if (leave === undefined) return;
      this.#reading.add(request);
      void this.#read(request, head.droppedAt).then(() => {
        this.#reading.delete(request);
        leave();
        this.#deps.wake();
      });
    }
  }

  /** Dying in here leaves nothing behind: it only reads. */
  async #read(request: WaitingAppend, droppedAt: number): Promise<void> {
    const { clock, queue, random, table } = this.#deps;
    try {
      request.grant = { lastToken: await readLastToken(table, request.lease?.key ?? ""), droppedAt };
    } catch (error) {
      if (isTransient(error)) {
        // Repeated, after a while, as long as it waits.
        request.trouble = error;
        await sleep(clock, 50 + 150 * random.fraction());
      } else {
        queue.fail(request, error);
      }
    }
  }
}

/** Whether all is known that a plan against this head needs to judge the request's token. */
export function isGrantKnown({ grant, lease }: AppendRequest, { droppedAt, fences }: LogHead): boolean {
  if (lease === undefined) return true;
  const fence = fences.get(lease.key);
  if (fence !== undefined && lease.token <= fence) return true;
  return grant !== undefined && (fence !== undefined || grant.droppedAt === droppedAt);
}
