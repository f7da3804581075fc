// What a failed write is answered with, where the same request would write once more if it came again.
//
// Promise: a caller that repeats by itself what is usually repeated (408, 429, 5xx) writes nothing twice. An error after which something
// is there, or may be, has such a status only where a repeat is known to be the same write: by its key, or by the sequences of its records.

import type { AppendRecord } from "../core/entry.ts";
import { notConfirmed, StoreError } from "../core/errors.ts";
import type { Effect } from "../core/errors.ts";
import { asKnown, errorKinds } from "../wire/errors.ts";

export class Repeats {
  #safe: boolean;

  /** `key`: the request's own, if it has one. */
  constructor(key: string | undefined) {
    this.#safe = key !== undefined;
  }

  /** A record that must have its place finds it taken when it comes again. */
  see(record: AppendRecord): void {
    if (record.sequence !== undefined) this.#safe = true;
  }

  /** The error to tell. `before`: of the same request something was committed before what failed. */
  explained(error: unknown, before = false): StoreError {
    const known = asKnown(error);
    const effect = before && known.effect === "none" ? "partial" : known.effect;
    const whole = effect === known.effect ? known : withEffect(known, effect);
    const { status } = errorKinds[known.code];
    const comesAgain = status === 408 || status === 429 || status >= 500;
    return this.#safe || effect === "none" || !comesAgain ? whole : notConfirmed(whole);
  }

  /** The same items; what fails is told. */
  async *tell<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    let before = false;
    try {
      for await (const item of items) {
        before = true;
        yield item;
      }
    } catch (error) {
      throw this.explained(error, before);
    }
  }
}

function withEffect(error: StoreError, effect: Effect): StoreError {
  const { code, message, details, retryAfterMs } = error;
  return new StoreError(code, message, {
    effect,
    cause: error,
    details,
    retryAfterMs,
  });
}
