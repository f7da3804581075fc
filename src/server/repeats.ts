// Chooses the answer to a failed write where the same request would write once more if it came again.
//
// Promise: a caller that repeats by itself the usual statuses (408, 429, 5xx) writes nothing twice. An error that
// leaves something behind, or may, has such a status only where a repeat is known to be the same write: by its key, or
// by the sequences of its records.

import type { AppendRecord } from "../core/entry.ts";
import { notConfirmed, StoreError } from "../core/errors.ts";
import type { Effect } from "../core/errors.ts";
import type { ProducedChunk } from "../store/store.ts";
import { asKnown, errorKinds } from "../wire/errors.ts";

export class Repeats {
  #safe: boolean;
  /** Records of the whole request, once they have all been seen. */
  #total = Infinity;

  /** `key`: the request's own, if it has one. */
  constructor(key: string | undefined) {
    this.#safe = key !== undefined;
  }

  /** A record that must have its place finds it taken when it comes again. */
  see(record: AppendRecord): void {
    if (record.sequence !== undefined) this.#safe = true;
  }

  /** The request has so many records and no more. */
  ended(total: number): void {
    this.#total = total;
  }

  /** The error to tell. `before`: so many records of the same request were committed before what failed. */
  explained(error: unknown, before = 0): StoreError {
    const known = asKnown(error);
    const committed = before + committedIn(known);
    const whole = known.effect === "unknown" ? known : withEffect(known, effectOf(known, committed, this.#total));
    const { status } = errorKinds[known.code];
    const comesAgain = status === 408 || status === 429 || status >= 500;
    const told = this.#safe || whole.effect === "none" || !comesAgain ? whole : notConfirmed(whole);
    return committed === 0 ? told : withCount(told, committed, this.#safe);
  }

  /** The same chunks; what fails is told. */
  async *tell(chunks: AsyncIterable<ProducedChunk>): AsyncGenerator<ProducedChunk, void, undefined> {
    let before = 0;
    try {
      for await (const chunk of chunks) {
        const { firstSequence = 1, lastSequence = 0 } = chunk.transaction ?? {};
        before += lastSequence - firstSequence + 1;
        yield chunk;
      }
    } catch (error) {
      throw this.explained(error, before);
    }
  }
}

/**
 * Returns how many records of the failed chunk are committed, although the answer could not wait until they are
 * visible.
 */
function committedIn({ effect, details }: StoreError): number {
  const { committedRecords } = details;
  return effect === "committed" && typeof committedRecords === "number" ? committedRecords : 0;
}

/** The effect of the request as a whole. */
function effectOf({ effect }: StoreError, committed: number, total: number): Effect {
  if (committed === 0) return effect;
  return effect === "committed" && committed === total ? "committed" : "partial";
}

/** Says how much is there, and how to go on. */
function withCount(error: StoreError, committed: number, safe: boolean): StoreError {
  const { code, effect, retryAfterMs } = error;
  const rest = { unknown: "the next ones may be", partial: "no others are or will be", committed: "", none: "" }[
    effect
  ];
  const next = safe
    ? "The same request may be sent again: what is there is not written twice."
    : effect === "unknown"
      ? "Look where the segment ends before you send the records after them."
      : "Send only the records after them, if there are any.";
  const records = committed === 1 ? "The first record" : `The first ${committed} records`;
  const are = committed === 1 ? "is" : "are";
  const sentence = `${records} of this request ${are} committed${rest === "" ? "" : `, ${rest}`}.`;
  // The other says itself what to do.
  const message = code === "not_confirmed" ? `${error.message} ${sentence}` : `${error.message} ${sentence} ${next}`;
  return new StoreError(code, message, {
    effect,
    cause: error,
    details: { ...error.details, committedRecords: committed },
    retryAfterMs,
  });
}

function withEffect(error: StoreError, effect: Effect): StoreError {
  if (effect === error.effect) return error;
  const { code, message, details, retryAfterMs } = error;
  return new StoreError(code, message, { effect, cause: error, details, retryAfterMs });
}
