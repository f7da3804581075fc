// Lists that the service gives page by page.

import type { OperationOptions } from "./options.ts";
import type { PageSettings } from "./read.ts";
import type { Transport } from "./transport.ts";

/** The answers of the service, each with where the next begins; none on the last. */
export async function* answersOf<Answer>(
  transport: Transport,
  path: string,
  { continuationToken, maxPageSize }: PageSettings,
  options: OperationOptions,
): AsyncGenerator<Answer & { readonly next?: string }, void, undefined> {
  let next = continuationToken;
  do {
    const query = { next, limit: maxPageSize };
    const answer = await transport.json({ method: "GET", path, query, accept: "application/json" }, options);
    const page = answer as Answer & { readonly next?: string };
    ({ next } = page);
    yield page;
  } while (next !== undefined);
}
