// Rows as every version must read them: what is in test/fixtures/rows.json was written once, and is added to, never
// edited.

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { parseStoreId } from "../../../../../src/core/ids.ts";
import { decodeDue, encodeDue } from "../../../../../src/jobs/due.ts";
import { decodeJob, encodeJob } from "../../../../../src/jobs/job.ts";
import { decodeRetention, encodeRetention } from "../../../../../src/retention/policy.ts";
import {
  decodeLogHead,
  decodeRecordSummary,
  encodeLogHead,
  encodeRecord,
} from "../../../../../src/store/azure/rows/log-rows.ts";
import {
  decodeLogMarker,
  encodeLogMarker,
  encodeSegmentMarker,
  isMarker,
} from "../../../../../src/store/azure/rows/markers.ts";
import {
  decodeCompacted,
  decodeMergedRecords,
  encodeCompacted,
  encodeMergedBlocks,
  encodeMergedRecords,
  isMerged,
} from "../../../../../src/store/azure/rows/merged-rows.ts";
import { deletedThrough, encodeDeletedName } from "../../../../../src/store/azure/rows/name-rows.ts";
import {
  decodeSegmentHead,
  encodeCutBlock,
  encodeCutTombstone,
  encodeSegmentHead,
  goneThrough,
  tombstoneOf,
} from "../../../../../src/store/azure/rows/segment-rows.ts";
import { decodeStoreRow, encodeStoreRow } from "../../../../../src/store/azure/rows/store-row.ts";
import { decodeProducer, encodeProducer } from "../../../../../src/store/azure/rows/stream-rows.ts";
import type { Properties, Row, Value } from "../../../../../src/table/port.ts";

type StoredJson = Readonly<Record<string, string | boolean | { readonly int64: string } | { readonly hex: string }>>;

interface Vector {
  readonly name: string;
  readonly kind: keyof typeof codecs;
  readonly row: string;
  readonly properties: StoredJson;
  readonly decoded: Readonly<Record<string, unknown>>;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../../fixtures/rows.json", import.meta.url), "utf8"),
) as readonly Vector[];

const data = Buffer.from("28b52ffd", "hex");
const store = parseStoreId("0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21");

/** Each decodes a row to plain values, and encodes what these say. */
const codecs = {
  segment_head: {
    decode: (row: Row) => {
      const { changedAt, stream, ...head } = decodeSegmentHead(row);
      return stream === undefined ? head : { ...head, changedAt, stream: { ...stream } };
    },
    encode: (row: Row) => encodeSegmentHead(decodeSegmentHead(row), undefined),
  },
  segment_marker: {
    decode: (row: Row) => ({ isMarker: isMarker(row), goneThrough: goneThrough(row) }),
    encode: () => encodeSegmentMarker(),
  },
  cut_block: {
    decode: (row: Row) => ({ isMarker: isMarker(row), goneThrough: goneThrough(row) }),
    encode: (row: Row) => encodeCutBlock(goneThrough(row) + 1, data),
  },
  cut_tombstone: {
    decode: (row: Row) => ({ goneThrough: goneThrough(row), lost: tombstoneOf(row) }),
    encode: (row: Row) => encodeCutTombstone(goneThrough(row) + 1, tombstoneOf(row) ?? 0),
  },
  log_head: {
    decode: (row: Row) => {
      const { count, timestamp, recordId, registered, format, counts, ending, life } = decodeLogHead(row);
      return asJson({ count, timestamp, recordId, registered, format, counts, ending, life });
    },
    encode: (row: Row) => encodeLogHead(decodeLogHead(row)),
  },
  log_marker: {
    decode: (row: Row) => asJson(decodeLogMarker(row)),
    encode: (row: Row) => encodeLogMarker(decodeLogMarker(row)),
  },
  record: {
    decode: (row: Row) => asJson(decodeRecordSummary(row)),
    encode: (row: Row) => encodeRecord(decodeRecordSummary(row), data),
  },
  merged_records: {
    decode: (row: Row) => asJson({ isMerged: isMerged(row), ...decodeMergedRecords(row) }),
    encode: (row: Row) => encodeMergedRecords(decodeMergedRecords(row), data),
  },
  merged_blocks: {
    decode: (row: Row) => ({ isMerged: isMerged(row), goneThrough: goneThrough(row) }),
    encode: (row: Row) => encodeMergedBlocks(goneThrough(row) + 1, goneThrough(row), data),
  },
  compacted: {
    decode: (row: Row) => asJson(decodeCompacted(row)),
    encode: (row: Row) => encodeCompacted(decodeCompacted(row)),
  },
  producer: {
    decode: (row: Row) => asJson(decodeProducer(row)),
    encode: (row: Row) => encodeProducer(decodeProducer(row)),
  },
  deleted_name: {
    decode: (row: Row) => ({ deletedThrough: deletedThrough(row) }),
    encode: (row: Row) => encodeDeletedName(deletedThrough(row) ?? 0),
  },
  store: {
    decode: (row: Row) => asJson(decodeStoreRow(row)),
    encode: (row: Row) => encodeStoreRow(decodeStoreRow(row)),
  },
  due: {
    decode: (row: Row) => asJson(decodeDue(row)),
    encode: (row: Row) => encodeDue(decodeDue(row), decodeDue(row).failures),
  },
  job: {
    decode: (row: Row) => asJson(decodeJob(row, store)),
    encode: (row: Row) => encodeJob(decodeJob(row, store)),
  },
  retention: {
    decode: (row: Row) => asJson(decodeRetention(row)),
    encode: (row: Row) => encodeRetention(decodeRetention(row)),
  },
};

/** Absent members are left out. */
function asJson(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}

describe("golden rows", () => {
  test.each(vectors)("$name is read, and written as it is", ({ kind, row: key, properties, decoded }) => {
    const row: Row = { partition: "00", row: key, etag: "e", writtenAt: 0, properties: propertiesOf(properties) };
    expect(codecs[kind].decode(row)).toEqual(decoded);
    expect(plain(codecs[kind].encode(row))).toEqual(plain(row.properties));
  });

  test("all kinds of rows of the second format have one", () => {
    expect(new Set(vectors.map(({ kind }) => kind))).toEqual(new Set(Object.keys(codecs)));
  });

  test("a head that was not trimmed, and of the first format, is written as the first release wrote it", () => {
    expect(
      plain(
        encodeSegmentHead(
          {
            firstSequence: 1,
            ownFirst: 1,
            firstTimestamp: 7,
            lastSequence: 3,
            lastTimestamp: 9,
            transactionNumber: 2,
            transactionId: "x",
            changedAt: 0,
            stream: undefined,
            format: 1,
          },
          undefined,
        ),
      ),
    ).toEqual(plain({ v: 1n, ft: 7n, l: 3n, lt: 9n, tn: 2n, ti: "x" }));
  });
});

function propertiesOf(json: StoredJson): Properties {
  return Object.fromEntries<Value>(
    Object.entries(json).map(([name, value]): [string, Value] => {
      if (typeof value !== "object") return [name, value];
      return [name, "hex" in value ? Uint8Array.from(Buffer.from(value.hex, "hex")) : BigInt(value.int64)];
    }),
  );
}

function plain(properties: Properties): Record<string, unknown> {
  return Object.fromEntries<unknown>(
    Object.entries(properties).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );
}
