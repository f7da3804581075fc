// Telemetry whose listener comes late: measurements that come before it are kept for it, so that starting does not wait
// for it.
//
// Promise: nothing is loaded before the first measurement is a while old. The kept measurements are bounded; those
// beyond are dropped, and the log says so.

import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Telemetry } from "../core/telemetry.ts";

export interface Listener {
  readonly telemetry: Telemetry;
  /** Sends what is waiting; resolves when it is sent or cannot be. */
  readonly flush: () => Promise<void>;
}

export interface LateTelemetryOptions {
  readonly load: () => Promise<Listener>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From the first measurement until the listener is loaded: the first requests have their answers by then. */
  readonly delayMs: number;
}

/** Measurements kept until somebody listens: seconds of a busy instance, a few hundred KiB. */
const keptMax = 5_000;

export class LateTelemetry implements Telemetry {
  readonly #options: LateTelemetryOptions;
  #kept: ((telemetry: Telemetry) => void)[] = [];
  #dropped = 0;
  #loading: Promise<void> | undefined;
  #cancelLoad: (() => void) | undefined;
  #listener: Listener | "none" | undefined;

  constructor(options: LateTelemetryOptions) {
    this.#options = options;
  }

  record(...measured: Parameters<Telemetry["record"]>): void {
    if (typeof this.#listener === "object") this.#listener.telemetry.record(...measured);
    else this.#keep((telemetry) => telemetry.record(...measured));
  }

  trace(...traced: Parameters<Telemetry["trace"]>): void {
    if (typeof this.#listener === "object") this.#listener.telemetry.trace(...traced);
    else this.#keep((telemetry) => telemetry.trace(...traced));
  }

  /** For the end of the process: what was measured so far is sent, if that is possible. Never rejects. */
  async flush(): Promise<void> {
    if (this.#kept.length > 0) await this.#load();
    if (typeof this.#listener !== "object") return;
    try {
      await this.#listener.flush();
    } catch (error) {
      this.#options.logger.warn("telemetry was not sent", { error });
    }
  }

  #keep(replay: (telemetry: Telemetry) => void): void {
    if (this.#listener === "none") return;
    if (this.#kept.length < keptMax) this.#kept.push(replay);
    else this.#dropped += 1;
    this.#cancelLoad ??= this.#options.clock.after(this.#options.delayMs, () => void this.#load());
  }

  #load(): Promise<void> {
    this.#cancelLoad?.();
    this.#loading ??= this.#listen();
    return this.#loading;
  }

  async #listen(): Promise<void> {
    const { load, logger } = this.#options;
    try {
      const listener = await load();
      for (const replay of this.#kept) replay(listener.telemetry);
      this.#listener = listener;
      if (this.#dropped > 0) logger.warn("telemetry of the start was dropped", { measurements: this.#dropped });
    } catch (error) {
      this.#listener = "none";
      logger.error("telemetry is off: it cannot be loaded", { error });
    }
    this.#kept = [];
  }
}
