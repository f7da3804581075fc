// The data of a log record or a block: transactions, each behind its length (u32, little-endian), compressed as one
// piece and cut over binary properties.
//
// Rows that were merged hold columns instead (`columns.ts`), which the same reader tells apart.
//
// Promise: nothing is written that could not be read again, and what is read is bounded by what may be written.

import { corruptData, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { ByteReader, ByteWriter, lengthBytes } from "./bytes.ts";
import { decodeColumns, encodeColumns, isColumns } from "./columns.ts";
import type { EntryBatch } from "./transaction.ts";
import { batchBytes, decodeBatch, hasRedacted, writeBatch } from "./transaction.ts";

export interface Compressor {
  compress(plain: Uint8Array): Promise<Uint8Array>;
  /** `corrupt_data` when the bytes are not its own, or would become more than `bytesMax`. */
  decompress(data: Uint8Array, bytesMax: number): Promise<Uint8Array>;
}

/** Leaves the bytes as they are and never leaves the microtask queue: for simulations. */
export const plainCompressor: Compressor = {
  compress: (plain) => Promise.resolve(plain),
  decompress: (data, bytesMax) =>
    data.byteLength > bytesMax
      ? Promise.reject(corruptData(`${data.byteLength} bytes where at most ${bytesMax} can be`))
      : Promise.resolve(data),
};

/**
 * Callers plan by `blockPlainBytes` and the length of the answer; beyond `plainBytesMax` is a mistake of theirs. Only
 * columns can say of an entry that it was redacted.
 */
export async function encodeBlock(batches: readonly EntryBatch[], compressor: Compressor): Promise<Uint8Array> {
  const size = blockPlainBytes(batches);
  if (size > limits.plainBytesMax) throw tooLarge("before compression", size, limits.plainBytesMax);
  if (batches.some(hasRedacted)) return compressor.compress(encodeColumns(batches));
  const writer = new ByteWriter(size);
  for (const batch of batches) {
    const lengthAt = writer.at;
    writer.at += lengthBytes;
    writeBatch(writer, batch);
    writer.bytes.writeUInt32LE(writer.at - lengthAt - lengthBytes, lengthAt);
  }
  return compressor.compress(writer.finish());
}

/**
 * The same as columns: smaller, and slower to make; for rows that were merged. Undefined when they are more than a row
 * may hold, before compression or after it.
 */
export async function encodeMergedBlock(
  batches: readonly EntryBatch[],
  compressor: Compressor,
): Promise<Uint8Array | undefined> {
  const plain = encodeColumns(batches);
  if (plain.byteLength > limits.plainBytesMax) return undefined;
  const data = await compressor.compress(plain);
  return data.byteLength > limits.dataBytesMax ? undefined : data;
}

/** The exact size before compression, without encoding. Adds up: the sum over the batches one by one. */
export function blockPlainBytes(batches: readonly EntryBatch[]): number {
  let bytes = 0;
  for (const batch of batches) bytes += lengthBytes + batchBytes(batch);
  return bytes;
}

export async function decodeBlock(data: Uint8Array, compressor: Compressor): Promise<EntryBatch[]> {
  const plain = await compressor.decompress(data, limits.plainBytesMax);
  if (isColumns(plain)) return decodeColumns(plain);
  const reader = new ByteReader(plain, "block");
  const batches: EntryBatch[] = [];
  while (reader.left > 0) batches.push(decodeBatch(reader.prefixed()));
  return batches;
}

/** `d00`, `d01`, ...: what data is cut over, and what to select to read it. */
export const dataPropertyNames: readonly string[] = Array.from(
  { length: Math.ceil(limits.dataBytesMax / limits.propertyBytesMax) },
  (_, index) => `d${String(index).padStart(2, "0")}`,
);

/** Views of `data`, one a property, in order. */
export function cutData(data: Uint8Array): Record<string, Uint8Array> {
  if (data.byteLength > limits.dataBytesMax) throw tooLarge("compressed", data.byteLength, limits.dataBytesMax);
  const properties: Record<string, Uint8Array> = {};
  for (const [index, name] of dataPropertyNames.entries()) {
    const from = index * limits.propertyBytesMax;
    if (index > 0 && from >= data.byteLength) break;
    properties[name] = data.subarray(from, from + limits.propertyBytesMax);
  }
  return properties;
}

/** Takes the data out of a row's properties; others beside it are left alone. */
export function joinData(properties: Readonly<Record<string, unknown>>): Uint8Array {
  const pieces: Uint8Array[] = [];
  let ended = false;
  for (const name of dataPropertyNames) {
    const piece = properties[name];
    if (piece === undefined) {
      ended = true;
      continue;
    }
    if (ended) throw corruptData(`data property ${name} follows one that is missing`);
    if (!(piece instanceof Uint8Array)) throw corruptData(`data property ${name} is not binary`);
    pieces.push(piece);
  }
  const [first, ...rest] = pieces;
  if (first === undefined) throw corruptData("no data properties");
  return rest.length === 0 ? first : Buffer.concat(pieces);
}

function tooLarge(when: string, size: number, limit: number): StoreError {
  return new StoreError("internal", `A block has ${size} bytes ${when}, at most ${limit} can be stored.`);
}
