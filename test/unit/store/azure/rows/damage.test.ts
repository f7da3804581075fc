// Rows of every kind, damaged at random: what cannot be read is `corrupt_data`, or of a later format, and nothing else.
//
// A row that still reads after the damage is what some writer could have written: then it may be believed.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { encodeBlock, decodeBlock, joinData } from "../../../../../src/codec/block.ts";
import { zstdCompressor } from "../../../../../src/codec/zstd.ts";
import { isUnreadable, NewerFormat } from "../../../../../src/core/errors.ts";
import {
  parseLeaseHolder,
  parseNodeId,
  parseSegmentName,
  parseSpaceName,
  parseSubscriptionId,
  parseTransactionId,
} from "../../../../../src/core/ids.ts";
import { limits } from "../../../../../src/core/limits.ts";
import { decodeLease, encodeLease } from "../../../../../src/lease/lease-state.ts";
import { decodeSubscription, encodeSubscription } from "../../../../../src/notify/subscription.ts";
import { nothingDelivered } from "../../../../../src/notify/health.ts";
import {
  blockRow,
  contentOfPartition,
  openLogOfRow,
  openLogRow,
  recordRow,
  segmentOfRow,
  segmentPartition,
  segmentRowOf,
  spaceOfRow,
  timestampOfRow,
} from "../../../../../src/store/azure/rows/keys.ts";
import { hexKey } from "../../../../../src/codec/lexkey.ts";
import {
  decodeLogHead,
  decodeRecordSummary,
  encodeLogHead,
  encodeRecord,
} from "../../../../../src/store/azure/rows/log-rows.ts";
import { decodeLogMarker, encodeLogMarker, encodeSegmentMarker } from "../../../../../src/store/azure/rows/markers.ts";
import {
  emptySegment,
  decodeSegmentHead,
  decodeTransactionRow,
  encodeBlockRow,
  encodeCutBlock,
  encodeSegmentHead,
  encodeTombstone,
  encodeTransactionRow,
  goneThrough,
  lastEntryOf,
  tombstoneOf,
} from "../../../../../src/store/azure/rows/segment-rows.ts";
import type { Properties, Row } from "../../../../../src/table/port.ts";
import { decoder } from "../../../../../src/table/row-values.ts";

const space = parseSpaceName("orders");
const segment = parseSegmentName("b/ä 🙂");
const id = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
const node = parseNodeId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4e");
const digest = "ab".repeat(16);
const now = 1_795_413_241_659;
const place = { id, number: 2, firstSequence: 3, lastSequence: 4, timestamp: now, digest, segments: 1 };
const trx = { id, node, number: 2 };
const entries = [3, 4].map((sequence) => {
  const metadata = new Map([["by", "card"]]);
  return { sequence, timestamp: now, trx, payload: Buffer.alloc(40, "payload"), metadata, space, segment };
});
const batch = { trx, space, segment, firstSequence: 3, lastSequence: 4, timestamp: now, entries };
const data = await encodeBlock([batch], zstdCompressor);
const [last] = entries;

interface Kind {
  readonly kind: string;
  readonly key: string;
  readonly properties: Properties;
  readonly decode: (row: Row) => unknown;
}

const decodeData = (row: Row): unknown => decodeBlock(joinData(row.properties), zstdCompressor);

