// Where each row of a store is: the keys of the table layout, behind the store's id, as raw bytes in one keyspace.
//
// Promise: no two rows share a key and no range reaches into a neighbour. Names hold no control characters, so a name
// ends at the byte 00 and what begins with `<key> 00` and ends before `<key> 01` is below that key and nothing else.

import { parseSegmentName, parseSpaceName } from "../../../src/core/ids.ts";
import type { SegmentName, SpaceName, StoreId, TransactionId } from "../../../src/core/ids.ts";
import { int64, lexkey, lexkeyFirst, uint64, uuidPart } from "../../../src/codec/lexkey.ts";
import type { Part } from "../../../src/codec/lexkey.ts";
import type { Range } from "./keyspace.ts";

export interface StoreKeys {
  /** Sorts before every block of its segment. */
  head(space: SpaceName, segment: SegmentName): Uint8Array;
  block(space: SpaceName, segment: SegmentName, lastSequence: number): Uint8Array;
  /** The blocks that hold `fromSequence` and what follows. */
  blocks(space: SpaceName, segment: SegmentName, fromSequence: number): Range;
  record(space: SpaceName, timestamp: number): Uint8Array;
  /** The log records of a space from a timestamp on. */
  records(space: SpaceName, fromTimestamp: number): Range;
  /** Which transaction of a segment has this id. */
  transaction(space: SpaceName, segment: SegmentName, id: TransactionId): Uint8Array;
  /** How far a producer of a stream has come. */
  producer(space: SpaceName, segment: SegmentName, id: string): Uint8Array;
  /** The greatest token of each lease that has committed to a space. */
  fences(space: SpaceName): Uint8Array;
  /** Up to where a space was trimmed. */
  trim(space: SpaceName): Uint8Array;
  /** That the store, or a space, was deleted. */
  deletion(space: SpaceName | undefined): Uint8Array;
  label(): Uint8Array;
  /** Everything that a segment has but its name. */
  allOf(space: SpaceName, segment: SegmentName): readonly Range[];
  space(space: SpaceName): Uint8Array;
  segment(space: SpaceName, segment: SegmentName): Uint8Array;
  /** Names after one, or all. */
  spaces(after: string | undefined): Range;
  segments(space: SpaceName, after: string | undefined): Range;
}

export function storeKeys(store: StoreId): StoreKeys {
  const id = uuidPart(store);
  return {
    head: (space, segment) => lexkeyFirst(id, "DAT", "SEGMENTS", space, segment),
    block: (space, segment, lastSequence) => lexkey(id, "DAT", "SEGMENTS", space, segment, uint64(lastSequence)),
    blocks: (space, segment, fromSequence) => ({
      from: lexkey(id, "DAT", "SEGMENTS", space, segment, uint64(fromSequence)),
      to: below(id, "DAT", "SEGMENTS", space, segment).to,
    }),
    record: (space, timestamp) => lexkey(id, "DAT", "SPACES", space, int64(timestamp)),
    records: (space, fromTimestamp) => ({
      from: lexkey(id, "DAT", "SPACES", space, int64(fromTimestamp)),
      to: below(id, "DAT", "SPACES", space).to,
    }),
    transaction: (space, segment, transaction) => lexkey(id, "TXN", space, segment, uuidPart(transaction)),
    producer: (space, segment, producer) => lexkey(id, "PRD", space, segment, producer),
    fences: (space) => lexkey(id, "LSE", space),
    trim: (space) => lexkey(id, "TRM", space),
    deletion: (space) => (space === undefined ? lexkey(id, "END") : lexkey(id, "END", space)),
    label: () => lexkey(id, "LBL"),
    allOf: (space, segment) => [
      below(id, "DAT", "SEGMENTS", space, segment),
      below(id, "TXN", space, segment),
      below(id, "PRD", space, segment),
    ],
    space: (space) => lexkey(id, "INV", "SPACES", space),
    segment: (space, segment) => lexkey(id, "INV", "SEGMENTS", space, segment),
    spaces: (after) => names(after, id, "INV", "SPACES"),
    segments: (space, after) => names(after, id, "INV", "SEGMENTS", space),
  };
}

export function spaceOfKey(key: Uint8Array): SpaceName {
  return parseSpaceName(lastName(key));
}

export function segmentOfKey(key: Uint8Array): SegmentName {
  return parseSegmentName(lastName(key));
}

/** The timestamp at the end of a log record's key: an int64 whose sign bit is flipped so that it sorts. */
export function timestampOfKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return Number(BigInt.asIntN(64, view.getBigUint64(key.byteLength - 8) ^ (1n << 63n)));
}

function below(...parts: Part[]): Range {
  const from = lexkeyFirst(...parts);
  const to = Uint8Array.from(from);
  to[to.length - 1] = 1;
  return { from, to };
}

function names(after: string | undefined, ...parts: Part[]): Range {
  const range = below(...parts);
  return after === undefined ? range : { from: lexkeyFirst(...parts, after), to: range.to };
}

function lastName(key: Uint8Array): string {
  // A byte order mark is a character of the name like any other.
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(key.subarray(key.lastIndexOf(0) + 1));
}
