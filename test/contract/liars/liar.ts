// A backend that lies in one way and is honest in all others: what the contract suite has to see through.

import type { Store } from "../../../src/store/store.ts";
import type { Backend } from "../backend.ts";

export interface Liar {
  /** What it does, as it would be told in an incident report. */
  readonly lie: string;
  /** The topic of the suite that has a claim against it. */
  readonly topic: string;
  /** What it says instead of the truth; `memory` is all its own, over all its stores. */
  readonly tell: (truth: Store, memory: Map<string, unknown>) => Partial<Store>;
}

/** The same backend with its stores in the hands of the liar. */
export function lying(backend: Backend, { tell }: Pick<Liar, "tell">): Backend {
  const memory = new Map<string, unknown>();
  return {
    ...backend,
    store(instance, id) {
      const truth = honest(backend.store(instance, id));
      return { ...truth, ...tell(truth, memory) };
    },
  };
}

/** All of a store as functions of their own, to be replaced one by one. */
export function honest(store: Store): Store {
  return {
    id: store.id,
    getSpaces: (options) => store.getSpaces(options),
    getSegments: (space, options) => store.getSegments(space, options),
    consumeSegment: (space, segment, args) => store.consumeSegment(space, segment, args),
    consumeSpace: (space, args) => store.consumeSpace(space, args),
    consume: (args) => store.consume(args),
    peek: (space, segment, options) => store.peek(space, segment, options),
    getSegmentStatus: async (space, segment, options) => {
      if (store.getSegmentStatus === undefined) throw new Error("Liars are made of a store that can tell a status.");
      return store.getSegmentStatus(space, segment, options);
    },
    getSpaceStatus: (space, options) => store.getSpaceStatus(space, options),
    produce: (space, segment, records, options) => store.produce(space, segment, records, options),
    produceAll: (space, segments, options) => store.produceAll(space, segments, options),
    changeStream: (space, segment, request, options) => store.changeStream(space, segment, request, options),
    streamOf: (space, segment, options) => store.streamOf(space, segment, options),
    trimSegment: (space, segment, before, options) => store.trimSegment(space, segment, before, options),
    redact: (space, segment, sequences, options) => store.redact(space, segment, sequences, options),
    trimSpace: (space, before, options) => store.trimSpace(space, before, options),
    deleteSpace: (space, options) => store.deleteSpace(space, options),
    restoreSpace: (space, options) => store.restoreSpace(space, options),
    deleteStore: (options) => store.deleteStore(options),
    restoreStore: (options) => store.restoreStore(options),
    restoreEntries: (space, entries, options) => store.restoreEntries(space, entries, options),
    onCommit: (space, listener) => store.onCommit(space, listener),
    appliedThrough: (space, options) => store.appliedThrough(space, options),
    spaceTail: (space, count, options) => store.spaceTail(space, count, options),
    close: () => store.close(),
  };
}

/** The same but for one key. */
export function except<T extends object, K extends keyof T>(object: T, key: K): Omit<T, K> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key)) as Omit<T, K>;
}
