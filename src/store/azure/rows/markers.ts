// What stands where rows were removed, and what a row that was rewritten says of what it lost: pure.
//
// A marker's key is the last place that is gone, so a reader that comes from before it meets it before anything that is still there.

import { corruptData, readStored } from "../../../core/errors.ts";
import type { SegmentName } from "../../../core/ids.ts";
import { parseSegmentName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { compareUtf8 } from "../../../codec/lexkey.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { checkRowFormat, numberIn, textIn } from "../../../table/row-values.ts";
import { formatLatest } from "./format.ts";
import { timestampOfRow } from "./keys.ts";

/** A place in the order of a space: an entry's, or, without a segment, the end of all entries of one timestamp. */
export interface LogPlace {
  readonly timestamp: number;
  readonly segment: SegmentName | undefined;
  readonly sequence: number;
}

/** Entries and bytes (`contentBytes`) that a space has had up to a place. */
export interface Counts {
  readonly entries: number;
  readonly bytes: number;
}

/** In place of everything up to its place. */
export interface LogMarker {
  readonly place: LogPlace;
  /** Which record of the log the last was of which something is gone. */
  readonly position: number;
  /** Up to the place; undefined: nobody has counted. */
  readonly counts: Counts | undefined;
}

/** What to select, beside the data, so that markers and rewritten rows are known. */
export const markerProperties: readonly string[] = ["v", "k", "g"];

const markerKind = "mark";

export function endOf(timestamp: number): LogPlace {
  return { timestamp, segment: undefined, sequence: 0 };
}

export function comparePlaces(a: LogPlace, b: LogPlace): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.segment === undefined || b.segment === undefined)
    return Number(a.segment === undefined) - Number(b.segment === undefined);
  return compareUtf8(a.segment, b.segment) || a.sequence - b.sequence;
}

export function isMarker(row: Row): boolean {
  return row.properties["k"] === markerKind;
}

export function encodeLogMarker({ place, position, counts }: LogMarker): Properties {
  return {
    v: formatLatest,
    k: markerKind,
    n: BigInt(position),
    ...(place.segment === undefined ? {} : { ms: place.segment, mq: BigInt(place.sequence) }),
    ...encodeCounts(counts),
  };
}

export function decodeLogMarker(row: Row): LogMarker {
  checkRowFormat(row, formatLatest, "a marker of a log");
  const timestamp = timestampOfRow(row.row);
  if (row.properties["ms"] === undefined) {
    return { place: endOf(timestamp), position: numberIn(row, "n", 1), counts: decodeCounts(row) };
  }
  const segment = readStored(`row ${row.row}`, () => parseSegmentName(textIn(row, "ms")));
  const place = { timestamp, segment, sequence: numberIn(row, "mq", 1) };
  return { place, position: numberIn(row, "n", 1), counts: decodeCounts(row) };
}

export function encodeSegmentMarker(): Properties {
  return { v: formatLatest, k: markerKind };
}

export function encodeCounts(counts: Counts | undefined): Properties {
  return counts === undefined ? {} : { ce: BigInt(counts.entries), cb: BigInt(counts.bytes) };
}

/** Both or none: one alone is damage. */
export function decodeCounts(row: Row): Counts | undefined {
  if (row.properties["ce"] === undefined && row.properties["cb"] === undefined) return undefined;
  return { entries: numberIn(row, "ce", 0, limits.headNumberMax), bytes: numberIn(row, "cb", 0, limits.headNumberMax) };
}

/** What a log row that was rewritten lost: everything up to a place; as `encodeGone` has it. */
export function goneOf(row: Row): LogPlace | undefined {
  if (row.properties["g"] === undefined) return undefined;
  const text = textIn(row, "g");
  const match = /^(\d{1,16}):(\d{1,16}):(.*)$/su.exec(text);
  if (match === null) throw corruptData(`property g of row ${row.row}`);
  const [timestamp, sequence] = [Number(match[1]), Number(match[2])];
  if (!Number.isSafeInteger(timestamp) || !Number.isSafeInteger(sequence))
    throw corruptData(`property g of row ${row.row}`);
  if (match[3] === "") return endOf(timestamp);
  return { timestamp, sequence, segment: readStored(`row ${row.row}`, () => parseSegmentName(match[3] ?? "")) };
}

export function encodeGone(place: LogPlace | undefined): Properties {
  if (place === undefined) return {};
  return { g: `${place.timestamp}:${place.sequence}:${place.segment ?? ""}` };
}
