// Which records of a log are not done yet, small enough to ride in the log's head: pure.
//
// Each such record is listed. When they are more than the list may hold, the list becomes a range, from before the
// oldest to the newest of them, of which nothing more is told: what is done there is then done again, never forgotten.
// Later records are listed again, so that what happened in the range stays in the range.

import { corruptData } from "../../../core/errors.ts";
import { asBuffer } from "../../../codec/bytes.ts";

export interface Pending {
  /** All records after `from`, up to `to`, count as pending; none when they are the same. */
  readonly from: number;
  readonly to: number;
  /** Ascending, after `to`. */
  readonly listed: readonly number[];
}

/** The finished records, as far as one write of the head may write them off. */
export interface Done {
  readonly records: ReadonlySet<number>;
  /** All records up to this one are done. */
  readonly through: number;
}

/** How many records a head lists: 2 KiB. */
export const listedMax = 256;

export const nothingPending: Pending = { from: 0, to: 0, listed: [] };

export function isPending({ from, to, listed }: Pending, timestamp: number): boolean {
  return (timestamp > from && timestamp <= to) || listed.includes(timestamp);
}

export function hasPending(pending: Pending): boolean {
  return pending.to > pending.from || pending.listed.length > 0;
}

/** Up to when nothing is pending, in a log whose last record has this timestamp. */
export function doneThrough({ from, to, listed }: Pending, lastTimestamp: number): number {
  if (to > from) return from;
  const oldest = listed[0];
  return oldest === undefined ? lastTimestamp : oldest - 1;
}

/** After a commit at `timestamp`, of a record that is pending. */
export function addPending(pending: Pending, timestamp: number, max = listedMax): Pending {
  const { from, to } = pending;
  const listed = [...pending.listed, timestamp];
  const oldest = listed[0] ?? timestamp;
  if (listed.length <= max) return { from, to, listed };
  return { from: to > from ? from : oldest - 1, to: timestamp, listed: [] };
}

export function withoutDone({ from, to, listed }: Pending, { records, through }: Done): Pending {
  return {
    from: Math.max(from, Math.min(through, to)),
    to,
    listed: listed.filter((timestamp) => timestamp > through && !records.has(timestamp)),
  };
}

export function encodePending({ from, to, listed }: Pending): Uint8Array {
  const numbers = [from, to, ...listed];
  const bytes = Buffer.alloc(8 * numbers.length);
  numbers.forEach((number, index) => bytes.writeBigInt64BE(BigInt(number), 8 * index));
  return bytes;
}

/** Decodes the list of a log whose last record has this timestamp. */
export function decodePending(bytes: Uint8Array, lastTimestamp: number): Pending {
  const buffer = asBuffer(bytes);
  const numbers: number[] = [];
  for (let at = 0; at + 8 <= buffer.byteLength; at += 8) numbers.push(Number(buffer.readBigInt64BE(at)));
  const [from = -1, to = -1, ...listed] = numbers;
  const isAscending = listed.every((timestamp, index) => timestamp > (listed[index - 1] ?? to));
  const isWhole = buffer.byteLength === 8 * numbers.length && from >= 0 && to >= from && isAscending;
  if (!isWhole || (listed.at(-1) ?? to) > lastTimestamp) throw corruptData("a log head's list of pending records");
  return { from, to, listed };
}
