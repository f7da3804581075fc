// What decides whether two requests say the same, and what the chunks of one request are called.
//
// Promise: functions of the content alone, fixed for good: they are compared with what earlier versions stored.

import { createHash, hash } from "node:crypto";
import type { Metadata } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import type { TransactionId } from "../core/ids.ts";
import { parseTransactionId } from "../core/ids.ts";
import { ByteWriter, lengthBytes, uuidBytes } from "./bytes.ts";
import { sortedMetadata } from "./entry.ts";
import { uuidPart } from "./lexkey.ts";

const digestBytes = 16;
/** Keeps these names apart from any other use of SHA-256 over an id. */
const chunkNamespace = "streamkit chunk of a transaction";
const keyNamespace = "streamkit idempotency key";

interface Content {
  readonly payload: Uint8Array;
  readonly metadata: Metadata;
}

/**
 * Of the records of one transaction: how many, each payload and each pair of metadata behind its length, keys sorted as UTF-8.
 * Sequences are not part of it: an append at the tail and its repeat with sequences say the same.
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
 * The id that an idempotency key stands for, for good: of a UUID the UUID itself; of other text, 1 to 255 printable characters of ASCII, a UUID
 * of version 8 made of it. The nil UUID is refused: it is what a program sends that never made a key, so different records would look like
 * repeats.
 */
export function idempotencyId(key: string): TransactionId {
  const expected = "a UUID other than the nil UUID, or 1 to 255 printable ASCII characters";
  if (!/^[\x20-\x7e]{1,255}$/.test(key) || /^0{8}(-0{4}){3}-0{12}$/.test(key))
    throw invalidArgument("Idempotency-Key", expected, key);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key)) return parseTransactionId(key);
  return uuidOf(createHash("sha256").update(keyNamespace).update(key).digest());
}

/**
 * The id of the chunk at `position` of a request with this id: the id itself for the first, so that a small request is its only
 * chunk; a UUID of version 8 (RFC 9562: SHA-256 of id and position) for the others.
 */
export function derivedTransactionId(id: TransactionId, position: number): TransactionId {
  if (!Number.isSafeInteger(position) || position < 0) throw invalidArgument("position", "0, 1, 2 ...", position);
  if (position === 0) return id;
  const writer = new ByteWriter(uuidBytes + 8);
  writer.raw(uuidPart(id));
  writer.int64(position);
  return uuidOf(createHash("sha256").update(chunkNamespace).update(writer.finish()).digest());
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
