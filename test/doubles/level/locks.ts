// Write locks: one for each name, given in the order of the requests.
//
// Promise: no two holders of one name at once; holders of several names never wait for each other in a circle, because
// names are taken in one order.

export class Locks {
  /** The end of the queue of each name that is held or waited for. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` while holding all the names, each once. */
  async hold<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const held: (() => void)[] = [];
    try {
      for (const name of [...new Set(names)].sort()) held.push(await this.#take(name));
      return await work();
    } finally {
      for (const release of held.reverse()) release();
    }
  }

  /** Names held or waited for. */
  get size(): number {
    return this.#tails.size;
  }

  async #take(name: string): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const before = this.#tails.get(name);
    const tail = promise.then(() => undefined);
    this.#tails.set(name, tail);
    await before;
    return () => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
      resolve(undefined);
    };
  }
}
