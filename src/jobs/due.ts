// A row of the schedule: what is to be done to which store, space or segment, and from when on. Pure.
//
// The key begins with the time, so that what is due is a range of keys, and nothing else is read. What follows tells
// rows of one moment apart; it is the same for the same thing, so that who writes it twice has written it once.

import { hash } from "node:crypto";

import { corruptData, readStored } from "../core/errors.ts";
import type { SegmentName, SpaceName, StoreId } from "../core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { fromHex, hexKey, int64, uuidPart } from "../codec/lexkey.ts";
import type { KeyRange, Properties, Row } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

export interface Due {
  /** By the storage's time, milliseconds since 1970. */
  readonly at: number;
  /** Names the work to do. */
  readonly what: string;
  readonly store: StoreId;
  readonly space?: SpaceName | undefined;
  readonly segment?: SegmentName | undefined;
  /** Which life of it is meant: what is made again later is not touched. Work says what it puts here. */
  readonly life: string;
}

/** A row as it is stored. */
export interface DueRow extends Due {
  readonly row: string;
  readonly etag: string;
  /** Turns in a row that failed. */
  readonly failures: number;
}

export const schedulePartition = hexKey("DUE");
const format = 1n;

/** All that is due at a time, the oldest first. */
export function dueRange(now: number): KeyRange {
  return { partition: schedulePartition, from: "0", to: `${hexKey(int64(now))}g` };
}

export function dueKey({ at, what, store, space, segment, life }: Due): string {
  const rest = hash("sha256", hexKey(what, life, space ?? "", segment ?? ""), "buffer").subarray(0, 16);
  return hexKey(int64(Math.min(at, limits.sequenceMax)), uuidPart(store), rest);
}

export function encodeDue({ at, what, store, space, segment, life }: Due, failures = 0): Properties {
  return {
    [formatProperty]: format,
    at: BigInt(at),
    what,
    store,
    life,
    ...(space === undefined ? {} : { space }),
    ...(segment === undefined ? {} : { segment }),
    ...(failures === 0 ? {} : { failures: BigInt(failures) }),
  };
}

export const decodeDue = decoder((row: Row): DueRow => {
  const name = `row ${row.row} of the schedule`;
  checkRowFormat(row, format, name);
  const has = (property: string): boolean => row.properties[property] !== undefined;
  const due: Due = {
    at: numberIn(row, "at"),
    what: textIn(row, "what"),
    store: readStored(name, () => parseStoreId(textIn(row, "store"))),
    space: has("space") ? readStored(name, () => parseSpaceName(textIn(row, "space"))) : undefined,
    segment: has("segment") ? readStored(name, () => parseSegmentName(textIn(row, "segment"))) : undefined,
    life: textIn(row, "life"),
  };
  if (dueKey(due) !== row.row) throw corruptData(`${name} is not at its place`);
  const failures = has("failures") ? numberIn(row, "failures", 1) : 0;
  return { ...due, row: row.row, etag: row.etag, failures };
});

/** When a row is due, by its key alone: of one that cannot be read, too. Undefined: nobody writes such a key. */
export function timeOfKey(row: string): number | undefined {
  if (!/^[0-9a-f]{16}00/.test(row)) return undefined;
  return Number(Buffer.from(fromHex(row.slice(0, 16))).readBigUInt64BE() - (1n << 63n));
}
