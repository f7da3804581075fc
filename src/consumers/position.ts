// How far a partition has come in each of its consumer's spaces.
//
// The spaces are read as one, by time; but each has a clock of its own, so an entry may still come to one of them
// before what was already read of another. So a position is a cursor of each space, and what one entry stands for is
// told by the delivery that it came with.

import { comparePlaces, cursorAfter, encodeCursor, laterCursor, parseCursor } from "../codec/cursor.ts";
import { ColumnReader, ColumnWriter } from "../codec/varints.ts";
import { compareUtf8 } from "../codec/lexkey.ts";
import { invalidArgument } from "../core/errors.ts";
import { parseSegmentName } from "../core/ids.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";

/** A cursor of each space, in the order that the consumer names its spaces; the empty one is the start. */
export type Position = readonly Cursor[];

export function startOf(spaces: readonly SpaceName[]): Position {
  return spaces.map(() => "" as Cursor);
}

/** Whether nothing of `one` is beyond `other`. */
export function isWithin(one: Position, other: Position): boolean {
  return one.every((cursor, index) => cursor <= (other[index] ?? ""));
}

/** In each space the one that is further on. */
export function laterPosition(one: Position, other: Position): Position {
  return one.map((cursor, index) => laterCursor(cursor, other[index] ?? ("" as Cursor)));
}

/** A delivery's bounds: from behind the first place to the second. */
export interface Span {
  readonly from: Position;
  readonly to: Position;
}

/**
 * The position behind the entry at `offset` of what was delivered: of its own space that place; of each other the place
 * before which everything stands earlier in the order of all of them, as far as it was delivered. What came to it since
 * is not passed.
 */
export function positionThrough(spaces: readonly SpaceName[], span: Span, offset: Cursor): Position {
  return positionAt(spaces, span, offset, offset);
}

/** The position before that entry. */
export function positionBefore(spaces: readonly SpaceName[], span: Span, offset: Cursor): Position {
  const place = parseCursor(offset);
  return positionAt(spaces, span, offset, encodeCursor({ ...place, sequence: Math.max(0, place.sequence - 1) }));
}

/** Which of the spaces the offset is of; `invalid_argument` when it is of none. */
export function spaceIndexOf(spaces: readonly SpaceName[], offset: Cursor): number {
  const index = spaces.indexOf(parseCursor(offset).space);
  if (index < 0) throw invalidArgument("offset", "the offset of an entry that was delivered", offset);
  return index;
}

function positionAt(spaces: readonly SpaceName[], { from, to }: Span, offset: Cursor, own: Cursor): Position {
  const { space: of, timestamp } = parseCursor(offset);
  return spaces.map((space, index) => {
    const [least, most] = [from[index] ?? ("" as Cursor), to[index] ?? ("" as Cursor)];
    const isEarlier = compareUtf8(space, of) < 0;
    const place = space === of ? own : cursorAfter(space, isEarlier ? timestamp : timestamp - 1);
    const within = place < most ? place : most;
    return laterCursor(least, within);
  });
}

/** Leaves out what the space tells already, so that 16 of the longest cursors fit a property. */
export function encodePosition(position: Position): Uint8Array {
  const writer = new ColumnWriter();
  for (const cursor of position) {
    if (cursor === "") {
      writer.count(0);
      continue;
    }
    const { timestamp, segment, sequence } = parseCursor(cursor);
    writer.count(Buffer.byteLength(segment));
    writer.text(segment);
    writer.count(timestamp);
    writer.count(sequence);
  }
  return writer.finish();
}

export function decodePosition(bytes: Uint8Array, spaces: readonly SpaceName[]): Position {
  const reader = new ColumnReader(bytes, "a position of a consumer");
  const position = spaces.map((space) => {
    const nameBytes = reader.count();
    if (nameBytes === 0) return "" as Cursor;
    const segment = parseSegmentName(reader.textOf(nameBytes));
    const timestamp = reader.count();
    return encodeCursor({ space, timestamp, segment, sequence: reader.count() });
  });
  if (reader.left > 0) throw reader.corrupt("more than its spaces");
  return position;
}

/** In the order of one space, or of several read as one. */
export function compareInOrder(
  one: { readonly timestamp: number; readonly space: SpaceName } & Parameters<typeof comparePlaces>[0],
  other: { readonly timestamp: number; readonly space: SpaceName } & Parameters<typeof comparePlaces>[0],
): number {
  return one.timestamp - other.timestamp || compareUtf8(one.space, other.space) || comparePlaces(one, other);
}
