// Newline-delimited JSON: bytes as they arrive become lines, one at a time, of a bounded length.

import { invalidArgument, recordTooLarge } from "../core/errors.ts";
import type { StoreError } from "../core/errors.ts";
import { wireLimits } from "./wire-limits.ts";

const newline = 0x0a;

export interface Line {
  /** 1, 2, 3 ...: as an editor counts, empty lines too. */
  readonly number: number;
  readonly text: string;
}

/**
 * The lines that are not blank. A line longer than a record can be is `record_too_large`, before the rest of it is
 * read. `hold` is told how many bytes the line that has begun takes, before it takes them.
 */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  hold: (bytes: number) => void,
): AsyncGenerator<Line, void, undefined> {
  const begun = new BegunLine(hold);
  let number = 1;
  let blank = 0;
  for await (const chunk of bytes) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const text = decode(begun.take(chunk.subarray(from, end)), number);
      if (text.trim() !== "") yield { number, text };
      else if ((blank += 1) > wireLimits.blankLinesMax) throw tooManyBlank(number);
      number += 1;
      from = end + 1;
    }
    begun.add(chunk.subarray(from), number);
  }
  const text = decode(begun.take(new Uint8Array()), number);
  if (text.trim() !== "") yield { number, text };
}

function tooManyBlank(number: number): StoreError {
  return invalidArgument(`line ${number}`, `at most ${wireLimits.blankLinesMax} blank lines`);
}

/** Kept for the next line to begin. */
const smallBytes = 4_096;

/** The start of a line whose end has not come. One buffer that doubles: a caller may send single bytes. */
class BegunLine {
  readonly #hold: (bytes: number) => void;
  #buffer: Uint8Array = new Uint8Array(smallBytes);
  #length = 0;

  constructor(hold: (bytes: number) => void) {
    this.#hold = hold;
  }

  add(bytes: Uint8Array, number: number): void {
    const length = this.#length + bytes.byteLength;
    if (length > wireLimits.recordCharactersMax) throw recordTooLarge(`line ${number}`);
    if (length > this.#buffer.byteLength) {
      const bytes = Math.max(length, 2 * this.#buffer.byteLength);
      this.#hold(bytes);
      const larger = new Uint8Array(bytes);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  /** The whole line, valid until the next `add`. */
  take(rest: Uint8Array): Uint8Array {
    if (this.#length === 0) return rest;
    const line = new Uint8Array(this.#length + rest.byteLength);
    line.set(this.#buffer.subarray(0, this.#length));
    line.set(rest, this.#length);
    this.#length = 0;
    if (this.#buffer.byteLength > smallBytes) {
      this.#buffer = new Uint8Array(smallBytes);
      this.#hold(0);
    }
    return line;
  }
}

function decode(bytes: Uint8Array, number: number): string {
  try {
    // A new decoder each: one that failed may keep state. It drops a byte order mark, as JSON allows.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalidArgument(`line ${number}`, "UTF-8");
  }
}
