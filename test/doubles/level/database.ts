// What everyone who writes to one keyspace shares: the keyspace, the write locks, and who wants to hear of commits.
//
// Promise: whatever fails below is thrown as a StoreError that says whether a write may have happened.

import { StoreError } from "../../../src/core/errors.ts";
import type { Effect } from "../../../src/core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import type { Keyspace } from "./keyspace.ts";
import { Locks } from "./locks.ts";

export class LevelDatabase {
  readonly keyspace: Keyspace;
  readonly #locks: Locks;
  readonly #listeners: Map<string, Set<() => void>>;

  /** `sameAs`: the database that this is another way to; they keep each other's locks. */
  constructor(keyspace: Keyspace, sameAs?: LevelDatabase) {
    this.keyspace = reporting(keyspace);
    this.#locks = sameAs === undefined ? new Locks() : sameAs.#locks;
    this.#listeners = sameAs === undefined ? new Map<string, Set<() => void>>() : sameAs.#listeners;
  }

  /** One writer at a time for each segment, over the whole of read, validate and write. */
  holdSegments<T>(
    store: StoreId,
    space: SpaceName,
    segments: readonly SegmentName[],
    work: () => Promise<T>,
  ): Promise<T> {
    return this.#locks.hold(
      segments.map((segment) => JSON.stringify([store, space, segment])),
      work,
    );
  }

  /**
   * One commit at a time for each space, from choosing its timestamp to its write: a later timestamp must never be
   * readable before an earlier one. Taken inside the segments' locks, never around them.
   */
  holdSpace<T>(store: StoreId, space: SpaceName, work: () => Promise<T>): Promise<T> {
    return this.#locks.hold([JSON.stringify([store, space])], work);
  }

  committed(store: StoreId, space: SpaceName): void {
    for (const listener of this.#listeners.get(JSON.stringify([store, space])) ?? []) queueMicrotask(listener);
  }

  onCommit(store: StoreId, space: SpaceName, listener: () => void): () => void {
    const key = JSON.stringify([store, space]);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    // Its own identity, so that the same function given twice is called twice and stopped once.
    const call = (): void => listener();
    listeners.add(call);
    return () => {
      listeners.delete(call);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }
}

function reporting(keyspace: Keyspace): Keyspace {
  const read = <T>(work: Promise<T>): Promise<T> => work.catch(unavailable("none"));
  return {
    get: (key) => read(keyspace.get(key)),
    async *pages(range) {
      const pages = keyspace.pages(range)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const page = await read(pages.next());
          if (page.done === true) return;
          yield page.value;
        }
      } finally {
        await pages.return?.();
      }
    },
    last: (range) => read(keyspace.last(range)),
    write: (rows) => keyspace.write(rows).catch(unavailable("unknown")),
    close: () => keyspace.close(),
  };
}

function unavailable(effect: Effect): (cause: unknown) => never {
  return (cause) => {
    const tried = effect === "none" ? "read" : "written";
    throw new StoreError("storage_unavailable", `The database could not be ${tried}.`, { effect, cause });
  };
}
