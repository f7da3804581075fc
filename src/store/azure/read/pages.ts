// Reads the rows of a range page by page, and decodes the blocks in them.
//
// Promise: in order; only a missing continuation is the end. The next page is on its way while one is read, and a few blocks are
// decompressed, on other threads, while one is read; what cannot be read or decoded is thrown when its turn comes.

import { corruptData } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { KeyRange, Row, Table } from "../../../table/port.ts";
import { decoder } from "../../../table/row-values.ts";
import type { Memory } from "../../memory.ts";
import { unboundedMemory } from "../../memory.ts";
import { asStoreError } from "../instance/failure.ts";
import { checkFormat } from "../rows/format.ts";
import { tombstoneOf } from "../rows/segment-rows.ts";

export interface RowsOptions {
  /** Absent: all properties. */
  readonly select?: readonly string[] | undefined;
  /** Absent or 0: all. */
  readonly limit?: number | undefined;
  /** Of a range that is read beside others; absent or undefined: as far ahead as is good for one alone. */
  readonly ahead?: { readonly firstRows: number; readonly shares: number } | undefined;
  /** Rows of the first page; absent: few, as nothing is known of their size. */
  readonly firstRows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Data of a page, bytes, that the number of its rows aims at: what the service's own pages hold. */
const pageBytesAim = 4 * 1024 * 1024;
/** Rows of a first page, before anything is known of their size; the service ends it at 4 MiB. */
const firstPageRows = 256;
/** Blocks, and bytes of them as they are stored, that are decoded before their turn: as many as the library has threads. */
const decodedAheadMax = 4;
const decodedAheadBytesMax = 256 * 1024;

export async function* rows(table: Table, range: KeyRange, options: RowsOptions): AsyncGenerator<Row> {
  for await (const page of pages(table, range, options)) yield* page;
}

/** The transactions of each block. */
export async function* blocks(
  source: { readonly table: Table; readonly compressor: Compressor; readonly openMemory?: () => Memory },
  range: KeyRange,
  options: RowsOptions,
): AsyncGenerator<readonly EntryBatch[]> {
  const memory = source.openMemory?.() ?? unboundedMemory;
  try {
    yield* heldBlocks(source, range, options, memory);
  } finally {
    memory.close();
  }
}

/** Held are the rows of a page from its arrival, and what a block has become, until it was taken. */
async function* heldBlocks(
  { table, compressor }: { readonly table: Table; readonly compressor: Compressor },
  range: KeyRange,
  options: RowsOptions,
  memory: Memory,
): AsyncGenerator<readonly EntryBatch[]> {
  for await (const page of pages(table, range, options, memory)) {
    const begun: { readonly bytes: number; readonly batches: Promise<EntryBatch[]> }[] = [];
    let bytesBegun = 0;
    let next = 0;
    while (next < page.length || begun.length > 0) {
      while (begun.length === 0 || (begun.length < decodedAheadMax && bytesBegun < decodedAheadBytesMax)) {
        const row = page[next];
        if (row === undefined) break;
        const bytes = dataBytes(row);
        const batches = decodeRow(row, compressor);
        // Whoever leaves before its turn does not hear of it.
        batches.catch(() => undefined);
        begun.push({ bytes, batches });
        bytesBegun += bytes;
        next += 1;
      }
      const first = begun.shift();
      if (first === undefined) break;
      bytesBegun -= first.bytes;
      const batches = await first.batches;
      const payloads = payloadBytes(batches);
      memory.take(payloads);
      yield batches;
      memory.give(payloads + first.bytes);
    }
  }
}

async function* pages(
  table: Table,
  range: KeyRange,
  options: RowsOptions,
  memory: Memory = unboundedMemory,
): AsyncGenerator<readonly Row[]> {
  const { select, signal, ahead } = options;
  const leaving = new AbortController();
  const both = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  let left = options.limit === undefined || options.limit === 0 ? Infinity : options.limit;
  let top = Math.min(left, options.firstRows ?? ahead?.firstRows ?? firstPageRows);
  const ask = (continuation?: string): ReturnType<Table["query"]> => {
    const asked = table.query(range, {
      select,
      signal: both,
      top,
      continuation,
    });
    const page = asked.then((answer) => {
      if (!leaving.signal.aborted) memory.take(pageBytes(answer.rows));
      return answer;
    });
    // Whoever leaves does not hear of the page that was on its way.
    page.catch(() => undefined);
    return page;
  };
  try {
    signal?.throwIfAborted();
    let next: ReturnType<Table["query"]> | undefined = ask();
    while (next !== undefined) {
      const page: Awaited<ReturnType<Table["query"]>> = await next;
      left -= page.rows.length;
      top = Math.min(left, nextPageRows(page.rows, top, ahead?.shares ?? 1));
      const continuation = left <= 0 ? undefined : page.continuation;
      // One alone has its next page on its way; many together would hold a page each that may never be wanted.
      next = continuation === undefined || ahead !== undefined ? undefined : ask(continuation);
      yield page.rows;
      signal?.throwIfAborted();
      if (continuation !== undefined) next ??= ask(continuation);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  } finally {
    leaving.abort();
  }
}

function nextPageRows(page: readonly Row[], top: number, shares: number): number {
  if (page.length === 0) return top;
  const bytes = pageBytes(page);
  return Math.max(1, Math.min(limits.pageRowsMax, Math.floor(pageBytesAim / shares / (bytes / page.length))));
}

function pageBytes(page: readonly Row[]): number {
  return page.reduce((sum, row) => sum + dataBytes(row), 0);
}

function payloadBytes(batches: readonly EntryBatch[]): number {
  let bytes = 0;
  for (const { entries } of batches) for (const { payload } of entries) bytes += payload.byteLength;
  return bytes;
}

function dataBytes(row: Row): number {
  let bytes = 0;
  for (const value of Object.values(row.properties)) bytes += value instanceof Uint8Array ? value.byteLength : 8;
  return bytes;
}

const decodeRow = decoder(async (row, compressor: Compressor): Promise<EntryBatch[]> => {
  checkFormat(row, "a block");
  const lost = tombstoneOf(row);
  if (lost !== undefined) throw corruptData(`the entries of the log record at ${lost}; the segment goes on after them`);
  return decodeBlock(joinData(row.properties), compressor);
});
