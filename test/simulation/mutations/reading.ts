// Mistakes in reading, and in the order that readers see.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

export const reading: readonly Mutation[] = [
  mutation(
    "short-page-is-the-end",
    300,
    "short page taken as the end",
    azure(
      "read/pages",
      "const isEnd = left <= 0 || page.continuation === undefined;",
      "const isEnd = left <= 0 || page.continuation === undefined || page.rows.length < asked;",
    ),
    azure(
      "read/pages",
      'const page: Awaited<ReturnType<Table["query"]>> = await next;',
      'const page: Awaited<ReturnType<Table["query"]>> = await next;\n      const asked = top;',
    ),
  ),
  mutation(
    "after-with-too-few-rows",
    300,
    "a segment read from a time on that reads no more rows than it wants entries",
    azure(
      "read/read",
      "const options = { signal: args.signal, select: blockProperties, likely, ...firstRows };",
      "const options = { signal: args.signal, select: blockProperties, limit: wanted, ...firstRows };",
    ),
  ),
  mutation("cursor-from-the-clock", 50, "cursor from the clock: a reader that goes on from now", {
    file: "test/simulation/readers.ts",
    find: "this.#cursor = encodeCursor(entry);",
    replace:
      "this.#cursor = encodeCursor({ ...entry, timestamp: Math.max(entry.timestamp, this.#world.serviceClock.now()) });",
  }),
  mutation(
    "utf16-order-written",
    50,
    "UTF-16 order within a record",
    azure(
      "append/commit",
      "compareUtf8(a.summary.segment, b.summary.segment)",
      "(a.summary.segment < b.summary.segment ? -1 : Number(a.summary.segment > b.summary.segment))",
    ),
  ),
  mutation("utf16-order-read", 50, "UTF-16 order of a cursor", {
    file: "src/codec/cursor.ts",
    find: "compareUtf8(one.segment, other.segment)",
    replace: "Number(one.segment > other.segment) - Number(one.segment < other.segment)",
  }),
  mutation("quiet-for-ever", 50, "a list trusted that may have forgotten the commits since the last look", {
    file: "src/server/recent-look.ts",
    find: "return isFresh && endedAt - lookedAt < ms && !spaces.has(space);",
    replace: "return !spaces.has(space);",
  }),
  mutation("quiet-before-the-list", 50, "a space that has come into the list waits for its next look all the same", {
    file: "src/server/recent-look.ts",
    find: "return isFresh && endedAt - lookedAt < ms && !spaces.has(space);",
    replace: "return isFresh && endedAt - lookedAt < ms;",
  }),
  mutation(
    "committed-before-listed",
    50,
    "a commit that does not wait until its log is registered",
    azure("append/appender", "    await registration.registered(version);\n", ""),
  ),
];
