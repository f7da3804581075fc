// The rows of one consumer, read and written together: they are in one partition of the store's table.

import type { ConsumerName } from "../core/ids.ts";
import type { Page, Row, Table, Write } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { hexKey } from "../codec/lexkey.ts";
import type { Consumer, ConsumerRow } from "./consumer.ts";
import { consumerPartition, consumerRowKey, decodeConsumerRow } from "./consumer.ts";
import type { Mark, MarksOf } from "./mark.ts";
import { decodeMark, encodeMark, markRowKey, marksRange } from "./mark.ts";
import type { Partition } from "./partition.ts";
import { decodePartition, encodePartition, partitionRowKey } from "./partition.ts";
import type { Snapshot } from "./decide.ts";

/** A partition, and the version of its row. */
export interface SeenPartition {
  readonly partition: Partition;
  readonly etag: string;
}

/** All that is stored of a consumer but its marks, at one moment. */
export interface Seen {
  /** Undefined: there never was one of the name. */
  readonly row: (ConsumerRow & { readonly etag: string }) | undefined;
  readonly partitions: ReadonlyMap<number, SeenPartition>;
  /** The storage's time. */
  readonly now: number;
}

/** One query, of 65 rows at most. */
export async function readSeen(table: Table, name: ConsumerName, signal?: AbortSignal): Promise<Seen> {
  const partition = consumerPartition(name);
  const range = { partition, from: hexKey("C"), to: `${hexKey("P")}g` };
  const { rows, now } = await readAll(table, range, signal);
  const head = rows.find(({ row }) => row === consumerRowKey(name));
  const row = head === undefined ? undefined : { ...decodeConsumerRow(head, name), etag: head.etag };
  const partitions = new Map<number, SeenPartition>();
  if (row?.kind === "live") {
    const byKey = new Map(rows.map((one) => [one.row, one]));
    for (let number = 0; number < row.consumer.partitions; number += 1) {
      const stored = byKey.get(partitionRowKey(row.consumer.life, number));
      if (stored === undefined) continue;
      partitions.set(number, { partition: decodePartition(stored, row.consumer.spaces), etag: stored.etag });
    }
  }
  return { row, partitions, now };
}

export async function readMarks(
  table: Table,
  name: ConsumerName,
  of: MarksOf,
  signal?: AbortSignal,
): Promise<readonly Mark[]> {
  return (await readAll(table, marksRange(consumerPartition(name), of), signal)).rows.map((row) => decodeMark(row));
}

export async function readAll(
  table: Table,
  range: { readonly partition: string; readonly from: string; readonly to: string },
  signal?: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly now: number }> {
  const rows: Row[] = [];
  let continuation: string | undefined;
  try {
    for (;;) {
      const page: Page = await table.query(range, { continuation, signal });
      rows.push(...page.rows);
      ({ continuation } = page);
      if (continuation === undefined) return { rows, now: page.serviceTime };
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(error, "none");
  }
}

/**
 * The number of marks, and the version of their set, are of the partition's row: an instance that knows the version
 * knows the marks.
 */
export function asStored(before: Snapshot, { partition, marks }: Snapshot): Snapshot {
  if (marks === before.marks) return { partition, marks };
  const marksVersion = before.partition.marksVersion + 1;
  return { marks, partition: { ...partition, marks: marks.length, marksVersion } };
}

/** The writes that take a partition and its marks from one snapshot to the next, in one transaction. */
export function writesOf(consumer: Consumer, number: number, etag: string, before: Snapshot, after: Snapshot): Write[] {
  const of = { life: consumer.life, generation: consumer.generation, partition: number };
  const former = new Map(before.marks.map((mark) => [markRowKey(of, mark), mark]));
  const kept = new Set(after.marks.map((mark) => markRowKey(of, mark)));
  const puts = after.marks.filter((mark) => former.get(markRowKey(of, mark)) !== mark);
  const gone = [...former.keys()].filter((key) => !kept.has(key));
  return [
    {
      kind: "replace",
      row: partitionRowKey(consumer.life, number),
      properties: encodePartition(consumer, after.partition),
      ifMatch: etag,
    },
    ...puts.map((mark): Write => ({ kind: "upsert", row: markRowKey(of, mark), properties: encodeMark(mark) })),
    // Their versions are those of the partition's row, which is replaced as it was read.
    ...gone.map((row): Write => ({ kind: "delete", row, ifMatch: "*" })),
  ];
}
