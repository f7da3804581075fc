// Lists that the service gives page by page.

import type { OperationOptions } from "./options.ts";
import type { PageSettings } from "./read.ts";
import type { Transport } from "./transport.ts";

/** Item by item with `for await`, or page by page. */
export interface PagedList<Item, Page> extends AsyncIterable<Item> {
  byPage(settings?: PageSettings): AsyncIterable<Page>;
}

/** `member`: what the items are called in an answer. `pageOf`: with the token of the page that follows, if one does. */
export function pagedList<Item, Page>(
  transport: Transport,
  path: string,
  options: OperationOptions,
  member: string,
  pageOf: (items: readonly Item[], continuationToken: string | undefined) => Page,
): PagedList<Item, Page> {
  async function* answers({ continuationToken, maxPageSize }: PageSettings = {}) {
    let next = continuationToken;
    do {
      const query = { next, limit: maxPageSize };
      const answer = await transport.json({ method: "GET", path, query, accept: "application/json" }, options);
      ({ next } = answer as { readonly next?: string });
      yield { items: (answer as Readonly<Record<string, readonly Item[]>>)[member] ?? [], next };
    } while (next !== undefined);
  }
  return {
    async *byPage(settings) {
      for await (const { items, next } of answers(settings)) yield pageOf(items, next);
    },
    async *[Symbol.asyncIterator]() {
      for await (const { items } of answers()) yield* items;
    },
  };
}
