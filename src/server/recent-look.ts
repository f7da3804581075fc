// Looks at all watched spaces of a store at once: reads the list of spaces with a recent commit, once a second for all
// of them.
//
// Promise: a space counts as quiet only if a commit since the last look at it would have been in the list that was
// read. A space that does not count as quiet is looked at by itself. A space that comes into the list is looked at at
// once.

import type { Clock, Random } from "../core/clock.ts";
import type { SpaceName, StoreId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { RecentSpaces } from "../store/store.ts";

export interface RecentLookDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Between two lists, milliseconds. */
  readonly everyMs: number;
  /** Fewer spaces than this are each looked at alone. */
  readonly spacesMin: number;
}

/** A watched space. */
export interface RecentMember {
  /**
   * Whether no list since a look that began at `lookedAt` has missed a commit, and the last one, which is fresh, tells
   * of none.
   */
  isQuiet(lookedAt: number): boolean;
  leave(): void;
}

/** A list of more spaces than so many times those watched costs more than it spares. */
const listedPerWatched = 4;
/** How long one that was too long is not asked for again, milliseconds. */
const tooLongMs = 60_000;
/** A list that is older than so many intervals says nothing any more: it fails, or hangs. */
const freshIntervals = 3;

interface List {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly spaces: ReadonlySet<SpaceName>;
}

export class RecentLook {
  readonly #store: StoreId;
  readonly #recent: RecentSpaces;
  readonly #deps: RecentLookDeps;
  /** The callbacks of spaces that want to know when they come into the list. */
  readonly #members = new Map<SpaceName, () => void>();
  #last: List | undefined;
  /** While lists are asked for: how that is stopped. */
  #running: AbortController | undefined;

  constructor(store: StoreId, recent: RecentSpaces, deps: RecentLookDeps) {
    this.#store = store;
    this.#recent = recent;
    this.#deps = deps;
  }

  add(space: SpaceName, listed: () => void): RecentMember {
    this.#members.set(space, listed);
    this.#startOrStop();
    // A random part of the time that the list vouches for, so that spaces that were opened together are not looked at
    // together.
    const ms = this.#recent.ms * (0.5 + this.#deps.random.fraction() / 2);
    return {
      isQuiet: (lookedAt) => this.#isQuiet(space, lookedAt, ms),
      leave: () => {
        this.#members.delete(space);
        this.#startOrStop();
      },
    };
  }

  #isQuiet(space: SpaceName, lookedAt: number, ms: number): boolean {
    const { clock, everyMs } = this.#deps;
    if (this.#last === undefined) return false;
    const { startedAt, endedAt, spaces } = this.#last;
    const isFresh = clock.elapsed() - startedAt < freshIntervals * everyMs;
    return isFresh && endedAt - lookedAt < ms && !spaces.has(space);
  }

  #startOrStop(): void {
    const isWorth = this.#members.size >= this.#deps.spacesMin;
    if (isWorth && this.#running === undefined) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
    if (!isWorth && this.#running !== undefined) {
      this.#running.abort();
      this.#running = undefined;
      this.#last = undefined;
    }
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const { clock, everyMs, logger, random } = this.#deps;
    let failures = 0;
    for (;;) {
      const startedAt = clock.elapsed();
      let nextAt = startedAt + everyMs * (0.75 + random.fraction() / 2);
      try {
        const spaces = await this.#recent.list(listedPerWatched * this.#members.size, { signal: stopped });
        failures = 0;
        if (stopped.aborted) return;
        if (spaces === undefined) nextAt = startedAt + tooLongMs;
        else this.#take({ startedAt, endedAt: clock.elapsed(), spaces });
      } catch (error) {
        if (stopped.aborted) return;
        failures += 1;
        logger.warn("the spaces with news cannot be listed: each is looked at alone", {
          store: this.#store,
          failures,
          error,
        });
      }
      if ((await pause(clock, nextAt - clock.elapsed(), stopped)) === "stopped") return;
    }
  }

  #take(list: List): void {
    const before = this.#last?.spaces;
    this.#last = list;
    for (const space of list.spaces) if (before?.has(space) === false) this.#members.get(space)?.();
  }
}

/** Ends early, without an error, when it is stopped. */
function pause(clock: Clock, ms: number, stopped: AbortSignal): Promise<"over" | "stopped"> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      stopped.removeEventListener("abort", end);
      resolve(stopped.aborted ? "stopped" : "over");
    };
    const cancel = clock.after(Math.max(0, ms), end);
    stopped.addEventListener("abort", end, { once: true });
  });
}
