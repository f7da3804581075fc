// JSON in pieces of bytes, as a body arrives. It is taken apart value by value and never joined: a hundred megabytes as
// one text would take as much again, and a look from its one end to the other would block everyone else.
//
// Promise: each value that is taken becomes a text of its own, of a bounded length; no step looks at more bytes than
// the caller allows. The content of quotes and brackets is judged when the text is parsed, not here.

import { invalidArgument } from "../core/errors.ts";
import type { StoreError } from "../core/errors.ts";

const quote = 0x22;
const backslash = 0x5c;

export class JsonPieces {
  readonly #pieces: readonly Uint8Array[];
  /** The name of the whole in errors. */
  readonly #field: string;
  #index = 0;
  #at = 0;
  /** Bytes before the present piece. */
  #before = 0;
  /** Bytes that were told to be behind. */
  #told = 0;

  constructor(pieces: readonly Uint8Array[], field: string) {
    this.#pieces = pieces.filter((piece) => piece.byteLength > 0);
    this.#field = field;
    // A byte order mark, as JSON allows.
    const start = Buffer.concat(this.#pieces.slice(0, 3).map((piece) => piece.subarray(0, 3)));
    if (start.subarray(0, 3).equals(Buffer.from("\ufeff"))) for (let byte = 0; byte < 3; byte += 1) this.#step();
  }

  /** Bytes that are behind. */
  get position(): number {
    return this.#before + this.#at;
  }

  /** Bytes that came to be behind since this was asked for. */
  takeLooked(): number {
    const looked = this.position - this.#told;
    this.#told += looked;
    return looked;
  }

  /** The byte that comes; -1 at the end. */
  get next(): number {
    return this.#pieces[this.#index]?.[this.#at] ?? -1;
  }

  /** Goes past white space, so many bytes at most; whether it came to the end of it. */
  skipSpace(bytesMax: number): boolean {
    const end = this.position + bytesMax;
    while (isSpace(this.next)) {
      if (this.position === end) return false;
      this.#step();
    }
    return true;
  }

  /** Goes past the character if it comes. */
  skip(character: string): boolean {
    const comes = this.next === character.charCodeAt(0);
    if (comes) this.#step();
    return comes;
  }

  /** The value that begins here; undefined when it is longer than so many bytes. */
  take(bytesMax: number): string | undefined {
    const from = { index: this.#index, at: this.#at, position: this.position };
    if (!this.#skipValue(from.position + bytesMax)) return undefined;
    const parts: Uint8Array[] = [];
    for (let index = from.index; index <= this.#index && index < this.#pieces.length; index += 1) {
      const piece = this.#pieces[index];
      if (piece === undefined) break;
      parts.push(piece.subarray(index === from.index ? from.at : 0, index === this.#index ? this.#at : undefined));
    }
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        parts.length === 1 ? parts[0] : Buffer.concat(parts),
      );
    } catch {
      throw invalidArgument(this.#field, "UTF-8");
    }
  }

  /** That something else comes than what is expected. */
  unexpected(expected: string, field = this.#field): StoreError {
    const piece = this.#pieces[this.#index];
    const found =
      piece === undefined
        ? "the end"
        : JSON.stringify(new TextDecoder().decode(piece.subarray(this.#at, this.#at + 20)));
    return invalidArgument(field, `${expected} at byte ${this.position}, found ${found}`);
  }

  /** False when the value goes on beyond `end`. Without recursion: no depth can do harm here. */
  #skipValue(end: number): boolean {
    if (this.next === quote) return this.#skipString(end);
    if (!isOpening(this.next)) return this.#skipScalar(end);
    let depth = 0;
    while (this.next >= 0) {
      if (this.position >= end) return false;
      if (this.next === quote) {
        if (!this.#skipString(end)) return false;
        continue;
      }
      if (isOpening(this.next)) depth += 1;
      else if (isClosing(this.next)) depth -= 1;
      this.#step();
      if (depth === 0) return true;
    }
    throw this.unexpected("the end of the value that began before");
  }

  #skipString(end: number): boolean {
    this.#step();
    let escaped = false;
    for (;;) {
      const piece = this.#pieces[this.#index];
      if (piece === undefined) throw this.unexpected("the end of a string");
      let at = this.#at;
      const stop = Math.min(piece.byteLength, end - this.#before);
      for (; at < stop; at += 1) {
        const byte = piece[at];
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) {
          this.#to(at + 1);
          return true;
        }
      }
      this.#to(at);
      if (this.position >= end) return false;
    }
  }

  #skipScalar(end: number): boolean {
    const from = this.position;
    while (this.next >= 0 && !isSpace(this.next) && this.next !== 0x2c && !isClosing(this.next)) {
      if (this.position >= end) return false;
      this.#step();
    }
    if (this.position === from) throw this.unexpected("a value");
    return true;
  }

  #step(): void {
    this.#to(this.#at + 1);
  }

  #to(at: number): void {
    this.#at = at;
    const piece = this.#pieces[this.#index];
    if (piece === undefined || at < piece.byteLength) return;
    this.#before += piece.byteLength;
    this.#index += 1;
    this.#at = 0;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isOpening(byte: number): boolean {
  return byte === 0x5b || byte === 0x7b;
}

function isClosing(byte: number): boolean {
  return byte === 0x5d || byte === 0x7d;
}
