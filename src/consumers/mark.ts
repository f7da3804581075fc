// A mark of what is parked: that a segment waits from one of its entries on, or that one entry was set aside. No
// payload is kept: what was erased or trimmed meanwhile is gone.
//
// The end of a parked segment is the position of its partition: what comes to the segment is passed without a write,
// and waits as well.

import { readStored } from "../core/errors.ts";
import type { Cursor, SegmentName } from "../core/ids.ts";
import { parseSegmentName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseCursor } from "../codec/cursor.ts";
import { hexKey, int64, uint64, uuidPart } from "../codec/lexkey.ts";
import type { KeyRange, Properties } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

export interface Mark {
  /** The index of the space in the consumer's list. */
  readonly space: number;
  readonly segment: SegmentName;
  /** The first entry that waits. */
  readonly first: number;
  /** One entry alone, whatever stands behind it. */
  readonly alone: boolean;
  /** Where the entry that was parked stands in its space. */
  readonly offset: Cursor;
  readonly reason: string;
  readonly failures: number;
  readonly parkedAt: number;
  /** An operator wants everything up to this sequence delivered again; 0: nobody does. */
  readonly replayTo: number;
  /** An operator wants nothing of what stands at or before this place. Empty: nobody does. */
  readonly droppedTo: Cursor;
}

/** Which marks there are: those of another life or generation mean nothing. */
export interface MarksOf {
  readonly life: string;
  readonly generation: number;
  readonly partition: number;
}

/** Rows of entries that are alone have their sequence in the key: there may be several of a segment. */
export function markRowKey(of: MarksOf, { space, segment, first, alone }: Mark): string {
  const parts = [uint64(space), segment, ...(alone ? [uint64(first)] : [])] as const;
  return hexKey("Q", uuidPart(of.life), int64(of.generation), uint64(of.partition), ...parts);
}

export function marksRange(partition: string, of: MarksOf): KeyRange {
  const prefix = hexKey("Q", uuidPart(of.life), int64(of.generation), uint64(of.partition));
  return { partition, from: prefix, to: `${prefix}g` };
}

/** All marks of a life, of the generations before one. */
export function formerMarksRange(partition: string, life: string, generation: number): KeyRange {
  const prefix = hexKey("Q", uuidPart(life), "");
  return { partition, from: prefix, to: hexKey("Q", uuidPart(life), int64(generation)) };
}

export function isSameSegment(one: Pick<Mark, "space" | "segment">, other: Pick<Mark, "space" | "segment">): boolean {
  return one.space === other.space && one.segment === other.segment;
}

const formatVersion = 1n;

export function encodeMark(mark: Mark): Properties {
  return {
    [formatProperty]: formatVersion,
    space: BigInt(mark.space),
    segment: mark.segment,
    first: BigInt(mark.first),
    alone: mark.alone,
    offset: mark.offset,
    reason: mark.reason,
    failures: BigInt(mark.failures),
    parked: BigInt(mark.parkedAt),
    replayTo: BigInt(mark.replayTo),
    droppedTo: mark.droppedTo,
  };
}

export const decodeMark = decoder((row): Mark => {
  checkRowFormat(row, formatVersion, "a mark of parked entries");
  const cursorIn = (name: string, isOptional: boolean): Cursor => {
    const text = textIn(row, name);
    if (text !== "" || !isOptional) readStored("the place of a parked entry", () => parseCursor(text));
    return text as Cursor;
  };
  return {
    space: numberIn(row, "space", 0, limits.consumerSpacesMax - 1),
    segment: readStored("a parked segment", () => parseSegmentName(textIn(row, "segment"))),
    first: numberIn(row, "first", 1),
    alone: row.properties["alone"] === true,
    offset: cursorIn("offset", false),
    reason: textIn(row, "reason"),
    failures: numberIn(row, "failures"),
    parkedAt: numberIn(row, "parked"),
    replayTo: numberIn(row, "replayTo"),
    droppedTo: cursorIn("droppedTo", true),
  };
});