const kinds: readonly Kind[] = [
  {
    kind: "the head of a log",
    key: "00",
    properties: encodeLogHead({
      ...{
        count: 9,
        timestamp: now,
        recordId: id,
        registered: true,
        fences: new Map([["writer", 3]]),
        droppedAt: now - 90,
      },
      ...{ format: 2 as const, counts: { entries: 40, bytes: 4_000 } },
      unapplied: { from: 0, to: 0, listed: [now - 5, now] },
      unnotified: { from: now - 90, to: now - 40, listed: [now] },
    }),
    decode: decodeLogHead,
  },
  {
    kind: "a log record",
    key: recordRow(now),
    properties: encodeRecord(
      { timestamp: now, recordId: id, node, position: 9, transactions: [{ ...place, segment, keyed: true }] },
      data,
    ),
    decode: (row) => [decodeRecordSummary(row), decodeData(row)],
  },
  {
    kind: "the head of a segment",
    key: "00",
    properties: encodeSegmentHead(
      {
        ...emptySegment,
        firstSequence: 3,
        ownFirst: 2,
        firstTimestamp: now - 9,
        lastSequence: 4,
        lastTimestamp: now,
        transactionNumber: 2,
        transactionId: id,
      },
      last,
    ),
    decode: (row) => [decodeSegmentHead(row), lastEntryOf(row)],
  },
  {
    kind: "the marker of a log",
    key: recordRow(now),
    properties: encodeLogMarker({
      last: { segment, sequence: 4 },
      position: 9,
      recordId: id,
      counts: { entries: 4, bytes: 90 },
    }),
    decode: decodeLogMarker,
  },
  { kind: "the marker of a segment", key: blockRow(4), properties: encodeSegmentMarker(), decode: goneThrough },
  { kind: "a block without its beginning", key: blockRow(4), properties: encodeCutBlock(3, data), decode: goneThrough },
  { kind: "a block", key: "00", properties: encodeBlockRow(3, data), decode: decodeData },
  { kind: "a tombstone", key: "00", properties: encodeTombstone(3, now), decode: tombstoneOf },
  {
    kind: "a transaction's row",
    key: "00",
    properties: encodeTransactionRow(place),
    decode: (row) => decodeTransactionRow(row, id),
  },
  {
    kind: "a lease",
    key: hexKey("reports"),
    properties: encodeLease({ holder: parseLeaseHolder("worker-7"), expiresAt: now, token: 3 }),
    decode: decodeLease,
  },
  {
    kind: "a subscription",
    key: hexKey("mine"),
    properties: encodeSubscription({
      ...{
        id: parseSubscriptionId("mine"),
        space,
        segment,
        prefix: undefined,
        createdAt: now,
        report: nothingDelivered,
      },
      target: { webhook: "https://example.com/hook" },
      secret: { current: "whsec_YQ==", former: { secret: "whsec_Yg==", until: now } },
    }),
    decode: decodeSubscription,
  },
];

/** What becomes of one property, drawn from two numbers. */
const damage = fc.oneof(
  fc.record({ what: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ what: fc.constant("cut" as const), at: fc.nat() }),
  fc.record({
    what: fc.constant("put" as const),
    value: fc.oneof(
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      fc.constantFrom(0n, 2n, -1n, BigInt(Number.MAX_SAFE_INTEGER), BigInt(limits.headNumberMax) + 1n),
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.boolean(),
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(undefined),
    ),
  }),
);

function damaged(value: Properties[string], how: typeof damage extends fc.Arbitrary<infer T> ? T : never) {
  if (how.what === "put") return how.value;
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
  if (bytes.length === 0) return undefined;
  const at = how.at % bytes.length;
  if (how.what === "flip") bytes[at] = (bytes[at] ?? 0) ^ (1 << how.bit);
  const changed = how.what === "cut" ? bytes.subarray(0, at) : bytes;
  if (value instanceof Uint8Array) return new Uint8Array(changed);
  if (typeof value !== "bigint") return changed.toString("utf8");
  const text = changed.toString("latin1");
  return /^-?\d+$/.test(text) ? BigInt(text) : text;
}

async function outcome(decode: () => unknown): Promise<"read" | "unreadable"> {
  try {
    const got = decode();
    await Promise.all(Array.isArray(got) ? got : [got]);
    return "read";
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return "unreadable";
  }
}

