// The work that runs in a store, so that closing it can refuse new work and wait for the rest; and the memory that a
// read holds.

import { StoreError } from "../core/errors.ts";

/** Can be left before its end. */
export interface Stream<T> extends AsyncIterableIterator<T> {
  return(): Promise<IteratorResult<T>>;
}

export class RunningWork {
  #running = 0;
  #closed = false;
  readonly #idle: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#begin();
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  /** The stream begins with its first `next` and ends when it is done, fails or is left. */
  stream<T>(items: AsyncIterable<T>): Stream<T> {
    // Not a generator, because each costs every item some turns of the microtask queue.
    let state: "new" | "running" | "ended" = "new";
    let iterator: AsyncIterator<T> | undefined;
    const end = (): void => {
      if (state === "running") this.#end();
      state = "ended";
    };
    const ended: IteratorResult<T> = { done: true, value: undefined };
    const stream: Stream<T> = {
      next: async () => {
        if (state === "ended") return ended;
        try {
          if (state === "new") {
            this.#begin();
            state = "running";
          }
          iterator ??= items[Symbol.asyncIterator]();
          const item = await iterator.next();
          if (item.done === true) end();
          return item;
        } catch (error) {
          end();
          throw error;
        }
      },
      return: async () => {
        try {
          await iterator?.return?.();
        } finally {
          end();
        }
        return ended;
      },
      [Symbol.asyncIterator]: () => stream,
    };
    return stream;
  }

  /** Resolves when nothing runs any more; may be called again. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#resolveIdle();
    });
  }

  #begin(): void {
    if (this.#closed) throw new StoreError("storage_unavailable", "The store is closed.");
    this.#running += 1;
  }

  #end(): void {
    this.#running -= 1;
    this.#resolveIdle();
  }

  #resolveIdle(): void {
    if (this.#closed && this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** The memory of one read, counted by whoever runs the store. */
export interface Memory {
  /** A StoreError when there is no room: the read ends with it. */
  take(bytes: number): void;
  give(bytes: number): void;
  /** Gives back all that is held. */
  close(): void;
}

/** Counts nothing: for tools, and tests that look at something else. */
export const unboundedMemory: Memory = { take: () => undefined, give: () => undefined, close: () => undefined };
