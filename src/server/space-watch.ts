// Tells live readers when to look again: all readers of a space in this instance share one poller of its log.
//
// Promise: whatever is committed after `open` has resolved moves the version of the watch, soon when this instance committed it,
// within about a second otherwise. A poller lives as long as someone watches, and keeps the process alive no longer.

import { sleep } from "../core/clock.ts";
import type { Clock, Random } from "../core/clock.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { withFields } from "../core/logger.ts";
import type { Store } from "../store/store.ts";

/** Between two looks at a log: at first, while nothing happens, and after failures. */
const pollMsMin = 25;
const pollMsMax = 1_000;
/** So many failures in a row wake the readers: their own read then says what is wrong. */
const failuresMax = 5;

export interface SpaceWatch {
  /** Grows with each change. */
  readonly version: number;
  /** Resolves when the version is beyond `seen`, or after `ms`; rejects when the signal aborts. */
  changed(seen: number, ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export class SpaceWatches {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #pollers = new Map<string, Poller>();

  constructor(clock: Clock, random: Random, logger: Logger) {
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
  }

  /** Resolves when the log has been looked at once, so that what is read from now on and what the watch tells overlap. */
  async open(store: Store, space: SpaceName): Promise<SpaceWatch> {
    const key = `${store.id}/${space}`;
    let poller = this.#pollers.get(key);
    if (poller === undefined) {
      poller = new Poller(store, space, this.#clock, this.#random, this.#logger);
      this.#pollers.set(key, poller);
    }
    const shared = poller;
    shared.watchers += 1;
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      shared.watchers -= 1;
      if (shared.watchers > 0) return;
      shared.stop();
      this.#pollers.delete(key);
    };
    try {
      await shared.ready;
    } catch (error) {
      close();
      throw error;
    }
    return {
      get version() {
        return shared.version;
      },
      changed: (seen, ms, signal) => shared.changed(seen, ms, signal),
      close,
    };
  }

  /** Spaces that are polled now. */
  get size(): number {
    return this.#pollers.size;
  }
}

/** Several watches as one. */
export function watchAny(watches: readonly SpaceWatch[]): SpaceWatch {
  const version = (): number => watches.reduce((sum, watch) => sum + watch.version, 0);
  return {
    get version() {
      return version();
    },
    async changed(seen, ms, signal) {
      if (version() > seen) return;
      const settled = new AbortController();
      const either = AbortSignal.any([settled.signal, signal]);
      const waits = watches.map((watch) => watch.changed(watch.version, ms, either));
      try {
        await Promise.race(waits);
      } finally {
        settled.abort();
        await Promise.allSettled(waits);
      }
    },
    close: () => watches.forEach((watch) => watch.close()),
  };
}

class Poller {
  version = 0;
  watchers = 0;
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #space: SpaceName;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #stopListening: () => void;
  readonly #waiters = new Set<() => void>();
  #end = "";
  #pollMs = pollMsMin;
  /** Ends the pause before the next look. */
  #wake: () => void = () => undefined;

  constructor(store: Store, space: SpaceName, clock: Clock, random: Random, logger: Logger) {
    this.#store = store;
    this.#space = space;
    this.#clock = clock;
    this.#random = random;
    this.#logger = withFields(logger, { store: store.id, space });
    this.#stopListening = store.onCommit(space, () => {
      this.#moved();
      this.#wake();
    });
    this.ready = this.#look();
    // Whoever waits for `ready` is told; the poller itself must not be an unhandled rejection.
    void this.ready.then(() => this.#run()).catch(() => undefined);
  }

  async changed(seen: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.version > seen) return;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiters.add(wake);
    try {
      await sleep(this.#clock, ms, AbortSignal.any([woken.signal, signal]));
    } catch (error) {
      if (!woken.signal.aborted || signal.aborted) throw error;
    } finally {
      this.#waiters.delete(wake);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#stopListening();
    this.#wake();
  }

  async #run(): Promise<void> {
    let failures = 0;
    for (;;) {
      await this.#pause();
      if (this.#isStopped()) return;
      try {
        await this.#look();
        failures = 0;
      } catch (error) {
        if (this.#isStopped()) return;
        failures += 1;
        this.#pollMs = pollMsMax;
        this.#logger.warn("a live space cannot be looked at", { failures, error });
        if (failures % failuresMax === 0) this.#moved();
      }
    }
  }

  async #look(): Promise<void> {
    const end = await this.#store.spaceTail(this.#space, 0, { signal: this.#stopped.signal });
    if (end === this.#end) {
      this.#pollMs = Math.min(pollMsMax, 2 * this.#pollMs);
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
    this.#pollMs = pollMsMin;
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** With jitter, so that instances do not ask in step. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#pollMs * (0.75 + this.#random.fraction() / 2), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
