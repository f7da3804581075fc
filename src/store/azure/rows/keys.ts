// Where everything is: partition and row keys of a store's table and of the table of open logs.
//
// Keys are lexkeys in hex: legal whatever the names contain, and ordered as their values are. Heads sort before the
// rows they head, so that no continuation token ever points at one, and differ from partition to partition, because the
// emulator looks rows up by row key first.

import { hash } from "node:crypto";

import type { SegmentName, SpaceName, StoreId, TransactionId } from "../../../core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../../core/ids.ts";
import { corruptData, readStored } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import { fromHex, hexKey, int64, uint64, uuidPart } from "../../../codec/lexkey.ts";
import type { KeyRange } from "../../../table/port.ts";

/** The table of one store. Prefixes cannot run into each other: what follows is always 32 hex digits. */
export function storeTableName(prefix: string, store: StoreId): string {
  return prefix + store.replaceAll("-", "");
}

/** The one table of a deployment that lists open logs. Not as long as a store's table, so never one of those. */
export function registryTableName(prefix: string): string {
  return `${prefix}registry`;
}

export const logPartition = (space: SpaceName): string => hexKey("DAT", "SPACES", space);
export const logHeadRow = (space: SpaceName): string => headRow(logPartition(space));
export const recordRow = (timestamp: number): string => hexKey(int64(timestamp));

/** Beside the head, before the records: that an operator has reset the fence of a lease. */
export const fenceResetRow = (at: number): string => hexKey(uint64(0), "RST", int64(at));

/** Beside the head, before the records: how far the log has been compacted. */
export const compactedRow = hexKey(uint64(0), "CMP");

/** All resets of a log. */
export function fenceResetRange(partition: string): KeyRange {
  const prefix = hexKey(uint64(0), "RST", "");
  return { partition, from: prefix, to: `${prefix}g` };
}

export const segmentPartition = (space: SpaceName, segment: SegmentName): string =>
  hexKey("DAT", "SEGMENTS", space, segment);
export const segmentHeadRow = (partition: string): string => headRow(partition);
export const blockRow = (lastSequence: number): string => hexKey(uint64(lastSequence));
/** Beside the head, before the blocks: what a transaction id was used for. */
export const transactionRow = (id: TransactionId): string => hexKey(uint64(0), "TRX", uuidPart(id));
/** Beside them: how far a producer has come in the stream that the segment is. */
export const producerRow = (id: string): string =>
  hexKey(uint64(0), "PRD", hash("sha256", id, "buffer").subarray(0, 16));
/** Among them, and never written. */
export const neverThereRow = hexKey(uint64(0), "NONE");
const transactionRowPrefix = hexKey(uint64(0), "TRX", "");
const producerRowPrefix = hexKey(uint64(0), "PRD", "");

export const spacesPartition = hexKey("INV", "SPACES");
export const segmentsPartition = (space: SpaceName): string => hexKey("INV", "SEGMENTS", space);
export const nameRow = (name: string): string => hexKey(name);

export const openLogsPartition = hexKey("TXN", "SPACES");
/** The one row that health checks write, in the table of open logs. */
export const probePartition = hexKey("PROBE");
export const probeRow = hexKey("PROBE", "0");
export const openLogRow = (store: StoreId, space: SpaceName): string => hexKey(uuidPart(store), space);

/** Records with timestamps within both bounds, inclusive. */
export function recordRange(partition: string, from: number, to: number): KeyRange {
  return { partition, from: recordRow(Math.max(from, 1)), to: recordRow(to) };
}

/** Blocks whose last sequence is within both bounds, inclusive. */
export function blockRange(partition: string, from: number, to: number): KeyRange {
  return { partition, from: blockRow(Math.max(from, 1)), to: blockRow(to) };
}

/** Names after the given one. No name's key is empty, and all hex sorts below `g`. */
export function nameRange(partition: string, after: string): KeyRange {
  return { partition, from: after === "" ? "0" : keyAfter(nameRow(after)), to: "g" };
}

/** The least key that sorts after this one, of those that are written. */
export function keyAfter(row: string): string {
  return `${row}0`;
}

export function timestampOfRow(row: string): number {
  const timestamp = /^[0-9a-f]{16}$/.test(row) ? BigInt(`0x${row}`) - (1n << 63n) : 0n;
  if (timestamp < 1n || timestamp > BigInt(lastRecordTimestamp)) throw corruptData(`a log record's key ${row}`);
  return Number(timestamp);
}

