// Makes the next block of a segment: the entries of as many pending transactions as fit, from memory or from the log.
// It only reads.

import { corruptData, StoreError } from "../../../core/errors.ts";
import type { Entry } from "../../../core/entry.ts";
import { limits } from "../../../core/limits.ts";
import { blockPlainBytes, encodeBlock, type Compressor } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Properties } from "../../../table/port.ts";
import type { LogReader } from "../log/log-reader.ts";
import { encodeBlockRow, encodeTombstone } from "../rows/segment-rows.ts";
import { sharedData, type PendingItem } from "./segment-queue.ts";

export interface Block {
  /** The transactions that the block holds, and those between them that have no entries. */
  readonly run: readonly PendingItem[];
  /** Undefined for a tombstone. */
  readonly lastEntry: Entry | undefined;
  /** Undefined: none of them has entries. */
  readonly properties: Properties | undefined;
}

export class NextBlock {
  readonly #reader: Pick<LogReader, "readBatches">;
  readonly #compressor: Compressor;

  constructor(reader: Pick<LogReader, "readBatches">, compressor: Compressor) {
    this.#reader = reader;
    this.#compressor = compressor;
  }

  /** The block of as many of the candidates as one row takes; in place of one that is lost, a tombstone. */
  async make(firstSequence: number, candidates: readonly PendingItem[]): Promise<Block> {
    const [first] = candidates;
    if (first?.unreadable === true) {
      const properties = encodeTombstone(firstSequence, first.record.summary.timestamp);
      return { run: [first], lastEntry: undefined, properties };
    }
    const { run, batches } = await this.#content(candidates);
    if (batches.length === 0) return { run, lastEntry: undefined, properties: undefined };
    const data = sharedData(run) ?? (await encodeBlock(batches, this.#compressor));
    return { run, lastEntry: batches.at(-1)?.entries.at(-1), properties: encodeBlockRow(firstSequence, data) };
  }

  /** False: the entries of the transaction are damaged. Throws what may pass. */
  async isReadable(item: PendingItem): Promise<boolean> {
    if (item.index === undefined) return true;
    try {
      await this.#batch(item, item.index);
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.code === "corrupt_data") return false;
      throw error;
    }
  }

  async #content(items: readonly PendingItem[]): Promise<{ run: readonly PendingItem[]; batches: EntryBatch[] }> {
    const batches: EntryBatch[] = [];
    const run: PendingItem[] = [];
    let plainBytes = 0;
    for (const item of items) {
      if (item.index !== undefined) {
        let batch: EntryBatch;
        try {
          batch = await this.#batch(item, item.index);
        } catch (error) {
          // It does not hold up those before it.
          if (run.length > 0) break;
          throw error;
        }
        plainBytes += blockPlainBytes([batch]);
        if (batches.length > 0 && plainBytes > limits.dataBytesMax * 0.98) break;
        batches.push(batch);
      }
      run.push(item);
    }
    return { run, batches };
  }

  async #batch({ record, transaction }: PendingItem, index: number): Promise<EntryBatch> {
    const batches = record.content?.batches ?? (await this.#reader.readBatches(record.summary.timestamp));
    const batch = batches[index];
    if (batch?.segment !== transaction.segment || batch.firstSequence !== transaction.firstSequence) {
      throw corruptData(`the log record at ${record.summary.timestamp} has other entries than its summary`);
    }
    return batch;
  }
}
