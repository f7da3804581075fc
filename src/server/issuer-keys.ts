// The published keys of an issuer of tokens: fetched when they are needed, kept while they are good.
//
// Promise: however many tokens come, one fetch is on its way at most, and none begins within seconds of the one before,
// whatever the tokens claim. Keys that were good are used for a day while the issuer is away. Tokens are told to come
// back, not refused, while it cannot be known whether their key is one.

import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

/** A fetch of the whole document; rejects when it cannot be had. */
export type FetchKeys<Keys> = () => Promise<Keys>;

/** Older keys are fetched anew, while they are used: an issuer takes back a key by no longer publishing it. */
export const freshMs = 10 * 60_000;
/** Older keys are not used, whatever the issuer does. */
export const staleMs = 24 * 3_600_000;
/** Between a fetch and the next for a key that it had not, and after a fetch that failed. */
export const lookUpMs = 5_000;
export const failureMs = 30_000;

interface Fetched<Keys> {
  readonly keys: Keys;
  /** When the fetch began, by the clock that only moves forward. */
  readonly at: number;
}

export class IssuerKeys<Keys> {
  readonly #fetch: FetchKeys<Keys>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #fetched: Fetched<Keys> | undefined;
  #failed: { readonly at: number; readonly error: unknown } | undefined;
  #fetching: Promise<void> | undefined;

  constructor(fetch: FetchKeys<Keys>, clock: Clock, logger: Logger) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Returns what `find` finds among the keys; undefined when the issuer, asked anew, has no such key. */
  async find<Key>(find: (keys: Keys) => Promise<Key | undefined>): Promise<Key | undefined> {
    const asked = this.#clock.elapsed();
    const kept = this.#usable();
    const known = kept === undefined ? undefined : await find(kept.keys);
    if (known !== undefined) {
      // Nobody waits for the fetch of keys that are only to be renewed.
      if (kept !== undefined && asked - kept.at > freshMs && !this.#isCooling(failureMs)) void this.#refresh();
      return known;
    }
    await this.#refreshed(asked);
    if (this.#fetched === undefined) return undefined;
    const found = await find(this.#fetched.keys);
    // The fetch was on its way before the question: the key may have been published since.
    if (found === undefined && this.#fetched.at < asked) throw comeBack(lookUpMs);
    return found;
  }

  /** Resolves when the keys are those of a fetch that was on its way, or began, when they were asked for. */
  async #refreshed(asked: number): Promise<void> {
    if (this.#fetching === undefined) {
      const { at: failedAt, error } = this.#failed ?? {};
      if (failedAt !== undefined && this.#isCooling(failureMs)) throw away(failedAt + failureMs - asked, error);
      const at = this.#fetched?.at;
      if (at !== undefined && asked - at < lookUpMs) throw comeBack(at + lookUpMs - asked);
    }
    await this.#refresh();
    if (this.#failed !== undefined) throw away(failureMs, this.#failed.error);
  }

  #refresh(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    const at = this.#clock.elapsed();
    try {
      this.#fetched = { keys: await this.#fetch(), at };
      this.#failed = undefined;
    } catch (error) {
      this.#failed = { at, error };
      const ageMs = this.#fetched === undefined ? undefined : Math.round(at - this.#fetched.at);
      this.#logger.warn("the keys of the tokens' issuer cannot be fetched", { ageMs, error });
    }
  }

  #usable(): Fetched<Keys> | undefined {
    return this.#fetched !== undefined && this.#clock.elapsed() - this.#fetched.at < staleMs
      ? this.#fetched
      : undefined;
  }

  #isCooling(ms: number): boolean {
    return this.#failed !== undefined && this.#clock.elapsed() - this.#failed.at < ms;
  }
}

function away(retryAfterMs: number, cause: unknown): StoreError {
  return new StoreError("overloaded", "The keys of the token's issuer cannot be fetched.", { cause, retryAfterMs });
}

function comeBack(retryAfterMs: number): StoreError {
  const message =
    "The token's key was not among the issuer's keys a moment ago. Try again: then they are looked up again.";
  return new StoreError("throttled", message, { retryAfterMs });
}
