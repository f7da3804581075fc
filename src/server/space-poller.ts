// Looks at one space's log again and again, for all live readers of the space in this instance.
//
// Promise: whatever is committed after `ready` has resolved moves the version, soon when this instance committed it,
// within about a second otherwise. A look is left out only when the store's list says that nothing has come since the
// last one.

import { sleep } from "../core/clock.ts";
import type { Clock, Random } from "../core/clock.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { withFields } from "../core/logger.ts";
import type { Store } from "../store/store.ts";
import type { RecentLook, RecentMember } from "./recent-look.ts";

export interface PollerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Between two looks at a log: at first, and while nothing happens or after failures, milliseconds. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
}

/** So many failures in a row wake the readers: their own read then says what is wrong. */
const failuresMax = 5;

export class SpacePoller {
  version = 0;
  watchers = 0;
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #space: SpaceName;
  readonly #deps: PollerDeps;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #stopListening: () => void;
  /** The space's part in the look at the whole store, where there is one. */
  readonly #member: RecentMember | undefined;
  readonly #waiters = new Set<() => void>();
  #end = "";
  #pollMs: number;
  /** When the last look began that was answered. */
  #lookedAt = -Infinity;
  /** This instance knows of a commit that no look has seen. */
  #isDue = false;
  /** Ends the pause before the next look. */
  #wake: () => void = () => undefined;

  constructor(store: Store, space: SpaceName, deps: PollerDeps, recent: RecentLook | undefined) {
    this.#store = store;
    this.#space = space;
    this.#deps = deps;
    this.#pollMs = deps.pollMsMin;
    this.#logger = withFields(deps.logger, { store: store.id, space });
    this.#stopListening = store.onCommit(space, () => {
      this.#isDue = true;
      this.#moved();
      this.#wake();
    });
    this.#member = recent?.add(space, () => this.#wake());
    this.ready = this.#look();
    // Waiters of `ready` get the error; the poller itself must not be an unhandled rejection.
    void this.ready.then(() => this.#run()).catch(() => undefined);
  }

  /** Resolves when the version is beyond `seen`, or after `ms`; rejects when the signal aborts. */
  async changed(seen: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.version > seen) return;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiters.add(wake);
    try {
      await sleep(this.#deps.clock, ms, AbortSignal.any([woken.signal, signal]));
    } catch (error) {
      if (!woken.signal.aborted || signal.aborted) throw error;
    } finally {
      this.#waiters.delete(wake);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#stopListening();
    this.#member?.leave();
    this.#wake();
  }

  async #run(): Promise<void> {
    let failures = 0;
    for (;;) {
      await this.#pause();
      if (this.#isStopped()) return;
      if (this.#isQuiet()) continue;
      try {
        await this.#look();
        failures = 0;
      } catch (error) {
        if (this.#isStopped()) return;
        failures += 1;
        this.#pollMs = this.#deps.pollMsMax;
        this.#logger.warn("a live space cannot be looked at", { failures, error });
        if (failures % failuresMax === 0) this.#moved();
      }
    }
  }

  /** One that has just had news is looked at more often than the list. */
  #isQuiet(): boolean {
    const isSlow = this.#pollMs >= this.#deps.pollMsMax;
    return isSlow && !this.#isDue && this.#member?.isQuiet(this.#lookedAt) === true;
  }

  async #look(): Promise<void> {
    const startedAt = this.#deps.clock.elapsed();
    this.#isDue = false;
    const end = await this.#store.spaceTail(this.#space, 0, { signal: this.#stopped.signal });
    this.#lookedAt = startedAt;
    if (end === this.#end) {
      this.#pollMs = Math.min(this.#deps.pollMsMax, 2 * this.#pollMs);
      return;
    }
    this.#end = end;
    this.#moved();
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  #moved(): void {
    this.version += 1;
    this.#pollMs = this.#deps.pollMsMin;
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** With jitter, so that instances do not ask in step. */
  #pause(): Promise<void> {
    const { clock, random } = this.#deps;
    return new Promise((resolve) => {
      const cancel = clock.after(this.#pollMs * (0.75 + random.fraction() / 2), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
