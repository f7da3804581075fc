// Shared by the merging of a log's rows and of a segment's: how many rows fit one, and the record of how it went.

import type { Clock, Random } from "../../../core/clock.ts";
import { isUnreadable } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import type { Compressor } from "../../../codec/block.ts";
import { dataPropertyNames, encodeMergedBlock } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Row, Table } from "../../../table/port.ts";
import type { AzureStoreOptions } from "../instance/options.ts";

export interface CompactDeps {
  readonly table: Table;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Pick<
    AzureStoreOptions,
    "batchOperations" | "compactAfterMs" | "compactAgainAfterMs" | "compactRowsMin"
  >;
  /** Called after each transaction that merged rows. */
  readonly onMerged: (merged: Merged) => void;
}

export interface Merged {
  /** Rows that went, the one that was replaced among them. */
  readonly rows: number;
  /** How many bytes of data fewer there are. */
  readonly bytesSaved: number;
}

/** A stored row with its transactions. */
export interface Decoded {
  readonly row: Row;
  readonly batches: readonly EntryBatch[];
}

/** Races lost in a row before the rest is left to the next turn. */
export const triesMax = 8;

/** The most stored data that is merged at once, bytes: it becomes less, so that one row mostly holds it. */
export const mergedBytesMax = limits.dataBytesMax;

/** The data of a row as it is stored, bytes. */
export function storedBytes({ properties }: Row): number {
  let bytes = 0;
  for (const name of dataPropertyNames) {
    const value = properties[name];
    if (value instanceof Uint8Array) bytes += value.byteLength;
  }
  return bytes;
}

/** Undefined: a row is damaged, or of a later format; it stays as it is. */
export async function unlessUnreadable<T>(decoding: Promise<T>): Promise<T | undefined> {
  try {
    return await decoding;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
}

/** As many of the first rows as one row holds, and their data in it. Undefined: not even the first fits. */
export async function fitting<One extends Decoded>(
  group: readonly One[],
  compressor: Compressor,
): Promise<{ readonly group: readonly One[]; readonly data: Uint8Array } | undefined> {
  for (let some = group; some.length > 0; some = some.slice(0, Math.floor(some.length / 2))) {
    const data = await encodeMergedBlock(
      some.flatMap(({ batches }) => batches),
      compressor,
    );
    if (data !== undefined) return { group: some, data };
  }
  return undefined;
}

export function merged(group: readonly Decoded[], data: Uint8Array): Merged {
  const before = group.reduce((sum, { row }) => sum + storedBytes(row), 0);
  return { rows: group.length, bytesSaved: before - data.byteLength };
}