describe.each(kinds)("$kind", ({ kind, key, properties, decode }) => {
  const row = (changed: Properties): Row => ({
    partition: "",
    row: key,
    etag: "e",
    writtenAt: now,
    properties: changed,
  });

  test("is read as it was written", async () => {
    expect(await outcome(() => decode(row(properties)))).toBe("read");
  });

  test("damaged anywhere it is unreadable, or reads as something that could have been written", async () => {
    const names = Object.keys(properties);
    const damages = fc.array(fc.tuple(fc.nat(), damage), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(damages, async (all) => {
        const changed: Record<string, Properties[string]> = { ...properties };
        for (const [which, how] of all) {
          const name = names[which % names.length] ?? "v";
          const before = changed[name];
          const after = before === undefined ? undefined : damaged(before, how);
          if (after === undefined) Reflect.deleteProperty(changed, name);
          else changed[name] = after;
        }
        await outcome(() => decode(row(changed)));
      }),
      { numRuns: 500 },
    );
  });

  test("of another format than this version's is not taken for one of it", async () => {
    // Heads and what trims leave have a second one.
    const later = /head|marker|without|log record/.test(kind) ? 3n : 2n;
    for (const v of [later, 0n, "1", true]) {
      if (decode === tombstoneOf || decode === decodeData) continue;
      expect(await outcome(() => decode(row({ ...properties, v })))).toBe("unreadable");
    }
  });
});

test("a number, a time or a sequence that nothing could follow is damage", async () => {
  for (const { kind, key, properties, decode } of kinds.filter((one) => one.kind.startsWith("the head"))) {
    for (const name of Object.keys(properties).filter((one) => typeof properties[one] === "bigint" && one !== "v")) {
      const value = BigInt(Number.MAX_SAFE_INTEGER);
      const row: Row = {
        partition: "",
        row: key,
        etag: "e",
        writtenAt: now,
        properties: { ...properties, [name]: value },
      };
      expect(await outcome(() => decode(row)), `${kind}, ${name}`).toBe("unreadable");
    }
  }
});

test("damage is told with the row where it is, at once or when the data is decoded, and nothing else is changed", async () => {
  const row: Row = {
    partition: "aa",
    row: "bb",
    etag: "e",
    writtenAt: now,
    properties: { v: 1n, d0: Buffer.from("x") },
  };
  const where = /It is in partition aa, row bb\.$/;
  const late = decoder(async (of: Row) => decodeBlock(joinData(of.properties), zstdCompressor));
  const sync = [decodeLogHead, decodeRecordSummary, decodeSegmentHead, decodeLease, decodeSubscription];
  for (const decode of [...sync, (of: Row) => decodeTransactionRow(of, id)]) {
    expect(() => void decode(row)).toThrow(where);
  }
  await expect(late(row)).rejects.toThrow(where);
  await expect(late(row)).rejects.toMatchObject({ code: "corrupt_data" });
  const newer = { ...row, properties: { v: 99n } };
  expect(() => decodeSegmentHead(newer)).toThrow(NewerFormat);
});

describe("a key", () => {
  const readers: readonly (readonly [string, string, (key: string) => unknown])[] = [
    ["of a log record", recordRow(now), timestampOfRow],
    ["of a name of a space", hexKey(space), spaceOfRow],
    ["of a name of a segment", hexKey(segment), segmentOfRow],
    ["of an open log", openLogRow("00112233-4455-6677-8899-aabbccddeeff" as never, space), openLogOfRow],
    ["of a partition", segmentPartition(space, segment), contentOfPartition],
    ["of a row of a segment", "0000000000000005", segmentRowOf],
  ];

  test.each(readers)("%s, damaged anywhere, is unreadable, of nobody, or another's", async (_, key, read) => {
    expect(await outcome(() => read(key))).toBe("read");
    const bad = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString("hex")),
      fc.tuple(fc.nat(key.length - 1), fc.integer({ min: 0, max: 16 })).map(([at, digit]) => {
        return key.slice(0, at) + digit.toString(17) + key.slice(at + 1);
      }),
      fc.nat(key.length).map((length) => key.slice(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(bad, async (text) => {
        await outcome(() => read(text));
      }),
      { numRuns: 500 },
    );
  });

  test("whose bytes are no UTF-8 is not read as another name", () => {
    expect(() => spaceOfRow("ff")).toThrow(expect.objectContaining({ code: "corrupt_data" }) as Error);
    expect(() => contentOfPartition(hexKey("DAT", "SPACES", Buffer.from([0xff])))).toThrow("of no name");
  });
});
