// Where the segments of a space were written, by the summaries of its log: no entry is read.

import type { WrittenArgs, WrittenPlace } from "../../store.ts";
import { asStoreError } from "../instance/failure.ts";
import type { LogReader } from "../log/log-reader.ts";

/** Records of a page: their summaries are small. */
const pageRows = 1_000;

/** In the order of the space; the commits that are there when their page is read. */
export async function* readWritten(
  reader: Pick<LogReader, "readRecordsFrom">,
  { after, signal }: WrittenArgs,
): AsyncGenerator<WrittenPlace> {
  let from = after + 1;
  let continuation: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const page = await reader.readRecordsFrom(from, continuation, pageRows).catch((error: unknown) => {
      throw asStoreError(error, "none");
    });
    for (const { summary } of page.records) {
      const { timestamp, transactions } = summary;
      for (const { lastSequence, segment } of transactions) yield { segment, timestamp, lastSequence };
      from = timestamp + 1;
    }
    if (page.continuation === undefined) return;
    // A token may point past a row that was rewritten: pages go on by the key.
    continuation = page.records.length === 0 ? page.continuation : undefined;
  }
}
