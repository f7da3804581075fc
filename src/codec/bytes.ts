// Reads and writes the fixed and length-prefixed fields that the encodings are made of; little-endian, as the reference
// has them.
//
// Promise: a reader never goes beyond its bytes and copies none; what is not there, is not UTF-8 or does not fit a
// JavaScript number exactly ends in `corrupt_data`.

import { isUtf8 } from "node:buffer";
import { corruptData, StoreError } from "../core/errors.ts";

/** A length or a count before what it counts: 32 bits. */
export const lengthBytes = 4;
export const uuidBytes = 16;
const int64Bytes = 8;
const word = 2 ** 32;

/** The same bytes as a Buffer, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Fills bytes whose exact size was computed before. */
export class ByteWriter {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /**
   * Returns what was written. A size other than the announced one is a mistake of this program, never of the caller.
   */
  finish(): Uint8Array {
    if (this.at !== this.bytes.length) {
      throw new StoreError("internal", `An encoding has ${this.at} bytes where ${this.bytes.length} were computed.`);
    }
    return this.bytes;
  }

  uint32(value: number): void {
    this.at = this.bytes.writeUInt32LE(value, this.at);
  }

  /** A safe integer as 64 bits, two's complement. */
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new StoreError("internal", `Not an exact integer: ${value}.`);
    this.uint32(value >>> 0);
    this.at = this.bytes.writeInt32LE(Math.floor(value / word), this.at);
  }

  uuid(text: string): void {
    const written = this.bytes.write(text.replaceAll("-", ""), this.at, uuidBytes, "hex");
    if (written !== uuidBytes) throw new StoreError("internal", "An id is not a UUID.");
    this.at += uuidBytes;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.byteLength;
  }

  prefixed(bytes: Uint8Array): void {
    this.uint32(bytes.byteLength);
    this.raw(bytes);
  }

  /** UTF-8 behind its length. */
  text(text: string): void {
    const written = this.bytes.write(text, this.at + lengthBytes);
    this.uint32(written);
    this.at += written;
  }

  /** Repeats what stands at `from` to `to` of these bytes. */
  repeat(from: number, to: number): void {
    this.at += this.bytes.copy(this.bytes, this.at, from, to);
  }
}

export class ByteReader {
  readonly bytes: Buffer;
  at = 0;
  readonly #what: string;

  /** `what` is being read: for the error. */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = asBuffer(bytes);
    this.#what = what;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  corrupt(how: string): StoreError {
    return corruptData(`${this.#what}: ${how} at byte ${this.at} of ${this.bytes.length}`);
  }

  uint32(): number {
    const from = this.#advance(lengthBytes);
    return this.bytes.readUInt32LE(from);
  }

  /**
   * A count of things of at least `bytesEach`: refused when so many cannot follow, before anything is allocated for
   * them.
   */
  count(bytesEach: number): number {
    const count = this.uint32();
    if (count * bytesEach > this.left) throw this.corrupt(`a count of ${count}`);
    return count;
  }

  /** 64 bits, at least `min` and not beyond what a number holds exactly; never rounded. */
  integer(min: 0 | 1): number {
    const from = this.#advance(int64Bytes);
    const value = this.bytes.readInt32LE(from + 4) * word + this.bytes.readUInt32LE(from);
    if (value < min || value > Number.MAX_SAFE_INTEGER) throw this.corrupt("a number out of range");
    return value;
  }

  uuid(): string {
    const from = this.#advance(uuidBytes);
    const hex = this.bytes.toString("hex", from, from + uuidBytes);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** A view of the bytes behind their length. */
  prefixed(): Buffer {
    const length = this.uint32();
    const from = this.#advance(length);
    return this.bytes.subarray(from, from + length);
  }

  text(): string {
    const length = this.uint32();
    const from = this.#advance(length);
    const text = this.bytes.toString("utf8", from, from + length);
    // Only bytes that are not UTF-8, or a written U+FFFD, decode to U+FFFD: the full check is for those alone.
    if (text.includes("\ufffd") && !isUtf8(this.bytes.subarray(from, from + length))) {
      throw this.corrupt("text that is not UTF-8");
    }
    return text;
  }

  /** Passes over bytes that must be the same as `expected`, which another reader has understood already. */
  same(expected: Uint8Array, what: string): void {
    const from = this.#advance(expected.byteLength);
    if (this.bytes.compare(expected, 0, expected.byteLength, from, this.at) !== 0) {
      throw this.corrupt(`another ${what}`);
    }
  }

  #advance(bytes: number): number {
    const from = this.at;
    if (bytes > this.bytes.length - from) throw this.corrupt(`${bytes} bytes expected, ${this.left} left`);
    this.at = from + bytes;
    return from;
  }
}
