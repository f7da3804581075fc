// Lists of names.

import type { OperationOptions } from "./options.ts";
import type { PageSettings } from "./read.ts";
import type { Transport } from "./transport.ts";

export interface NamePage {
  readonly names: readonly string[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** One by one with `for await`, or page by page. */
export interface PagedNames extends AsyncIterable<string> {
  byPage(settings?: PageSettings): AsyncIterable<NamePage>;
}

export function names(
  transport: Transport,
  path: string,
  member: "spaces" | "segments",
  options: OperationOptions,
): PagedNames {
  async function* byPage({ continuationToken, maxPageSize }: PageSettings = {}): AsyncGenerator<
    NamePage,
    void,
    undefined
  > {
    let next = continuationToken;
    do {
      const query = { next, limit: maxPageSize };
      const answer = await transport.json({ method: "GET", path, query, accept: "application/json" }, options);
      const page = answer as Readonly<Record<typeof member, readonly string[]>> & { readonly next?: string };
      ({ next } = page);
      yield { names: page[member], continuationToken: next };
    } while (next !== undefined);
  }
  return {
    byPage,
    async *[Symbol.asyncIterator]() {
      for await (const page of byPage()) yield* page.names;
    },
  };
}
