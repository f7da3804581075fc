// What a worker has of one partition: its claim, how far it has come, and the handling that goes on. And the places for
// what is handled at once.

import type { Failure } from "./deliveries.ts";
import { StreamkitError } from "./errors.ts";
import { deferred } from "./timing.ts";
import type { Deferred } from "./timing.ts";

export class PartitionWork {
  /** That of the last answer about it. */
  claim = "";
  #doneTo: string | undefined;
  #failure: Failure | undefined;
  #isBusy = false;
  readonly #losing = new AbortController();

  /** Offset of the last entry that is done and was not acknowledged yet. */
  get doneTo(): string | undefined {
    return this.#doneTo;
  }

  /** What is to be told before anything else. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Aborts when it is another's. */
  get lost(): AbortSignal {
    return this.#losing.signal;
  }

  begin(): void {
    this.#doneTo = undefined;
    this.#isBusy = true;
  }

  end(): void {
    this.#isBusy = false;
  }

  pass(offset: string): void {
    this.#doneTo = offset;
  }

  fail(failure: Failure): void {
    this.#failure = failure;
  }

  /** The failure was told, and with it what stands before it. */
  settle(): void {
    this.#failure = undefined;
    this.#doneTo = undefined;
  }

  /** That offset was acknowledged; what was done since was not. */
  told(offset: string | undefined): void {
    if (this.#doneTo === offset) this.#doneTo = undefined;
  }

  lose(): void {
    this.#losing.abort(new StreamkitError("lease_lost", "The partition is another worker's now."));
  }
}

/** Places for so many at once; those that wait have theirs in the order they came. */
export class Places {
  #free: number;
  readonly #waiting: Deferred<void>[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const place = deferred();
    this.#waiting.push(place);
    await place.promise;
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.resolve();
  }
}
