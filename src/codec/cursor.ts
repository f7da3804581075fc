// A cursor: a place in the order of a space, behind an entry or where there is none, as lexkey(DAT, SPACES, space,
// timestamp, segment, sequence) in hex. Sequence 0 is the place before the first entry that a segment could have at
// that time.
//
// Promise: cursors of a space sort, as text, in the order of its entries; one text for one place; what is parsed was
// made here.

import { isUtf8 } from "node:buffer";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import { parseSegmentName, parseSpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { asBuffer } from "./bytes.ts";
import { compareUtf8, fromHex, hexKey, int64, lexkey, uint64 } from "./lexkey.ts";

/** The parts of a cursor. */
export interface Place {
  readonly space: SpaceName;
  readonly timestamp: number;
  readonly segment: SegmentName;
  readonly sequence: number;
}

const expected = "a cursor as it was given with an entry";
/** The parts before the name of the space, and the separator. */
const prefix = asBuffer(lexkey("DAT", "SPACES", ""));
/** 00 timestamp 00 before the segment's name; 00 sequence after it. */
const timestampBytes = 10;
const sequenceBytes = 9;
/** A sequence in hex, which ends a cursor. */
const sequenceDigits = 16;
const charactersMax =
  2 * (prefix.length + limits.spaceNameBytesMax + timestampBytes + limits.segmentNameBytesMax + sequenceBytes);
const signBit = 1n << 63n;
/** No name sorts before it: it is the first character that names may have. */
export const leastName: SegmentName = parseSegmentName(" ");

export function encodeCursor(place: Place): Cursor {
  const { space, timestamp, segment, sequence } = place;
  return hexKey("DAT", "SPACES", space, int64(timestamp), segment, uint64(sequence)) as Cursor;
}

/**
 * Writes cursors of entries that follow one another: what those of one transaction share, which is all but the
 * sequence, is written once.
 */
export class CursorWriter {
  #last: Place | undefined;
  #shared = "";

  text(place: Place): Cursor {
    const last = this.#last;
    const isNew = last?.timestamp !== place.timestamp || last.segment !== place.segment || last.space !== place.space;
    if (isNew) this.#shared = encodeCursor(place).slice(0, -sequenceDigits);
    this.#last = place;
    return (this.#shared + place.sequence.toString(16).padStart(sequenceDigits, "0")) as Cursor;
  }
}

/**
 * Behind everything of the space up to this timestamp, whatever its names are, and before everything later; 0: the
 * start.
 */
export function cursorAfter(space: SpaceName, timestamp: number): Cursor {
  if (timestamp === 0) return "" as Cursor;
  return encodeCursor({
    space,
    timestamp: Math.min(timestamp + 1, limits.sequenceMax),
    segment: leastName,
    sequence: 0,
  });
}

/** In the order of one space's entries. */
export function comparePlaces(one: Omit<Place, "space">, other: Omit<Place, "space">): number {
  if (one.timestamp !== other.timestamp) return one.timestamp - other.timestamp;
  return compareUtf8(one.segment, other.segment) || one.sequence - other.sequence;
}

/** Returns the later of two places of a space. */
export function laterCursor(one: Cursor, other: Cursor): Cursor {
  return one < other ? other : one;
}

/**
 * Not for the empty cursor, which names no place: `invalid_argument`, as for anything else. `field`: what it is called
 * where it was given.
 */
export function parseCursor(text: string, field = "offset"): Place {
  if (text.length > charactersMax) throw invalidArgument(field, expected, text);
  try {
    return readPlace(asBuffer(fromHex(text)));
  } catch (error) {
    if (error instanceof StoreError) throw invalidArgument(field, expected, text);
    throw error;
  }
}

function readPlace(key: Buffer): Place {
  const spaceEnd = key.indexOf(0x00, prefix.length);
  const segmentStart = spaceEnd + timestampBytes;
  const segmentEnd = key.length - sequenceBytes;
  const separated = spaceEnd > 0 && segmentEnd > segmentStart && key[segmentStart - 1] === 0 && key[segmentEnd] === 0;
  if (!separated || !key.subarray(0, prefix.length).equals(prefix) || !isUtf8(key.subarray(segmentStart, segmentEnd))) {
    throw invalidArgument("offset", expected);
  }
  if (!isUtf8(key.subarray(0, spaceEnd))) throw invalidArgument("offset", expected);
  return {
    space: parseSpaceName(key.toString("utf8", prefix.length, spaceEnd)),
    timestamp: exact(key.readBigUInt64BE(spaceEnd + 1) - signBit, 0n),
    segment: parseSegmentName(key.toString("utf8", segmentStart, segmentEnd)),
    sequence: exact(key.readBigUInt64BE(segmentEnd + 1), 0n),
  };
}

function exact(value: bigint, min: bigint): number {
  if (value < min || value > BigInt(limits.sequenceMax)) throw invalidArgument("offset", expected);
  return Number(value);
}
