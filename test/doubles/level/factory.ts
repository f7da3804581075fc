// Stores in one LevelDB database. Several factories may share a database: each is then an instance of its own, with its
// own node id and cache, as two function instances over one storage account are.

import type { NodeId, StoreId } from "../../../src/core/ids.ts";
import type { Store, StoreFactory } from "../../../src/store/store.ts";
import { createStore } from "../../../src/store/create-store.ts";
import { LevelBackend } from "./level-backend.ts";
import type { LevelStoreParts } from "./level-backend.ts";

export type LevelStoreOptions = Omit<LevelStoreParts, "node"> & { readonly node?: NodeId };

/** Closing it closes its stores, not the database, which is closed by whoever opened it. */
export function createLevelStoreFactory(options: LevelStoreOptions): StoreFactory {
  const parts: LevelStoreParts = { ...options, node: options.node ?? (options.random.uuid() as NodeId) };
  const stores = new Map<StoreId, Store>();
  return {
    open(id) {
      const known = stores.get(id);
      if (known !== undefined) return known;
      const backend = new LevelBackend(id, parts, () => {
        if (stores.get(id) === store) stores.delete(id);
      });
      const store = createStore(id, backend, parts.random);
      stores.set(id, store);
      return store;
    },
    async close() {
      await Promise.all([...stores.values()].map((store) => store.close()));
    },
  };
}
