// Lists of names.

import type { OperationOptions } from "./options.ts";
import { answersOf } from "./paged.ts";
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
  type Answer = Readonly<Record<typeof member, readonly string[]>>;
  async function* byPage(settings: PageSettings = {}): AsyncGenerator<NamePage, void, undefined> {
    for await (const page of answersOf<Answer>(transport, path, settings, options))
      yield { names: page[member], continuationToken: page.next };
  }
  return {
    byPage,
    async *[Symbol.asyncIterator]() {
      for await (const page of byPage()) yield* page.names;
    },
  };
}
