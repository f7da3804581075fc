// Mistakes in compaction, and in what readers and writers make of merged rows.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

const mergedLast = '{ kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag }';
const mergedOthers =
  '...fits.group.slice(0, -1).map(({ row: { row, etag } }): Write => ({ kind: "delete", row, ifMatch: etag })),';
const whatever = (text: string): string => text.replace(/ifMatch: [a-z.]+/, 'ifMatch: "*"');

export const compacting: readonly Mutation[] = [
  mutation(
    "records-merged-whatever",
    300,
    "rows of a log merged without their ETags",
    azure("compact/compact", mergedLast, whatever(mergedLast)),
    azure("compact/compact", mergedOthers, whatever(mergedOthers).replace("{ row, etag }", "{ row }")),
  ),
  mutation(
    "pending-records-merged",
    50,
    "records merged that the log's head lists as pending",
    azure("compact/compact", "const settled = settledThrough(head);", "const settled = head.head.timestamp;"),
  ),
  mutation(
    "merged-counts-dropped",
    50,
    "a merged row without the counts of its records",
    azure("compact/compact", "counts: last.records.counts,", "counts: undefined,"),
  ),
  mutation(
    "merged-ids-dropped-at-once",
    50,
    "a merged row without the ids of records that an attempt may look for",
    azure("compact/compact", 'const isCut = tier === "again" || ids.includes(undefined);', "const isCut = true;"),
  ),
  mutation(
    "merged-block-forgets-the-trim",
    300,
    "blocks merged without what the first of them says is gone",
    azure(
      "compact/merge-blocks",
      'encodeMergedBlocks(numberIn(first.row, "f", 1), goneThrough(first.row), fits.data)',
      'encodeMergedBlocks(numberIn(first.row, "f", 1), 0, fits.data)',
    ),
  ),
  mutation(
    "bound-ends-at-its-key",
    50,
    "a read up to a time that ends before the row whose key is later",
    azure(
      "read/read",
      "// To the end: what is wanted may be in a row whose key is later.\n  const range = recordRange(logPartition(space), first, lastRecordTimestamp);",
      "const range = recordRange(logPartition(space), first, last);",
    ),
  ),
];
