// What a read holds in memory is counted, by whoever runs the store.

/** Of one read. */
export interface Memory {
  /** A StoreError when there is no room: the read ends with it. */
  take(bytes: number): void;
  give(bytes: number): void;
  /** Gives back all that is held. */
  close(): void;
}

/** Counts nothing: for tools, and tests that look at something else. */
export const unboundedMemory: Memory = { take: () => undefined, give: () => undefined, close: () => undefined };
