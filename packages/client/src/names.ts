// Lists of names.

import type { OperationOptions } from "./options.ts";
import { pagedList } from "./paged.ts";
import type { PagedList } from "./paged.ts";
import type { Transport } from "./transport.ts";

export interface NamePage {
  readonly names: readonly string[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** One by one with `for await`, or page by page. */
export type PagedNames = PagedList<string, NamePage>;

export function names(
  transport: Transport,
  path: string,
  member: "spaces" | "segments",
  options: OperationOptions,
): PagedNames {
  const pageOf = (found: readonly string[], continuationToken: string | undefined): NamePage => {
    return { names: found, continuationToken };
  };
  return pagedList(transport, path, options, member, pageOf);
}
