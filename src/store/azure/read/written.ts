// Where the segments of a space were written: by the summaries of its log, and by the entries of merged rows, which
// have none.

import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { Row, Table } from "../../../table/port.ts";
import type { WrittenArgs, WrittenPlace } from "../../store.ts";
import { asStoreError } from "../instance/failure.ts";
import { lastRecordTimestamp, recordRange, timestampOfRow } from "../rows/keys.ts";
import { decodeRecordSummary, summaryProperties } from "../rows/log-rows.ts";
import { isMarker } from "../rows/markers.ts";
import { isMerged } from "../rows/merged-rows.ts";
import { rows } from "./pages.ts";

export interface WrittenSource {
  readonly table: Table;
  readonly compressor: Compressor;
  /** The log's partition. */
  readonly partition: string;
}

/** In the order of the space; each commit that is there when it is come to, once. */
export async function* readWritten(
  source: WrittenSource,
  { after, signal }: WrittenArgs,
): AsyncGenerator<WrittenPlace> {
  let through = after;
  reading: for (;;) {
    const range = recordRange(source.partition, through + 1, lastRecordTimestamp);
    for await (const row of rows(source.table, range, { select: summaryProperties, signal })) {
      if (isMarker(row)) continue;
      const written = isMerged(row) ? await writtenInMerged(source, row, signal) : writtenInRecord(row);
      // It was merged once more: what is behind the last place passed is looked for anew.
      if (written === undefined) continue reading;
      for (const place of written) if (place.timestamp > through) yield place;
      through = timestampOfRow(row.row);
    }
    return;
  }
}

function writtenInRecord(row: Row): readonly WrittenPlace[] {
  const { timestamp, transactions } = decodeRecordSummary(row);
  return transactions.map(({ lastSequence, segment }) => ({ segment, timestamp, lastSequence }));
}

/** Undefined: the row is not there any more as it was. */
async function writtenInMerged(
  { compressor, partition, table }: WrittenSource,
  { etag, row }: Row,
  signal: AbortSignal | undefined,
): Promise<readonly WrittenPlace[] | undefined> {
  try {
    const { row: whole } = await table.get(partition, row, { signal });
    if (whole?.etag !== etag) return undefined;
    return await decodeBlock(joinData(whole.properties), compressor);
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  }
}
