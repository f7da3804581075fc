// Reads the rows of a range page by page, and decodes the blocks in them.
//
// Promise: in order; only a missing continuation is the end. Pages go on by the key of the last row: a token may point
// past a row that was rewritten meanwhile, and is used after an empty page alone. The next page is on its way while one
// is read, and a few blocks are decompressed, on other threads, while one is read; what cannot be read or decoded is
// thrown when its turn comes.

import { corruptData } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { KeyRange, Row, Table } from "../../../table/port.ts";
import { decoder } from "../../../table/row-values.ts";
import type { Memory } from "../../work.ts";
import { unboundedMemory } from "../../work.ts";
import { asStoreError } from "../instance/failure.ts";
import { checkFormat } from "../rows/format.ts";
import { keyAfter } from "../rows/keys.ts";
import { isMarker } from "../rows/markers.ts";
import { tombstoneOf } from "../rows/segment-rows.ts";

export interface RowsOptions {
  /** Absent: all properties. */
  readonly select?: readonly string[] | undefined;
  /** Absent or 0: all. */
  readonly limit?: number | undefined;
  /** How many are likely to be enough: more are read only when they are asked for. Absent: all are. */
  readonly likely?: number | undefined;
  /** For a range that is read beside others. Absent or undefined: read ahead as far as is good for one alone. */
  readonly ahead?: { readonly firstRows: number; readonly shares: number } | undefined;
  /** Rows of the first page; absent: few, as nothing is known of their size. */
  readonly firstRows?: number | undefined;
  /** Rows of blocks that hold nothing that is wanted, which need not be decoded: they come without transactions. */
  readonly skips?: ((row: Row) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Data of a page, bytes, that the number of its rows aims at: what the service's own pages hold. */
const pageBytesAim = 4 * 1024 * 1024;
/** Rows of a first page, before anything is known of their size; the service ends it at 4 MiB. */
const firstPageRows = 256;
/** Nobody hears of it: made once, since an error of its own would be made for every read. */
const readerLeft = new Error("The reader has left.");
/**
 * Blocks, and bytes of them as they are stored, that are decoded before their turn: as many as the library has threads.
 */
const decodedAheadMax = 4;
const decodedAheadBytesMax = 256 * 1024;

export async function* rows(table: Table, range: KeyRange, options: RowsOptions): AsyncGenerator<Row> {
  for await (const page of pages(table, range, options)) yield* page;
}

/** A row of data, and its transactions; a marker has none. */
export interface BlockRead {
  readonly row: Row;
  readonly batches: readonly EntryBatch[];
}

/** The transactions of each block, and the markers between them. */
export async function* blocks(
  source: { readonly table: Table; readonly compressor: Compressor; readonly openMemory?: () => Memory },
  range: KeyRange,
  options: RowsOptions,
): AsyncGenerator<BlockRead> {
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
): AsyncGenerator<BlockRead> {
  for await (const page of pages(table, range, options, memory)) {
    const begun: { readonly row: Row; readonly bytes: number; readonly batches: Promise<EntryBatch[]> }[] = [];
    let bytesBegun = 0;
    let next = 0;
    while (next < page.length || begun.length > 0) {
      while (begun.length === 0 || (begun.length < decodedAheadMax && bytesBegun < decodedAheadBytesMax)) {
        const row = page[next];
        if (row === undefined) break;
        const bytes = dataBytes(row);
        const batches = decodeRow(row, compressor, options.skips);
        // A reader that leaves before its turn does not hear of the failure.
        batches.catch(() => undefined);
        begun.push({ row, bytes, batches });
        bytesBegun += bytes;
        next += 1;
      }
      const first = begun.shift();
      if (first === undefined) break;
      bytesBegun -= first.bytes;
      const batches = await first.batches;
      const payloads = payloadBytes(batches);
      memory.take(payloads);
      yield { row: first.row, batches };
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
  let left = positive(options.limit);
  let likely = Math.min(left, positive(options.likely));
  let top = Math.min(likely, options.firstRows ?? ahead?.firstRows ?? firstPageRows);
  let from = range.from;
  const ask = (continuation?: string): ReturnType<Table["query"]> => {
    const asked = table.query({ ...range, from }, { select, signal: both, top, continuation });
    const page = asked.then((answer) => {
      if (!leaving.signal.aborted) memory.take(pageBytes(answer.rows));
      return answer;
    });
    // A reader that leaves does not hear of the page that was on its way.
    page.catch(() => undefined);
    return page;
  };
  try {
    signal?.throwIfAborted();
    let next: ReturnType<Table["query"]> | undefined = ask();
    while (next !== undefined) {
      const page: Awaited<ReturnType<Table["query"]>> = await next;
      left -= page.rows.length;
      likely -= page.rows.length;
      const sized = nextPageRows(page.rows, top, ahead?.shares ?? 1);
      top = Math.min(left, likely > 0 ? Math.min(likely, sized) : sized);
      const isEnd = left <= 0 || page.continuation === undefined;
      const last = page.rows.at(-1);
      if (last !== undefined) from = keyAfter(last.row);
      const continuation = last === undefined ? page.continuation : undefined;
      // One alone has its next page on its way; many together would hold a page each that may never be wanted.
      next = isEnd || likely <= 0 || ahead !== undefined ? undefined : ask(continuation);
      yield page.rows;
      signal?.throwIfAborted();
      if (!isEnd) next ??= ask(continuation);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  } finally {
    leaving.abort(readerLeft);
  }
}

function positive(bound: number | undefined): number {
  return bound === undefined || bound === 0 ? Infinity : bound;
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

const decodeRow = decoder(async (row, compressor: Compressor, skips: RowsOptions["skips"]): Promise<EntryBatch[]> => {
  checkFormat(row, "a block", 2);
  if (isMarker(row)) return [];
  const lost = tombstoneOf(row);
  if (lost !== undefined) throw corruptData(`the entries of the log record at ${lost}; the segment goes on after them`);
  if (skips?.(row) === true) return [];
  return decodeBlock(joinData(row.properties), compressor);
});
