// Many transactions of one space as columns: each field of all of them together, what repeats once. Rows that were
// merged hold this.
//
//   u32 0, u8 layout 1 | space | segments | nodes | keys of metadata      (dictionaries: a count, then the values)
//   of each transaction: segment, node, entries, first sequence, number, timestamp
//     (each as the difference from what is to be expected)
//   ids, 16 bytes each
//   of each entry: timestamp, flags, payload bytes, pairs of metadata | of each pair: key, value bytes
//   values | payloads              (numbers are LEB128, differences zigzag; texts and blobs behind their lengths)
//
// An ordinary block begins with the length of a transaction, which is never 0: so the first four bytes tell the two
// apart.
//
// Promise: what is decoded is what was encoded, exact, or `corrupt_data`; nothing is allocated that the bytes do not
// warrant.

import type { Entry, Transaction } from "../core/entry.ts";
import { noMetadata } from "../core/entry.ts";
import { StoreError } from "../core/errors.ts";
import type { NodeId, SegmentName, TransactionId } from "../core/ids.ts";
import { parseSegmentName, parseSpaceName } from "../core/ids.ts";
import { asBuffer, uuidBytes } from "./bytes.ts";
import { sortedMetadata } from "./entry.ts";
import type { EntryBatch } from "./transaction.ts";
import { ColumnReader, ColumnWriter, Dictionary } from "./varints.ts";

const layout = 1;
/** The flags of an entry. */
const redactedFlag = 1;

/** Whether a block's plain bytes are columns; else they are transactions one after the other. */
export function isColumns(plain: Uint8Array): boolean {
  return plain.byteLength > 4 && asBuffer(plain).readUInt32LE(0) === 0;
}

/** All of one space, at least one transaction. */
export function encodeColumns(batches: readonly EntryBatch[]): Uint8Array {
  const [first] = batches;
  if (first === undefined) throw new StoreError("internal", "No transactions to encode.");
  const segments = new Dictionary<SegmentName>();
  const nodes = new Dictionary<NodeId>();
  const keys = new Dictionary<string>();
  const [places, ids, entries, pairs] = [
    new ColumnWriter(),
    new ColumnWriter(),
    new ColumnWriter(),
    new ColumnWriter(),
  ];
  const [values, payloads] = [new ColumnWriter(), new ColumnWriter()];
  // A column is written whole before the next: what compresses well stands together.
  for (const batch of batches) {
    if (batch.space !== first.space) throw new StoreError("internal", "Transactions of two spaces in one row.");
    places.count(segments.index(batch.segment));
  }
  for (const { trx } of batches) places.count(nodes.index(trx.node));
  for (const batch of batches) places.count(batch.entries.length);
  const expected = new Expected();
  for (const batch of batches) places.difference(batch.firstSequence - expected.firstSequence(batch));
  for (const batch of batches) places.difference(batch.trx.number - expected.number(batch));
  for (const batch of batches) places.difference(batch.timestamp - expected.timestamp(batch));
  for (const { trx } of batches) ids.uuid(trx.id);
  const all = batches.flatMap((batch) => batch.entries.map((entry) => ({ entry, batch })));
  for (const { entry, batch } of all) entries.difference(entry.timestamp - batch.timestamp);
  for (const { entry } of all) entries.count(entry.redacted === true ? redactedFlag : 0);
  for (const { entry } of all) entries.count(entry.payload.byteLength);
  for (const { entry } of all) entries.count(entry.metadata.size);
  for (const { entry } of all) {
    payloads.raw(entry.payload);
    for (const [key, value] of sortedMetadata(entry.metadata)) {
      pairs.count(keys.index(key));
      pairs.count(values.text(value));
    }
  }
  const head = new ColumnWriter();
  head.raw(Uint8Array.of(0, 0, 0, 0, layout));
  head.prefixedText(first.space);
  head.count(segments.values.length);
  for (const segment of segments.values) head.prefixedText(segment);
  head.count(nodes.values.length);
  for (const node of nodes.values) head.uuid(node);
  head.count(keys.values.length);
  for (const key of keys.values) head.prefixedText(key);
  head.count(batches.length);
  return Buffer.concat([head, places, ids, entries, pairs, values, payloads].map((column) => column.finish()));
}

