// Numbers of as many bytes as they need, and what columns are made of: LEB128, differences as zigzag; texts behind
// their lengths.
//
// Promise: a reader copies nothing, allocates nothing beyond what its bytes warrant, and ends in `corrupt_data` where
// they end early.

import { isUtf8 } from "node:buffer";
import { StoreError } from "../core/errors.ts";
import { ByteReader, uuidBytes } from "./bytes.ts";

/** The most bytes that a safe integer takes. */
const varintBytesMax = 8;

/** Bytes that grow as they are written. */
export class ColumnWriter {
  #bytes = Buffer.allocUnsafe(256);
  #at = 0;

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** An integer from 0. */
  count(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new StoreError("internal", `Not a count: ${value}.`);
    this.#room(varintBytesMax);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at] = (rest % 0x80) | 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }

  /** An integer of either sign, small ones in few bytes; at most half of what is safe. */
  difference(value: number): void {
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER / 2) {
      // 0, -1, 1, -2 ... become 1, 2, 3, 4 ...: 0 is left to say that a whole number follows.
      this.count(value < 0 ? -2 * value : 2 * value + 1);
      return;
    }
    this.count(0);
    this.count(value < 0 ? 1 : 0);
    this.count(Math.abs(value));
  }

  uuid(text: string): void {
    this.#room(uuidBytes);
    const written = this.#bytes.write(text.replaceAll("-", ""), this.#at, uuidBytes, "hex");
    if (written !== uuidBytes) throw new StoreError("internal", "An id is not a UUID.");
    this.#at += uuidBytes;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.byteLength);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  /** UTF-8 without its length, which is answered. */
  text(text: string): number {
    const bytes = Buffer.byteLength(text);
    this.#room(bytes);
    this.#at += this.#bytes.write(text, this.#at);
    return bytes;
  }

  prefixedText(text: string): void {
    this.count(Buffer.byteLength(text));
    this.text(text);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

export class ColumnReader extends ByteReader {
  override count(): number {
    let value = 0;
    let factor = 1;
    for (let read = 0; read < varintBytesMax; read += 1) {
      const byte = this.raw(1)[0] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        // One number, one encoding; and none that a number cannot hold.
        if (!Number.isSafeInteger(value) || (byte === 0 && read > 0)) break;
        return value;
      }
      factor *= 0x80;
    }
    throw this.corrupt("a number out of range");
  }

  /** A count of things of at least so many bytes each: refused when so many cannot follow. */
  countOf(bytesEach: number): number {
    const count = this.count();
    if (count * Math.max(bytesEach, 1) > this.left) throw this.corrupt(`a count of ${count}`);
    return count;
  }

  /** Reads an integer that is stored as its distance from `expected`; the result is at least `min`. */
  plus(expected: number, min: 0 | 1): number {
    const code = this.count();
    const value = expected + (code === 0 ? this.#whole() : code % 2 === 0 ? -code / 2 : (code - 1) / 2);
    if (!Number.isSafeInteger(value) || value < min) throw this.corrupt("a number out of range");
    return value;
  }

  raw(bytes: number): Buffer {
    if (bytes > this.left) throw this.corrupt(`${bytes} bytes expected, ${this.left} left`);
    this.at += bytes;
    return this.bytes.subarray(this.at - bytes, this.at);
  }

  textOf(bytes: number): string {
    const piece = this.raw(bytes);
    const text = piece.toString("utf8");
    if (text.includes("\ufffd") && !isUtf8(piece)) throw this.corrupt("text that is not UTF-8");
    return text;
  }

  prefixedText(): string {
    return this.textOf(this.count());
  }

  #whole(): number {
    const isNegative = this.count() === 1;
    const value = this.count();
    return isNegative ? -value : value;
  }
}

/** Values by the order in which they first came. */
export class Dictionary<T> {
  readonly values: T[] = [];
  readonly #indexes = new Map<T, number>();

  index(value: T): number {
    const known = this.#indexes.get(value);
    if (known !== undefined) return known;
    const index = this.values.push(value) - 1;
    this.#indexes.set(value, index);
    return index;
  }
}
