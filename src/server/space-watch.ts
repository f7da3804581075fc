// Tells live readers when to look again: all readers of a space in this instance share one poller of its log.
//
// Promise: whatever is committed after `open` has resolved moves the version of the watch, soon when this instance
// committed it, within about a second otherwise. A poller lives as long as someone watches, and keeps the process alive
// no longer.

import type { Clock, Random } from "../core/clock.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { Store } from "../store/store.ts";
import { RecentLook } from "./recent-look.ts";
import { SpacePoller } from "./space-poller.ts";

export interface WatchOptions {
  /** Between two looks at a log: at first, and while nothing happens or after failures, milliseconds. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** So many spaces of a store are watched before they are looked at together. */
  readonly togetherMin: number;
}

const watchDefaults: WatchOptions = { pollMsMin: 25, pollMsMax: 1_000, togetherMin: 8 };

export interface SpaceWatch {
  /** Grows with each change. */
  readonly version: number;
  /** Resolves when the version is beyond `seen`, or after `ms`; rejects when the signal aborts. */
  changed(seen: number, ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export class SpaceWatches {
  readonly #deps: WatchOptions & { readonly clock: Clock; readonly random: Random; readonly logger: Logger };
  readonly #pollers = new Map<string, SpacePoller>();
  /**
   * The one look at the spaces of each store that can be looked at together; it costs nothing while none is watched.
   */
  readonly #recent = new WeakMap<Store, RecentLook>();

  constructor(clock: Clock, random: Random, logger: Logger, options: Partial<WatchOptions> = {}) {
    this.#deps = { ...watchDefaults, ...options, clock, random, logger };
  }

  /**
   * Resolves when the log has been looked at once, so that what is read from now on and what the watch tells overlap.
   */
  async open(store: Store, space: SpaceName): Promise<SpaceWatch> {
    const key = `${store.id}/${space}`;
    let poller = this.#pollers.get(key);
    if (poller === undefined) {
      poller = new SpacePoller(store, space, this.#deps, this.#recentOf(store));
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

  /** Spaces that are watched now. */
  get size(): number {
    return this.#pollers.size;
  }

  #recentOf(store: Store): RecentLook | undefined {
    const { clock, random, logger, pollMsMax, togetherMin } = this.#deps;
    // A list that forgets sooner than it is asked for vouches for nothing.
    if (store.recent === undefined || store.recent.ms <= 2 * pollMsMax) return undefined;
    const known = this.#recent.get(store);
    if (known !== undefined) return known;
    const deps = { clock, random, logger, everyMs: pollMsMax, spacesMin: togetherMin };
    const recent = new RecentLook(store.id, store.recent, deps);
    this.#recent.set(store, recent);
    return recent;
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
