// Cuts the records of a produce into chunks, each to become one transaction.
//
// Promise: where the cuts are is a function of the records alone, never of when they arrive or how: the repeat of a request
// gives the same chunks, so the same transactions. A record that no store may take is refused here.

import type { AppendRecord } from "../core/entry.ts";
import { checkedBytes } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import { parseInteger } from "../core/ids.ts";
import { limits } from "../core/limits.ts";

/**
 * A chunk is as long as `chunkRecordsMax` and `chunkBytesMax` allow, and is yielded as soon as nothing more fits.
 *
 * Lazy: takes no record beyond the one that shows a chunk to be complete, and closes the source when left. An error at a record
 * (or of the source) is thrown after the chunks that were complete before it; the chunk it interrupts is never yielded, so
 * what fits one chunk is accepted whole or not at all. `field` names the records in errors: `invalid_argument`, `record_too_large`.
 */
export async function* chunkRecords(
  records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
  field = "records",
): AsyncGenerator<readonly AppendRecord[], void, undefined> {
  const cutter = new Cutter(field);
  if (Symbol.iterator in records) {
    for (const record of records) {
      for (const chunk of cutter.add(record)) yield chunk;
    }
  } else {
    for await (const record of records) {
      for (const chunk of cutter.add(record)) yield chunk;
    }
  }
  const last = cutter.rest();
  if (last.length > 0) yield last;
}

class Cutter {
  readonly #field: string;
  #chunk: AppendRecord[] = [];
  #bytes = 0;
  #index = 0;
  #sequenced: boolean | undefined;

  constructor(field: string) {
    this.#field = field;
  }

  /** The chunks that this record completes: the one before it, or the one it fills. */
  *add(record: AppendRecord): Iterable<readonly AppendRecord[]> {
    const size = this.#check(record);
    if (this.#chunk.length > 0 && this.#bytes + size > limits.chunkBytesMax) yield this.rest();
    this.#chunk.push(record);
    this.#bytes += size;
    this.#index += 1;
    if (this.#chunk.length === limits.chunkRecordsMax) yield this.rest();
  }

  rest(): readonly AppendRecord[] {
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#bytes = 0;
    return chunk;
  }

  /** Answers the record's size. */
  #check(record: AppendRecord): number {
    const name = `${this.#field}[${this.#index}]`;
    const sequenced = record.sequence !== undefined;
    if (sequenced) parseInteger(`${name}.sequence`, record.sequence, 1);
    this.#sequenced ??= sequenced;
    if (sequenced !== this.#sequenced) {
      throw invalidArgument(`${name}.sequence`, "a sequence in every record of a request, or in none");
    }
    for (const [key, value] of record.metadata) {
      if (!key.isWellFormed() || !value.isWellFormed()) throw invalidArgument(`${name}.metadata`, "valid Unicode", key);
    }
    return checkedBytes(record, name);
  }
}
