// What a stored row holds, and whether it is what the log said.

import type { Entry } from "../../src/core/entry.ts";
import { joinData } from "../../src/codec/block.ts";
import { ByteReader } from "../../src/codec/bytes.ts";
import { decodeColumns, isColumns } from "../../src/codec/columns.ts";
import type { EntryBatch } from "../../src/codec/transaction.ts";
import { decodeBatch } from "../../src/codec/transaction.ts";
import type { Row } from "../../src/table/port.ts";
import { originOf } from "./operations.ts";
import type { LogEntry, Verdict } from "./truth.ts";

/** The transactions of a record, or of a block that nobody has merged. */
export function decodeData(row: Row): EntryBatch[] {
  const reader = new ByteReader(joinData(row.properties), "block");
  const batches: EntryBatch[] = [];
  while (reader.left > 0) batches.push(decodeBatch(reader.prefixed()));
  return batches;
}

/** The entries of any row that has some. */
export function decodeRowOf(row: Row): readonly Entry[] {
  const plain = joinData(row.properties);
  return (isColumns(plain) ? decodeColumns(plain) : decodeData(row)).flatMap(({ entries }) => entries);
}

/** A read or stored entry against the log's. */
export function isSame(entry: Entry, truth: LogEntry | undefined, verdict: Verdict, where: string): boolean {
  const { text } = originOf(entry.payload);
  const same =
    truth !== undefined &&
    entry.segment === truth.segment &&
    entry.sequence === truth.sequence &&
    entry.timestamp === truth.timestamp &&
    entry.trx.id === truth.id &&
    entry.trx.node === truth.node &&
    entry.trx.number === truth.number &&
    text === truth.text;
  return verdict.check(same, "I6", () => {
    const wanted =
      truth === undefined ? "nothing" : `${truth.segment} ${truth.sequence} (${truth.text}) at ${truth.timestamp}`;
    return `${where} has ${entry.segment} ${entry.sequence} (${text}) at ${entry.timestamp}, the log ${wanted}`;
  });
}
