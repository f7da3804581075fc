// Rows as every version must read them: what is in test/fixtures/rows.json was written once, and is added to, never
// edited.

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { decodeLogHead, encodeLogHead } from "../../../../../src/store/azure/rows/log-rows.ts";
import {
  decodeLogMarker,
  encodeLogMarker,
  encodeSegmentMarker,
  isMarker,
} from "../../../../../src/store/azure/rows/markers.ts";
import {
  decodeSegmentHead,
  encodeCutBlock,
  encodeCutTombstone,
  encodeSegmentHead,
  goneThrough,
  tombstoneOf,
} from "../../../../../src/store/azure/rows/segment-rows.ts";
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
      const { count, timestamp, recordId, registered, format, counts } = decodeLogHead(row);
      return { count, timestamp, recordId, registered, format, ...(counts === undefined ? {} : { counts }) };
    },
    encode: (row: Row) => encodeLogHead(decodeLogHead(row)),
  },
  log_marker: {
    decode: (row: Row) => JSON.parse(JSON.stringify(decodeLogMarker(row))) as Record<string, unknown>,
    encode: (row: Row) => encodeLogMarker(decodeLogMarker(row)),
  },
};

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
