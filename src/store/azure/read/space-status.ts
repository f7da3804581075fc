// The content of a space in numbers: from the head of its log and its first rows, whatever its size.

import type { SpaceName } from "../../../core/ids.ts";
import type { Table } from "../../../table/port.ts";
import type { SpaceStatus } from "../../store.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { Counts } from "../rows/format.ts";
import { lastRecordTimestamp, recordRange, timestampOfRow } from "../rows/keys.ts";
import { summaryProperties } from "../rows/log-rows.ts";
import { decodeLogMarker, isMarker } from "../rows/markers.ts";
import { decodeMergedRecords, isMerged } from "../rows/merged-rows.ts";
import { rows } from "./pages.ts";

export interface SpaceStatusSource {
  readonly table: Table;
  readonly reader: Pick<LogReader, "partition" | "readHead">;
  readonly signal?: AbortSignal | undefined;
}

/** Two requests. A commit or trim in between may show in one of them and not in the other. */
export async function readSpaceStatus(
  { reader, signal, table }: SpaceStatusSource,
  space: SpaceName,
): Promise<SpaceStatus> {
  const [{ head }, { firstTimestamp, gone }] = await Promise.all([
    reader.readHead(signal),
    readBeginning(table, reader.partition, signal),
  ]);
  return {
    space,
    // A log without a record has had nothing, whoever counts.
    counts: head.count === 0 ? nothing : less(head.counts, gone),
    pending: head.unapplied.listed.length,
    firstTimestamp,
    lastTimestamp: firstTimestamp === 0 ? 0 : head.timestamp,
  };
}

const nothing: Counts = { entries: 0, bytes: 0 };

/** Undefined where either is not known. */
function less(had: Counts | undefined, gone: Counts | undefined): Counts | undefined {
  if (had === undefined || gone === undefined) return undefined;
  return { entries: Math.max(0, had.entries - gone.entries), bytes: Math.max(0, had.bytes - gone.bytes) };
}

interface Beginning {
  /** Timestamp of the first record; 0: there is none. */
  readonly firstTimestamp: number;
  /** How much of the space was trimmed; undefined: its marker does not say it. */
  readonly gone: Counts | undefined;
}

async function readBeginning(table: Table, partition: string, signal: AbortSignal | undefined): Promise<Beginning> {
  let gone: Counts | undefined = nothing;
  const range = recordRange(partition, 1, lastRecordTimestamp);
  for await (const row of rows(table, range, { select: summaryProperties, likely: 2, firstRows: 2, signal })) {
    if (!isMarker(row)) {
      return {
        gone,
        firstTimestamp: isMerged(row) ? decodeMergedRecords(row).firstTimestamp : timestampOfRow(row.row),
      };
    }
    gone = decodeLogMarker(row).counts;
  }
  return { gone, firstTimestamp: 0 };
}
