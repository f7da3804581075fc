// How much the records of a log hold, from the rows themselves: for logs that were written before their heads and
// records said it.

import { contentBytes } from "../../../core/entry.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Table } from "../../../table/port.ts";
import type { Counts } from "../rows/format.ts";
import { recordRange, timestampOfRow } from "../rows/keys.ts";
import { decodeLogMarker, isMarker } from "../rows/markers.ts";
import { blocks } from "./pages.ts";

/** How much a space has had up to a timestamp. */
export interface CountedThrough extends Counts {
  readonly timestamp: number;
}

export const nothingCounted: CountedThrough = { timestamp: 0, entries: 0, bytes: 0 };

export interface CountSource {
  readonly table: Table;
  readonly compressor: Compressor;
  readonly partition: string;
  /** Time is up. */
  readonly isOver: () => boolean;
}

export function countOf(batches: readonly EntryBatch[]): Counts {
  let [entries, bytes] = [0, 0];
  for (const batch of batches) {
    entries += batch.entries.length;
    for (const entry of batch.entries) bytes += contentBytes(entry);
  }
  return { entries, bytes };
}

/**
 * Goes on behind `from` up to a timestamp, as far as there is time. Undefined: a marker is in the way that does not say
 * how much went.
 */
export async function countRecords(
  { compressor, isOver, partition, table }: CountSource,
  from: CountedThrough,
  to: number,
): Promise<CountedThrough | undefined> {
  let { bytes, entries, timestamp } = from;
  if (timestamp >= to) return from;
  for await (const { batches, row } of blocks({ table, compressor }, recordRange(partition, timestamp + 1, to), {})) {
    if (isMarker(row)) {
      // It knows of what went, counted or not.
      const { counts } = decodeLogMarker(row);
      if (counts === undefined) return undefined;
      ({ bytes, entries } = counts);
    }
    const held = countOf(batches);
    entries += held.entries;
    bytes += held.bytes;
    timestamp = timestampOfRow(row.row);
    if (isOver()) return { timestamp, bytes, entries };
  }
  return { timestamp: to, bytes, entries };
}
