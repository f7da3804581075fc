// The stores of a deployment: a list of them, and what is known of one.

import { jsonCall } from "./calls.ts";
import type { OperationOptions } from "./options.ts";
import { pagedList } from "./paged.ts";
import type { PagedList } from "./paged.ts";
import type { Transport } from "./transport.ts";

export interface StoreStatus {
  readonly id: string;
  /** What people call it. */
  readonly label?: string;
  /**
   * `unused`: nothing was ever kept in it. `deleted`: it can be restored. `removed`: it cannot, and its id is never
   * used again.
   */
  readonly state: "active" | "unused" | "deleted" | "removed";
  /** Of a deleted one, milliseconds since 1970. */
  readonly removedFrom?: number;
}

export interface StorePage {
  readonly stores: readonly StoreStatus[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** One by one with `for await`, or page by page, each of at most 100. */
export type PagedStores = PagedList<StoreStatus, StorePage>;

export function listStores(transport: Transport, options: OperationOptions): PagedStores {
  const pageOf = (stores: readonly StoreStatus[], continuationToken: string | undefined): StorePage => {
    return { stores, continuationToken };
  };
  return pagedList(transport, "/v1/stores", options, "stores", pageOf);
}

export async function setLabel(
  transport: Transport,
  path: string,
  label: string | undefined,
  options: OperationOptions,
): Promise<StoreStatus> {
  return (await transport.json(jsonCall("PUT", path, { label }), options)) as StoreStatus;
}
