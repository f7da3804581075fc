// The rows that stand where others were removed: pure.
//
// A marker's key is the last place that is gone, so that a reader who comes from before it meets it before anything
// that is still there.

import { readStored } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { parseSegmentName } from "../../../core/ids.ts";
import type { Place } from "../../../codec/cursor.ts";
import { leastName } from "../../../codec/cursor.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { decoder, numberIn, textIn, uuidIn } from "../../../table/row-values.ts";
import type { Counts } from "./format.ts";
import { decodeCounts, encodeCounts, checkFormat, formatLatest } from "./format.ts";
import { timestampOfRow } from "./keys.ts";

/** In place of all records of a log up to its timestamp. */
export interface LogMarker {
  readonly timestamp: number;
  /** The last entry that was removed: who has read it has missed nothing. Undefined: there was none left to remove. */
  readonly last: { readonly segment: SegmentName; readonly sequence: number } | undefined;
  /** Which record of the log the last one was that was removed. */
  readonly position: number;
  /** Its id; undefined where it was not kept. */
  readonly recordId: string | undefined;
  /** How much the space has had up to it; undefined: nobody has counted. */
  readonly counts: Counts | undefined;
}

/** The properties to select, beside a kind's own, so that a marker of a log can be read. */
export const logMarkerProperties: readonly string[] = ["v", "k", "n", "ms", "mq", "id", "ce", "cb"];

/** The property that says which kind a row among blocks or records is; absent of those that the first format has. */
export const kindProperty = "k";
const markerKind = "mark";

/** The place that is gone with a marker, as cursors name places. */
export function goneWith(space: SpaceName, { last, timestamp }: LogMarker): Place {
  return last === undefined
    ? { space, timestamp, segment: leastName, sequence: 0 }
    : { space, timestamp, segment: last.segment, sequence: last.sequence };
}

/** Whether a row that was read with `kindProperty` is a marker. */
export function isMarker(row: Row): boolean {
  return row.properties[kindProperty] === markerKind;
}

export function encodeLogMarker({ last, position, recordId, counts }: Omit<LogMarker, "timestamp">): Properties {
  return {
    v: formatLatest,
    [kindProperty]: markerKind,
    n: BigInt(position),
    ...(last === undefined ? {} : { ms: last.segment, mq: BigInt(last.sequence) }),
    ...(recordId === undefined ? {} : { id: Buffer.from(recordId.replaceAll("-", ""), "hex") }),
    ...encodeCounts(counts),
  };
}

export const decodeLogMarker = decoder((row): LogMarker => {
  checkFormat(row, "a marker of a log", 2);
  return {
    timestamp: timestampOfRow(row.row),
    last: row.properties["ms"] === undefined ? undefined : lastEntryIn(row),
    position: numberIn(row, "n", 1),
    recordId: row.properties["id"] === undefined ? undefined : uuidIn(row, "id"),
    counts: decodeCounts(row),
  };
});

/** In place of all entries of a segment up to the sequence that is its key. */
export function encodeSegmentMarker(): Properties {
  return { v: formatLatest, [kindProperty]: markerKind };
}

function lastEntryIn(row: Row): NonNullable<LogMarker["last"]> {
  const segment = readStored(`row ${row.row}`, () => parseSegmentName(textIn(row, "ms")));
  return { segment, sequence: numberIn(row, "mq", 1) };
}
