// The stores of a deployment: a list of them, and what is known of one.

import type { OperationOptions } from "./options.ts";
import { answersOf } from "./paged.ts";
import type { PageSettings } from "./read.ts";
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

/** One by one with `for await`, or page by page. */
export interface PagedStores extends AsyncIterable<StoreStatus> {
  /** A page has at most 100. */
  byPage(settings?: PageSettings): AsyncIterable<StorePage>;
}

export function listStores(transport: Transport, options: OperationOptions): PagedStores {
  type Answer = { readonly stores: readonly StoreStatus[] };
  async function* byPage(settings: PageSettings = {}): AsyncGenerator<StorePage, void, undefined> {
    for await (const { next, stores } of answersOf<Answer>(transport, "/v1/stores", settings, options))
      yield { stores, continuationToken: next };
  }
  return {
    byPage,
    async *[Symbol.asyncIterator]() {
      for await (const { stores } of byPage()) yield* stores;
    },
  };
}

export async function setLabel(
  transport: Transport,
  path: string,
  label: string | undefined,
  options: OperationOptions,
): Promise<StoreStatus> {
  const json = "application/json";
  const body = JSON.stringify({ label });
  const call = { method: "PUT", path, body, accept: json, contentType: json, refutes: () => false } as const;
  return (await transport.json(call, options)) as StoreStatus;
}
