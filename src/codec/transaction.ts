// The bytes of one transaction with its entries, and the digests and ids that are made of them:
//
//   trx: id 16, node 16, number u64 | space | segment | first, last sequence u64 | timestamp i64 | count u32
//   | entries, each behind its length, u32          (names behind their length, u32)
//
// Promise: what is decoded is one transaction of one segment, whole: every entry has its names and its identity, and
// the sequences run from first to last without a gap; anything else is `corrupt_data`. Bytes after it are ignored.

import { createHash, hash } from "node:crypto";

import type { ProducerStep } from "../core/stream.ts";
import type { Entry, Transaction, Metadata } from "../core/entry.ts";
import type { SegmentName, SpaceName, TransactionId } from "../core/ids.ts";
import { asBuffer, ByteReader, ByteWriter, lengthBytes, uuidBytes } from "./bytes.ts";
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
  sortedMetadata,
} from "./entry.ts";
import { noMetadata } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import { parseTransactionId } from "../core/ids.ts";
import { uuidPart } from "./lexkey.ts";

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

// Decides whether two requests say the same, and names the chunks of one request.
//
// Promise: functions of the content alone, fixed for good, because they are compared with what earlier versions stored.

const digestBytes = 16;
/** Keeps these names apart from any other use of SHA-256 over an id. */
const chunkNamespace = "streamkit chunk of a transaction";
const appendNamespace = "streamkit append of a producer";
const keyNamespace = "streamkit idempotency key";
const deliveryNamespace = "streamkit delivery of an entry";

/** In place of the digest of a transaction that has redacted entries: digests of short payloads can be guessed. */
export const redactedDigest = "0".repeat(2 * digestBytes);

export function hasRedacted({ entries }: EntryBatch): boolean {
  return entries.some(({ redacted }) => redacted === true);
}

/** The entries of a transaction as they are stored: their digest, and the sequences of those that were redacted. */
export interface StoredContent {
  /** Undefined: they cannot be read, or there are none. */
  readonly content: string | undefined;
  readonly redacted: readonly number[];
}

export function contentOf(batch: EntryBatch | undefined): StoredContent {
  if (batch === undefined) return { content: undefined, redacted: [] };
  const redacted = batch.entries.flatMap((entry) => (entry.redacted === true ? [entry.sequence] : []));
  return { content: contentDigest(batch.entries), redacted };
}

/** The same transaction without the payloads and metadata of these entries; undefined: it has none of them any more. */
export function withoutContent(batch: EntryBatch, sequences: ReadonlySet<number>): EntryBatch | undefined {
  const isWanted = ({ redacted, sequence }: Entry): boolean => redacted !== true && sequences.has(sequence);
  if (!batch.entries.some(isWanted)) return undefined;
  const entries = batch.entries.map((entry): Entry =>
    isWanted(entry) ? { ...entry, payload: new Uint8Array(), metadata: noMetadata, redacted: true } : entry,
  );
  return { ...batch, entries };
}

/** The digest of the entries as they are stored. */
export function storedDigest(batch: EntryBatch): string {
  return hasRedacted(batch) ? redactedDigest : contentDigest(batch.entries);
}

interface Content {
  readonly payload: Uint8Array;
  readonly metadata: Metadata;
}

/**
 * Digests the records of one transaction: how many they are, then each payload and each pair of metadata behind its
 * length, keys sorted as UTF-8. Sequences are left out, so that an append at the tail and its repeat with sequences
 * have the same digest.
 */
export function contentDigest(records: readonly Content[]): string {
  let size = lengthBytes;
  for (const { payload, metadata } of records) size += lengthBytes + payload.byteLength + metadataBytes(metadata);
  const writer = new ByteWriter(size);
  writer.uint32(records.length);
  for (const { payload, metadata } of records) {
    writer.uint32(payload.byteLength);
    writer.raw(payload);
    writeMetadata(writer, metadata);
  }
  return hash("sha256", writer.finish(), "hex").slice(0, 2 * digestBytes);
}

/**
 * The id that an idempotency key stands for, for good: of a UUID the UUID itself; of other text, 1 to 255 printable
 * characters of ASCII, a UUID of version 8 made of it. The nil UUID is refused: it is what a program sends that never
 * made a key, so different records would look like repeats.
 */
export function idempotencyId(key: string): TransactionId {
  const expected = "a UUID other than the nil UUID, or 1 to 255 printable ASCII characters";
  if (!/^[\x20-\x7e]{1,255}$/.test(key) || /^0{8}(-0{4}){3}-0{12}$/.test(key))
    throw invalidArgument("Idempotency-Key", expected, key);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key)) return parseTransactionId(key);
  return uuidOf(createHash("sha256").update(keyNamespace).update(key).digest());
}

/**
 * The id of the chunk at `position` of a request with this id: the id itself for the first, so that a small request is
 * its only chunk; a UUID of version 8 (RFC 9562: SHA-256 of id and position) for the others.
 */
export function derivedTransactionId(id: TransactionId, position: number): TransactionId {
  if (!Number.isSafeInteger(position) || position < 0) throw invalidArgument("position", "0, 1, 2 ...", position);
  if (position === 0) return id;
  const writer = new ByteWriter(uuidBytes + 8);
  writer.raw(uuidPart(id));
  writer.int64(position);
  return uuidOf(createHash("sha256").update(chunkNamespace).update(writer.finish()).digest());
}

/** The id of an append that its producer names: its repeat has the same. */
export function appendedTransactionId(life: number, { epoch, id, sequence }: ProducerStep): TransactionId {
  const writer = new ByteWriter(24);
  writer.int64(life);
  writer.int64(epoch);
  writer.int64(sequence);
  return uuidOf(createHash("sha256").update(appendNamespace).update(writer.finish()).update(id).digest());
}

/**
 * The key of an entry that a consumer delivers: the same in each delivery, another after a reset and in another life.
 * A handler that produces with it produces once.
 */
export function deliveryKey(life: string, generation: number, offset: string): TransactionId {
  return uuidOf(createHash("sha256").update(deliveryNamespace).update(`${life} ${generation} ${offset}`).digest());
}

/** A UUID of version 8 (RFC 9562). */
function uuidOf(digest: Buffer): TransactionId {
  const uuid = digest.subarray(0, uuidBytes);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return parseTransactionId(uuid.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
}

function metadataBytes(metadata: Metadata): number {
  let size = lengthBytes;
  for (const [key, value] of metadata) size += 2 * lengthBytes + Buffer.byteLength(key) + Buffer.byteLength(value);
  return size;
}

function writeMetadata(writer: ByteWriter, metadata: Metadata): void {
  writer.uint32(metadata.size);
  if (metadata.size === 0) return;
  for (const [key, value] of sortedMetadata(metadata)) {
    writer.text(key);
    writer.text(value);
  }
}
