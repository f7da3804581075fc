// Which records of a log are not done yet, small enough to ride in the log's head: pure.
//
// A record is pending if its timestamp is above the watermark, or one of the exceptions. While the exceptions fit, the
// watermark is the last record's timestamp, so that one stuck record costs one exception whatever comes after it. When
// they do not fit, the watermark drops to just before the oldest: what is done is then done again, never forgotten.

import { corruptData } from "../../core/errors.ts";

export interface Pending {
  readonly watermark: number;
  /** Ascending. */
  readonly exceptions: readonly number[];
}

/** How many exceptions a head holds: 2 KiB. */
export const exceptionsMax = 256;

export const nothingPending: Pending = { watermark: 0, exceptions: [] };

export function isPending(pending: Pending, timestamp: number): boolean {
  return timestamp > pending.watermark || pending.exceptions.includes(timestamp);
}

/** The greatest timestamp up to which nothing is pending. */
export function doneThrough(pending: Pending): number {
  const oldest = pending.exceptions[0];
  return oldest === undefined ? pending.watermark : Math.min(pending.watermark, oldest - 1);
}

/** Whether anything is pending in a log whose last record has this timestamp. */
export function hasPending(pending: Pending, lastTimestamp: number): boolean {
  return pending.exceptions.length > 0 || pending.watermark < lastTimestamp;
}

/** Whether the list of exceptions tells all, so that single records can be taken out of it. */
export function isListed(pending: Pending, lastTimestamp: number): boolean {
  return pending.watermark >= lastTimestamp;
}

/** After a commit at `timestamp`, whose record is pending when `added` says so; `done` are no longer. */
export function nextPending(
  pending: Pending,
  lastTimestamp: number,
  timestamp: number,
  added: boolean,
  done: ReadonlySet<number>,
): Pending {
  if (!isListed(pending, lastTimestamp))
    return { watermark: pending.watermark, exceptions: withoutDone(pending, done) };
  const exceptions = withoutDone(pending, done);
  if (added) exceptions.push(timestamp);
  const oldest = exceptions[0];
  if (oldest !== undefined && exceptions.length > exceptionsMax) return { watermark: oldest - 1, exceptions: [] };
  return { watermark: timestamp, exceptions };
}

/** Without what is done, when no record is added. `through`: everything up to it is done. */
export function settledPending(pending: Pending, done: ReadonlySet<number>, through = 0): Pending {
  const exceptions = withoutDone(pending, done).filter((timestamp) => timestamp > through);
  return { watermark: Math.max(pending.watermark, through), exceptions };
}

export function encodePending(pending: Pending): Uint8Array {
  const bytes = Buffer.alloc(8 * (1 + pending.exceptions.length));
  bytes.writeBigInt64BE(BigInt(pending.watermark), 0);
  pending.exceptions.forEach((timestamp, index) => bytes.writeBigInt64BE(BigInt(timestamp), 8 * (index + 1)));
  return bytes;
}

export function decodePending(bytes: Uint8Array): Pending {
  if (bytes.byteLength < 8 || bytes.byteLength % 8 !== 0) throw corruptData("a log head's list of pending records");
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at < buffer.byteLength; at += 8) numbers.push(Number(buffer.readBigInt64BE(at)));
  const [watermark = 0, ...exceptions] = numbers;
  return { watermark, exceptions };
}

function withoutDone(pending: Pending, done: ReadonlySet<number>): number[] {
  return pending.exceptions.filter((timestamp) => !done.has(timestamp));
}
