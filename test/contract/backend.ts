// What the contract suite asks of a configuration: two ways in to the same data, and the faults that its claims speak
// of.
//
// Every configuration supplies all of it, so that no claim is ever skipped.

import { randomUUID } from "node:crypto";
import type { Entry } from "../../src/core/entry.ts";
import type { SegmentName, SpaceName, StoreId } from "../../src/core/ids.ts";
import { parseStoreId } from "../../src/core/ids.ts";
import type { Store } from "../../src/store/store.ts";

/** Two instances of the application over one storage. */
export type Instance = 0 | 1;

export interface Faults {
  /**
   * From now on reads of entries and of names answer this many more pages, counted over all instances, and then fail
   * with `storage_unavailable`.
   */
  failReads(afterPages: number): Promise<void>;
  /**
   * Instance 0 dies at its commit after the next `commits` ones: just before that one reaches storage, or just after it
   * became durable and before anyone learned so. What it was doing ends in an error; it does nothing more until `heal`.
   */
  crash(when: "before_commit" | "after_commit", commits: number): Promise<void>;
  /** Spoils the stored bytes that this entry is read from: in its segment, or in its space. */
  corrupt(id: StoreId, view: "segment" | "space", entry: Entry): Promise<void>;
  /** Pages of entries and of names read from storage so far, over all instances. */
  pagesRead(): Promise<number>;
  /** Ends what was begun here (spoilt bytes stay). A crashed instance is started again. */
  heal(): Promise<void>;
}

export interface Backend {
  store(instance: Instance, id: StoreId): Store;
  /** How a name comes in from outside: parsed, or passed on unchecked where the other side checks it. */
  readonly names: {
    space(text: string): SpaceName;
    segment(text: string): SegmentName;
  };
  readonly faults: Faults;
  /** Grants a lease of the store to a new holder: its token is one more than the one before, from 1. */
  grant(id: StoreId, key: string): Promise<number>;
  dispose(): Promise<void>;
}

/** What a claim is judged on: a store of its own, seen through both instances. */
export interface Context {
  readonly backend: Backend;
  readonly id: StoreId;
  readonly store: Store;
  readonly other: Store;
}

/** One promise of the store, and how to tell that it is kept: `run` rejects when it is not. */
export interface Claim {
  readonly sentence: string;
  readonly run: (context: Context) => Promise<void>;
}

export function claim(sentence: string, run: (context: Context) => Promise<void>): Claim {
  return { sentence, run };
}

/** A claim that has not ended by then is not kept, milliseconds. */
export const claimTimeoutMs = 120_000;

/** Runs a claim on a new store; rejects when it is not kept. */
export async function runClaim(backend: Backend, { run }: Claim): Promise<void> {
  const id = parseStoreId(randomUUID());
  try {
    await run({ backend, id, store: backend.store(0, id), other: backend.store(1, id) });
  } finally {
    await backend.faults.heal();
  }
}
