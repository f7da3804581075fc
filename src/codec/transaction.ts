// The bytes of one transaction with its entries, as the reference has them:
//
//   trx: id 16, node 16, number u64 | space | segment | first, last sequence u64 | timestamp i64 | count u32
//   | entries, each behind its length, u32          (names behind their length, u32)
//
// Promise: what is decoded is one transaction of one segment, whole: every entry has its names and its identity, and the
// sequences run from first to last without a gap; anything else is `corrupt_data`. Bytes after it are ignored.

import type { Entry, Transaction } from "../core/entry.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { asBuffer, ByteReader, ByteWriter, lengthBytes } from "./bytes.ts";
import {
  entryBytes,
  entryBytesMin,
  readMetadata,
  readNames,
  readTransaction,
  transactionBytes,
  writeContent,
  writeNames,
  writeTransaction,
} from "./entry.ts";

/** One transaction of one segment with everything in it. */
export interface EntryBatch {
  readonly trx: Transaction;
  readonly space: SpaceName;
  readonly segment: SegmentName;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timestamp: number;
  readonly entries: readonly Entry[];
}

/** Identity, the lengths of both names, first and last sequence, timestamp, count. */
const fixedBytes = transactionBytes + 2 * lengthBytes + 24 + lengthBytes;

export function encodeBatch(batch: EntryBatch): Uint8Array {
  const writer = new ByteWriter(batchBytes(batch));
  writeBatch(writer, batch);
  return writer.finish();
}

/** The exact size of the encoded batch, without encoding it. */
export function batchBytes(batch: EntryBatch): number {
  let bytes = fixedBytes + Buffer.byteLength(batch.space) + Buffer.byteLength(batch.segment);
  for (const entry of batch.entries) bytes += lengthBytes + entryBytes(entry);
  return bytes;
}

export function writeBatch(writer: ByteWriter, batch: EntryBatch): void {
  const start = writer.at;
  writeTransaction(writer, batch.trx);
  const namesStart = writer.at;
  writeNames(writer, batch);
  const namesEnd = writer.at;
  writer.int64(batch.firstSequence);
  writer.int64(batch.lastSequence);
  writer.int64(batch.timestamp);
  writer.uint32(batch.entries.length);
  for (const entry of batch.entries) {
    const lengthAt = writer.at;
    writer.at += lengthBytes;
    writer.int64(entry.sequence);
    writer.int64(entry.timestamp);
    // An entry repeats identity and names of its transaction byte for byte: copied, not encoded again.
    if (entry.trx === batch.trx) writer.repeat(start, namesStart);
    else writeTransaction(writer, entry.trx);
    writeContent(writer, entry);
    if (entry.space === batch.space && entry.segment === batch.segment) writer.repeat(namesStart, namesEnd);
    else writeNames(writer, entry);
    writer.bytes.writeUInt32LE(writer.at - lengthAt - lengthBytes, lengthAt);
  }
}

/** Payloads of decoded entries are views of `bytes`, not copies: keeping one entry keeps all of them. */
export function decodeBatch(bytes: Uint8Array): EntryBatch {
  const reader = new ByteReader(bytes, "transaction");
  const identity = asBuffer(bytes).subarray(0, transactionBytes);
  const trx = readTransaction(reader);
  const namesStart = reader.at;
  const { space, segment } = readNames(reader);
  const names = reader.bytes.subarray(namesStart, reader.at);
  const [firstSequence, lastSequence, timestamp] = [reader.integer(1), reader.integer(1), reader.integer(0)];
  const count = reader.count(lengthBytes + entryBytesMin);
  if (count === 0 || lastSequence - firstSequence !== count - 1) {
    throw reader.corrupt(`${count} entries for sequences ${firstSequence} to ${lastSequence}`);
  }
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    const inner = new ByteReader(reader.prefixed(), "entry of a transaction");
    const sequence = inner.integer(1);
    if (sequence !== firstSequence + index) throw inner.corrupt("another sequence");
    const entryTimestamp = inner.integer(0);
    inner.same(identity, "transaction");
    const payload = inner.prefixed();
    const metadata = readMetadata(inner);
    inner.same(names, "segment");
    entries.push({ sequence, timestamp: entryTimestamp, trx, payload, metadata, space, segment });
  }
  return { trx, space, segment, firstSequence, lastSequence, timestamp, entries };
}