/** Tells from a key which row of a segment's partition it is; undefined for a row that nobody writes there. */
export function segmentRowOf(
  row: string,
):
  | { readonly kind: "block"; readonly lastSequence: number }
  | { readonly kind: "transaction"; readonly id: TransactionId }
  | { readonly kind: "producer" }
  | undefined {
  if (/^[0-9a-f]{16}$/.test(row)) {
    const lastSequence = Buffer.from(row, "hex").readBigUInt64BE();
    if (lastSequence > 0n && lastSequence <= BigInt(limits.sequenceMax)) {
      return { kind: "block", lastSequence: Number(lastSequence) };
    }
  }
  if (row.startsWith(producerRowPrefix) && row.length === producerRowPrefix.length + 32) return { kind: "producer" };
  const uuid = row.startsWith(transactionRowPrefix) ? row.slice(transactionRowPrefix.length) : "";
  return /^[0-9a-f]{32}$/.test(uuid) ? { kind: "transaction", id: parseTransactionId(dashed(uuid)) } : undefined;
}

/**
 * Tells the content of a partition of a store's table; undefined for one that is not this backend's. `corrupt_data`: no
 * names are in it.
 */
export function contentOfPartition(
  partition: string,
):
  | { readonly kind: "log"; readonly space: SpaceName }
  | { readonly kind: "segment"; readonly space: SpaceName; readonly segment: SegmentName }
  | { readonly kind: "spaces" }
  | { readonly kind: "segments"; readonly space: SpaceName }
  | undefined {
  if (!/^([0-9a-f]{2})+$/.test(partition)) return undefined;
  // No name has a NUL.
  const [table, what, space, segment, ...rest] = Buffer.from(partition, "hex").toString("utf8").split("\0");
  if (rest.length > 0) return undefined;
  if (table === "INV" && what === "SPACES" && space === undefined) return { kind: "spaces" };
  if (space === undefined) return undefined;
  const here = <T>(content: T, key: string): T => {
    if (key !== partition) throw corruptData(`partition ${partition} is of no name`);
    return content;
  };
  return readStored(`partition ${partition}`, () => {
    const name = parseSpaceName(space);
    if (table === "INV" && what === "SEGMENTS" && segment === undefined) {
      return here({ kind: "segments", space: name }, segmentsPartition(name));
    }
    if (table !== "DAT") return undefined;
    if (what === "SPACES" && segment === undefined) return here({ kind: "log", space: name }, logPartition(name));
    if (what !== "SEGMENTS" || segment === undefined) return undefined;
    const within = parseSegmentName(segment);
    return here({ kind: "segment", space: name, segment: within }, segmentPartition(name, within));
  });
}

/** `corrupt_data` for a row whose key is no name. */
export function spaceOfRow(row: string): SpaceName {
  return nameOfRow(row, parseSpaceName);
}

export function segmentOfRow(row: string): SegmentName {
  return nameOfRow(row, parseSegmentName);
}

export function openLogOfRow(row: string): { readonly store: StoreId; readonly space: SpaceName } {
  const what = `row ${row} of the open logs`;
  return readStored(what, () => {
    const store = parseStoreId(dashed(row.slice(0, 32)));
    const space = parseSpaceName(Buffer.from(fromHex(row.slice(34))).toString("utf8"));
    if (openLogRow(store, space) !== row) throw corruptData(what);
    return { store, space };
  });
}

/** The open logs of one store. */
export function openLogRange(store: StoreId): KeyRange {
  const uuid = hexKey(uuidPart(store));
  return { partition: openLogsPartition, from: `${uuid}00`, to: `${uuid}00g` };
}

export const lastRecordTimestamp = limits.sequenceMax;

/** The digits of a UUID with its dashes. */
export function dashed(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function nameOfRow<Name extends string>(row: string, parse: (text: string) => Name): Name {
  const name = readStored(`the name in row ${row}`, () => parse(Buffer.from(fromHex(row)).toString("utf8")));
  // Bytes that are no UTF-8 would be read as another name.
  if (nameRow(name) !== row) throw corruptData(`the name in row ${row}`);
  return name;
}

function headRow(partition: string): string {
  return hexKey(uint64(0), hash("sha256", partition, "buffer").subarray(0, 8));
}
