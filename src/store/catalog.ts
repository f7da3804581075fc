// The stores of a deployment: which there are, what people call them, and whether they were deleted.

import type { StoreId } from "../core/ids.ts";

/**
 * `unused`: nothing was ever kept in it. `deleted`: it can be restored. `removed`: it cannot, and its id is never used
 * again.
 */
export type StoreState = "active" | "unused" | "deleted" | "removed";

export interface StoreFacts {
  readonly id: StoreId;
  readonly label: string | undefined;
  readonly state: StoreState;
  /** Until when a deleted one can be restored, milliseconds by the service's clock. */
  readonly removedFrom: number | undefined;
}

export interface StoresPage {
  /** By their ids. */
  readonly stores: readonly StoreFacts[];
  /** There is more after the last one. */
  readonly isMore: boolean;
}

/** Errors: `throttled`, `overloaded`, `storage_unavailable`, `corrupt_data`. */
export interface StoreCatalog {
  /**
   * Those in which something is kept: whoever was told that a store took something finds it here. Neither unused nor
   * removed ones.
   */
  list(options: { readonly after?: StoreId | undefined; readonly limit: number }): Promise<StoresPage>;
  get(id: StoreId): Promise<StoreFacts>;
  /** Undefined takes the label away. Rejects with `deleted`, too. */
  setLabel(id: StoreId, label: string | undefined): Promise<StoreFacts>;
}
