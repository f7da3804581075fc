// The bytes of one entry, as the reference has them:
//
//   sequence u64 | timestamp i64 | trx: id 16, node 16, number u64 | payload
//   | metadata: count u32, then key, value, ... | space | segment
//
// Little-endian; payload, keys, values and names each behind their length, a u32.
//
// Promise: what is decoded is an entry as `core/entry` describes it, exact, or `corrupt_data`. Bytes after the entry
// are ignored, as the reference does: room for what a later version adds.

import type { Entry, Metadata, Transaction } from "../core/entry.ts";
import { contentBytes, noMetadata } from "../core/entry.ts";
import { readStored } from "../core/errors.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../core/ids.ts";
import { ByteReader, ByteWriter, lengthBytes, uuidBytes } from "./bytes.ts";
import { compareUtf8 } from "./lexkey.ts";

/** The identity of a transaction: both ids and the number. */
export const transactionBytes = 2 * uuidBytes + 8;
/** Sequence and timestamp, transaction, and the lengths of payload, metadata and both names. */
const fixedBytes = 16 + transactionBytes + 4 * lengthBytes;
/** The least an entry can have. */
export const entryBytesMin = fixedBytes;

export interface Names {
  readonly space: SpaceName;
  readonly segment: SegmentName;
}

/** Payload and metadata of a decoded entry are views of `bytes`, not copies: keeping the entry keeps them. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes, "entry");
  const [sequence, timestamp] = [reader.integer(1), reader.integer(0)];
  const trx = readTransaction(reader);
  const payload = reader.prefixed();
  const metadata = readMetadata(reader);
  const names = readNames(reader);
  return { sequence, timestamp, trx, payload, metadata, ...names };
}

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter(entryBytes(entry));
  writer.int64(entry.sequence);
  writer.int64(entry.timestamp);
  writeTransaction(writer, entry.trx);
  writeContent(writer, entry);
  writeNames(writer, entry);
  return writer.finish();
}

/** The exact size of the encoded entry. */
export function entryBytes(entry: Entry): number {
  return fixedBytes + contentBytes(entry) + Buffer.byteLength(entry.space) + Buffer.byteLength(entry.segment);
}

export function writeTransaction(writer: ByteWriter, trx: Transaction): void {
  writer.uuid(trx.id);
  writer.uuid(trx.node);
  writer.int64(trx.number);
}

export function readTransaction(reader: ByteReader): Transaction {
  // A UUID of 16 bytes is well-formed whatever the bytes are; parsing only makes the types say so.
  const id = parseTransactionId(reader.uuid());
  const node = parseNodeId(reader.uuid());
  return { id, node, number: reader.integer(1) };
}

/** Payload and metadata, keys sorted: the same content has the same bytes. */
export function writeContent(writer: ByteWriter, content: { payload: Uint8Array; metadata: Metadata }): void {
  writer.prefixed(content.payload);
  writer.uint32(content.metadata.size);
  for (const [key, value] of sortedMetadata(content.metadata)) {
    writer.text(key);
    writer.text(value);
  }
}

/** In the order of the keys' UTF-8. */
export function sortedMetadata(metadata: Metadata): Iterable<readonly [string, string]> {
  return metadata.size < 2 ? metadata : [...metadata].sort(([a], [b]) => compareUtf8(a, b));
}

/** In any order: the reference writes them as they come. */
export function readMetadata(reader: ByteReader): Metadata {
  const count = reader.count(2 * lengthBytes);
  if (count === 0) return noMetadata;
  const metadata = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const key = reader.text();
    if (metadata.has(key)) throw reader.corrupt("a repeated metadata key");
    metadata.set(key, reader.text());
  }
  return metadata;
}

export function writeNames(writer: ByteWriter, names: Names): void {
  writer.text(names.space);
  writer.text(names.segment);
}

export function readNames(reader: ByteReader): Names {
  const [space, segment] = [reader.text(), reader.text()];
  const parse = (): Names => ({ space: parseSpaceName(space), segment: parseSegmentName(segment) });
  return readStored("a name that no segment can have", parse);
}
