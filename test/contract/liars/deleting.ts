// Lies about what was deleted, and about what was restored.

import type { Liar } from "./liar.ts";

export const deletingLiars: readonly Liar[] = [
  {
    lie: "says that a space is deleted, and keeps it",
    topic: "deletion",
    tell: () => ({ deleteSpace: () => Promise.resolve({ removedFrom: Date.now() + 7 * 86_400_000 }) }),
  },
  {
    lie: "says that a store is deleted, and keeps it",
    topic: "deletion",
    tell: () => ({ deleteStore: () => Promise.resolve({ removedFrom: Date.now() + 7 * 86_400_000 }) }),
  },
  {
    lie: "shows what a deleted space has to who reads a segment",
    topic: "deletion",
    tell: (truth, memory) => ({
      deleteSpace: async (space, options) => {
        const entries = [];
        for await (const entry of truth.consumeSpace(space)) entries.push(entry);
        memory.set(`${truth.id} ${space}`, entries);
        return truth.deleteSpace(space, options);
      },
      consumeSegment: async function* (space, segment, args) {
        const entries = memory.get(`${truth.id} ${space}`) as undefined | readonly never[];
        yield* entries ?? truth.consumeSegment(space, segment, args);
      },
    }),
  },
  {
    lie: "says that a deletion is undone, and leaves it",
    topic: "deletion",
    tell: () => ({ restoreSpace: () => Promise.resolve(), restoreStore: () => Promise.resolve() }),
  },
  {
    lie: "restores what was erased",
    topic: "deletion",
    tell: (truth) => ({
      deleteStore: (options) => truth.deleteStore({ ...options, erase: false }),
      deleteSpace: (space, options) => truth.deleteSpace(space, { ...options, erase: false }),
    }),
  },
  {
    lie: "takes any time to restore in",
    topic: "deletion",
    tell: (truth) => ({
      deleteStore: ({ graceMs, ...options } = {}) =>
        graceMs === undefined ? truth.deleteStore(options) : Promise.resolve({ removedFrom: graceMs }),
    }),
  },
];
