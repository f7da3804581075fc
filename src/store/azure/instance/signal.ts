// Wakes whoever waits for the next change.

export class Signal {
  #resolve: () => void = () => undefined;
  #next: Promise<void> | undefined;

  /** Resolves at the next `fire`, also at one that comes before it is awaited. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }

  fire(): void {
    this.#next = undefined;
    this.#resolve();
  }
}
