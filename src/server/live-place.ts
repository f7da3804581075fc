// The place of a live reader in an instance: one stream, and the spaces that are looked at for it.
//
// Promise: a space that is written to costs a request a second while somebody waits for its news, so readers are
// counted by their spaces: each once for a caller, however many of its streams wait for it. Beyond its share a caller
// is told so before its stream begins.

import type { SpaceName, StoreId } from "../core/ids.ts";
import type { Budget, Caller } from "./overload.ts";

export interface LivePlace {
  close(): void;
}

export class LivePlaces {
  readonly #streams: Budget;
  readonly #spaces: Budget;
  /** How many streams of a caller wait for a space. */
  readonly #watched = new Map<string, number>();

  constructor(streams: Budget, spaces: Budget) {
    this.#streams = streams;
    this.#spaces = spaces;
  }

  /** `throttled` or `overloaded`, with nothing taken, when there is no room. */
  take(caller: Caller, store: StoreId, spaces: readonly SpaceName[]): LivePlace {
    const keys = spaces.map((space) => JSON.stringify([caller.caller, store, space]));
    const added = keys.filter((key) => !this.#watched.has(key)).length;
    const refusal = this.#spaces.refusal(caller, 0, added);
    if (refusal !== undefined) throw refusal;
    const stream = this.#streams.open(caller);
    stream.take(1);
    this.#spaces.count(caller, added);
    for (const key of keys) this.#watched.set(key, (this.#watched.get(key) ?? 0) + 1);
    let isOpen = true;
    return {
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        stream.close();
        this.#spaces.count(caller, -this.#leave(keys));
      },
    };
  }

  /** Spaces that are waited for by callers, those of each counted for itself. */
  get spaces(): number {
    return this.#watched.size;
  }

  /** How many of them nobody of the caller waits for any more. */
  #leave(keys: readonly string[]): number {
    let left = 0;
    for (const key of keys) {
      const count = (this.#watched.get(key) ?? 1) - 1;
      if (count > 0) this.#watched.set(key, count);
      else {
        this.#watched.delete(key);
        left += 1;
      }
    }
    return left;
  }
}
