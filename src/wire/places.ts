// The place of a reader of several spaces, as the id of an event: short enough for the header in which it comes back,
// whatever the names.
//
// An id has 24 bytes for each space, in the order of their names: the timestamp and the sequence of its cursor and a
// digest of the segment's name; zeros before the first. The segment with that digest is found at that timestamp, unless
// the cursor is one between two timestamps. In base64url, a hundred spaces are 3,200 characters; servers take about
// 8,000 in all headers together.

import { hash } from "node:crypto";

import { cursorAfter, encodeCursor, parseCursor } from "../codec/cursor.ts";
import type { Entry } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";

/** The place in one space; undefined before its first entry. */
export interface ShortPlace {
  readonly timestamp: number;
  readonly sequence: number;
  readonly segmentDigest: string;
}

const integerBytes = 8;
const digestBytes = 8;
const placeBytes = 2 * integerBytes + digestBytes;

/** The part of an id that is of one space. */
export function encodePlace(cursor: Cursor): Uint8Array {
  const bytes = Buffer.alloc(placeBytes);
  if (cursor === "") return bytes;
  const { timestamp, sequence, segment } = parseCursor(cursor);
  bytes.writeBigUInt64BE(BigInt(timestamp), 0);
  bytes.writeBigUInt64BE(BigInt(sequence), integerBytes);
  bytes.write(digestOf(segment), 2 * integerBytes, "hex");
  return bytes;
}

export function placesId(places: readonly Uint8Array[]): string {
  return Buffer.concat(places).toString("base64url");
}

/** The places of so many spaces; `invalid_argument` for anything that is none. */
export function parsePlacesId(id: string, spaces: number): readonly (ShortPlace | undefined)[] {
  const bytes = Buffer.from(id, "base64url");
  if (bytes.toString("base64url") !== id || bytes.byteLength !== spaces * placeBytes) throw notAnId(id);
  return Array.from({ length: spaces }, (_, index) => {
    const at = index * placeBytes;
    const timestamp = Number(bytes.readBigUInt64BE(at));
    const sequence = Number(bytes.readBigUInt64BE(at + integerBytes));
    if (timestamp === 0) return undefined;
    if (!Number.isSafeInteger(timestamp) || !Number.isSafeInteger(sequence)) throw notAnId(id);
    return { timestamp, sequence, segmentDigest: bytes.toString("hex", at + 2 * integerBytes, at + placeBytes) };
  });
}

/** The cursor of a place that is between two timestamps: no entry is needed to tell it. */
export function cursorBetween(space: SpaceName, place: ShortPlace): Cursor | undefined {
  const cursor = cursorAfter(space, place.timestamp - 1);
  if (place.sequence !== 0 || cursor === "") return undefined;
  return place.segmentDigest === digestOf(parseCursor(cursor).segment) ? cursor : undefined;
}

/** The cursor of the place, if it is in the segment that the entry is of, at the entry's timestamp. */
export function cursorBeside(entry: Entry, { timestamp, sequence, segmentDigest }: ShortPlace): Cursor | undefined {
  if (entry.timestamp !== timestamp || digestOf(entry.segment) !== segmentDigest) return undefined;
  return encodeCursor({ ...entry, sequence });
}

export function notAnId(id: string): Error {
  return invalidArgument("Last-Event-ID", "the id of an event of a stream of the same spaces", id);
}

function digestOf(segment: string): string {
  return hash("sha256", segment, "hex").slice(0, 2 * digestBytes);
}

/**
 * The id of an event, as a client gives it back in `Last-Event-ID`: a client that reconnects by itself gets no more
 * than it asked for.
 */
export interface ResumedAt {
  /** The place as its reading wrote it. */
  readonly place: string;
  /** Entries of the limit that were not sent yet; undefined: there is no limit. */
  readonly left: number | undefined;
}

/** Never empty: a client forgets an empty id, and would begin again. */
export function eventIdOf({ place, left }: ResumedAt): string {
  if (left !== undefined) return `${place}.${left}`;
  return place === "" ? "." : place;
}

/** Undefined for a client that begins. Whether the place is one, its reading decides. */
export function parseEventId(header: string | undefined): ResumedAt | undefined {
  if (header === undefined || header === "") return undefined;
  const [, place = header, left = ""] = /^([^.]*)\.([0-9]{0,16})$/.exec(header) ?? [];
  return { place, left: left === "" ? undefined : Number(left) };
}
