// Where a reader of several spaces is, as the id of an event: short enough for the header in which it comes back, whatever the names.
//
// An id has 24 bytes for each space, in the order of their names: of the last entry that was read, its timestamp, its sequence and a
// digest of its segment's name; zeros before the first. What the digest is of is found at that timestamp. In base64url, a hundred
// spaces are 3,200 characters; servers take about 8,000 in all headers together.

import { hash } from "node:crypto";

import { parseCursor } from "../codec/cursor.ts";
import type { Entry } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import type { Cursor } from "../core/ids.ts";

/** Of one space; undefined before its first entry. */
export interface EntryPlace {
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
export function parsePlacesId(id: string, spaces: number): readonly (EntryPlace | undefined)[] {
  const bytes = Buffer.from(id, "base64url");
  if (bytes.toString("base64url") !== id || bytes.byteLength !== spaces * placeBytes) throw notAnId(id);
  return Array.from({ length: spaces }, (_, index) => {
    const at = index * placeBytes;
    const timestamp = Number(bytes.readBigUInt64BE(at));
    const sequence = Number(bytes.readBigUInt64BE(at + integerBytes));
    if (timestamp === 0) return undefined;
    if (!Number.isSafeInteger(timestamp)) throw notAnId(id);
    return { timestamp, sequence, segmentDigest: bytes.toString("hex", at + 2 * integerBytes, at + placeBytes) };
  });
}

export function isEntryAt(entry: Entry, { timestamp, sequence, segmentDigest }: EntryPlace): boolean {
  return entry.timestamp === timestamp && entry.sequence === sequence && digestOf(entry.segment) === segmentDigest;
}

export function notAnId(id: string): Error {
  return invalidArgument("Last-Event-ID", "the id of an event of a stream of the same spaces", id);
}

function digestOf(segment: string): string {
  return hash("sha256", segment, "hex").slice(0, 2 * digestBytes);
}