/** Payloads are views of `plain`, not copies: keeping one entry keeps all of them. */
export function decodeColumns(plain: Uint8Array): EntryBatch[] {
  const reader = new ColumnReader(plain, "columns");
  const marks = reader.raw(5);
  if (marks.readUInt32LE(0) !== 0 || marks[4] !== layout) throw reader.corrupt("another layout");
  const space = name(reader, parseSpaceName);
  const segments = times(reader.countOf(1), () => name(reader, parseSegmentName));
  const nodes = times(reader.countOf(uuidBytes), () => reader.uuid() as NodeId);
  const keys = times(reader.countOf(1), () => reader.prefixedText());
  const count = reader.countOf(6 + uuidBytes);
  const pick = <T>(dictionary: readonly T[]): T => {
    const value = dictionary[reader.count()];
    if (value === undefined) throw reader.corrupt("an index beyond its dictionary");
    return value;
  };
  const segmentOf = times(count, () => pick(segments));
  const nodeOf = times(count, () => pick(nodes));
  let entryCount = 0;
  const countOf = times(count, () => {
    const entries = reader.count();
    entryCount += entries;
    if (entries === 0 || entryCount > reader.left) throw reader.corrupt(`${entries} entries`);
    return entries;
  });
  const expected = new Expected();
  const heads = segmentOf.map((segment, index) => ({
    segment,
    count: countOf[index] ?? 0,
    firstSequence: 0,
    number: 0,
  }));
  for (const head of heads) {
    head.firstSequence = reader.plus(expected.firstSequenceOf(head.segment), 1);
    const last = head.firstSequence + head.count - 1;
    if (!Number.isSafeInteger(last)) throw reader.corrupt("a number out of range");
    expected.sawSequences(head.segment, last);
  }
  for (const head of heads) {
    head.number = reader.plus(expected.numberOf(head.segment), 1);
    expected.sawNumber(head.segment, head.number);
  }
  let timestamp = 0;
  const timestampOf = times(count, () => (timestamp = reader.plus(timestamp, 0)));
  const ids = times(count, () => reader.uuid() as TransactionId);
  const batchOf = heads.flatMap(({ count: entries }, index) => times(entries, () => index));
  const entryTimestamps = batchOf.map((index) => reader.plus(timestampOf[index] ?? 0, 0));
  const flags = times(entryCount, () => {
    const value = reader.count();
    if (value > redactedFlag) throw reader.corrupt(`flags ${value}`);
    return value;
  });
  const payloadSizes = times(entryCount, () => reader.count());
  const pairCounts = times(entryCount, () => reader.countOf(0));
  const metadata = readAllMetadata(reader, pairCounts, () => pick(keys));
  const batches: EntryBatch[] = [];
  let at = 0;
  for (const [index, { segment, count: entriesMax, firstSequence, number }] of heads.entries()) {
    const trx: Transaction = { id: ids[index] ?? ("" as TransactionId), node: nodeOf[index] ?? ("" as NodeId), number };
    const entries: Entry[] = [];
    for (let place = 0; place < entriesMax; place += 1, at += 1) {
      entries.push({
        sequence: firstSequence + place,
        timestamp: entryTimestamps[at] ?? 0,
        trx,
        payload: reader.raw(payloadSizes[at] ?? 0),
        metadata: metadata[at] ?? noMetadata,
        space,
        segment,
        ...(flags[at] === redactedFlag ? { redacted: true } : {}),
      });
    }
    const lastSequence = firstSequence + entriesMax - 1;
    batches.push({ trx, space, segment, firstSequence, lastSequence, timestamp: timestampOf[index] ?? 0, entries });
  }
  if (reader.left > 0) throw reader.corrupt(`${reader.left} bytes too many`);
  return batches;
}

/** Predicts the place of the next transaction in the row from those before it. */
class Expected {
  readonly #lastSequences = new Map<SegmentName, number>();
  readonly #numbers = new Map<SegmentName, number>();
  #timestamp = 0;

  firstSequence(batch: EntryBatch): number {
    const expected = this.firstSequenceOf(batch.segment);
    this.sawSequences(batch.segment, batch.lastSequence);
    return expected;
  }

  number(batch: EntryBatch): number {
    const expected = this.numberOf(batch.segment);
    this.sawNumber(batch.segment, batch.trx.number);
    return expected;
  }

  timestamp(batch: EntryBatch): number {
    const expected = this.#timestamp;
    this.#timestamp = batch.timestamp;
    return expected;
  }

  firstSequenceOf(segment: SegmentName): number {
    return (this.#lastSequences.get(segment) ?? 0) + 1;
  }

  numberOf(segment: SegmentName): number {
    return (this.#numbers.get(segment) ?? 0) + 1;
  }

  sawSequences(segment: SegmentName, last: number): void {
    this.#lastSequences.set(segment, last);
  }

  sawNumber(segment: SegmentName, number: number): void {
    this.#numbers.set(segment, number);
  }
}

/** Reads the metadata of all entries: their values stand together, before the payloads. */
function readAllMetadata(
  reader: ColumnReader,
  pairCounts: readonly number[],
  key: () => string,
): readonly ReadonlyMap<string, string>[] {
  const pairs = pairCounts.map((count) => times(count, () => ({ key: key(), bytes: reader.count() })));
  return pairs.map((some) => {
    if (some.length === 0) return noMetadata;
    const metadata = new Map<string, string>();
    for (const pair of some) {
      if (metadata.has(pair.key)) throw reader.corrupt("a repeated metadata key");
      metadata.set(pair.key, reader.textOf(pair.bytes));
    }
    return metadata;
  });
}

function name<T>(reader: ColumnReader, parse: (text: string) => T): T {
  const text = reader.prefixedText();
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof StoreError && error.code !== "corrupt_data") throw reader.corrupt("a name that cannot be one");
    throw error;
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
