// Waits for something new: for a reading, or for a stream until its time is up.

import { inSpace } from "../core/errors.ts";
import type { Store } from "../store/store.ts";
import type { Reading } from "./reading.ts";
import type { Services } from "./services.ts";
import { watchAny } from "./space-watch.ts";
import type { SpaceWatch } from "./space-watch.ts";
import type { StreamContext } from "./streams.ts";

/** A reader of a segment looks again by itself, at these intervals after a change: an apply may come late. */
const recheckMsMin = 25;
const recheckMsMax = 5_000;

/** Waits, `ms` at most, until there may be something new for the reading. */
export class Waiting {
  readonly #watch: SpaceWatch;
  readonly #lags: boolean;
  #seen: number;
  #recheckMs = recheckMsMin;

  private constructor(watch: SpaceWatch, lags: boolean) {
    this.#watch = watch;
    this.#lags = lags;
    this.#seen = watch.version;
  }

  /** A read that starts after this has resolved, or after `changed` has, misses nothing. */
  static async open(services: Services, store: Store, reading: Pick<Reading, "lags" | "spaces">): Promise<Waiting> {
    const opened = await Promise.allSettled(
      reading.spaces.map((space) =>
        services.watches.open(store, space).catch((error: unknown) => {
          throw inSpace(space, error);
        }),
      ),
    );
    const watches = opened.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const failed = opened.find((result) => result.status === "rejected");
    const watch = watchAny(watches);
    if (failed !== undefined) {
      watch.close();
      throw failed.reason as Error;
    }
    return new Waiting(watch, reading.lags);
  }

  async changed(ms: number, signal: AbortSignal): Promise<void> {
    await this.#watch.changed(this.#seen, this.#lags ? Math.min(ms, this.#recheckMs) : ms, signal);
    const moved = this.#watch.version > this.#seen;
    this.#seen = this.#watch.version;
    this.#recheckMs = moved ? recheckMsMin : Math.min(recheckMsMax, 2 * this.#recheckMs);
  }

  close(): void {
    this.#watch.close();
  }
}

/** Waits for something to come; that this instance is about to stop ends the wait. */
export async function awaitNews(
  { services, connection }: StreamContext,
  endsAt: number,
  changed: (ms: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, stopping } = services;
  try {
    await changed(Math.max(0, endsAt - clock.elapsed()), AbortSignal.any([connection.signal, stopping]));
  } catch (error) {
    if (!stopping.aborted || connection.signal.aborted) throw error;
  }
}
