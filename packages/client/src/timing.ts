// Waiting that can be ended, and signals that follow others without being tied to them for good.

/** Waits; rejects with the reason of the signal when that aborts first. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Aborts when the one it follows does, or when it is told to. `release` unties it: the other may live for as long as
 * the program.
 */
export class Following {
  readonly #controller = new AbortController();
  readonly #followed: AbortSignal | undefined;
  readonly #onAbort = (): void => this.abort(this.#followed?.reason);

  constructor(followed: AbortSignal | undefined) {
    this.#followed = followed;
    if (followed?.aborted === true) this.abort(followed.reason);
    else followed?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  release(): void {
    this.#followed?.removeEventListener("abort", this.#onAbort);
  }
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** `Promise.withResolvers`, which Node.js 20 does not have. */
export function deferred<T = void>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return {
    promise,
    resolve: (value) => settle?.resolve(value),
    reject: (reason) => settle?.reject(reason),
  };
}
