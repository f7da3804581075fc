import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/codec/lexkey.ts";
import { batchBytes, decodeBatch, encodeBatch } from "../../../src/codec/transaction.ts";
import { zstdCompressor } from "../../../src/codec/zstd.ts";
import { limits } from "../../../src/core/limits.ts";
import { batch, corrupt, thrownBy, unlessCorrupt } from "./arbitraries.ts";
import { batchOf, codecVectors, plainBatch } from "./vectors.ts";

const { transactions } = codecVectors;
/** What the reference can write and no commit of ours is. */
const forbidden = new Map([
  ["no entries", "a transaction has at least one"],
  ["entry with empty segment inside", "its entry is of another segment"],
]);

describe("transactions have the bytes of the reference", () => {
  test.each(transactions)("written: $name", ({ input, hex }) => {
    const ours = batchOf(input);
    expect(toHex(encodeBatch(ours))).toBe(hex);
    expect(batchBytes(ours)).toBe(hex.length / 2);
  });

  test.each(transactions.filter(({ name }) => !forbidden.has(name)))("read: $name", ({ input, hex }) => {
    expect(plainBatch(decodeBatch(fromHex(hex)))).toEqual(plainBatch(batchOf(input)));
  });

  test.each([...forbidden])("corrupt: %s, because %s", (name) => {
    const [vector] = transactions.filter((candidate) => candidate.name === name);
    expect(thrownBy(() => decodeBatch(fromHex(vector!.hex)))).toEqual(corrupt);
  });

  test.each(transactions)("compressed by another implementation: $name", async ({ hex, zstdHex }) => {
    expect(toHex(await zstdCompressor.decompress(fromHex(zstdHex), limits.plainBytesMax))).toBe(hex);
  });
});

test("every transaction comes back as it was written", () => {
  fc.assert(
    fc.property(batch, (value) => {
      const bytes = encodeBatch(value);
      expect(bytes.byteLength).toBe(batchBytes(value));
      expect(plainBatch(decodeBatch(bytes))).toEqual(plainBatch(value));
    }),
  );
});

test("bytes do not depend on whether entries share the objects of their transaction", () => {
  fc.assert(
    fc.property(batch, (value) => {
      const apart = { ...value, entries: value.entries.map((entry) => ({ ...entry, trx: { ...entry.trx } })) };
      expect(toHex(encodeBatch(apart))).toBe(toHex(encodeBatch(value)));
    }),
  );
});

test("bytes after a transaction are ignored", () => {
  const { input, hex } = transactions[0]!;
  expect(plainBatch(decodeBatch(fromHex(`${hex}00ff`)))).toEqual(plainBatch(batchOf(input)));
});

describe("bytes that are no transaction", () => {
  test("every proper beginning of one is corrupt", () => {
    fc.assert(
      fc.property(batch, fc.nat(), (value, at) => {
        const bytes = encodeBatch(value);
        expect(thrownBy(() => decodeBatch(bytes.subarray(0, at % bytes.length)))).toEqual(corrupt);
      }),
    );
  });

  test("random bytes are corrupt", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        unlessCorrupt(() => decodeBatch(bytes));
      }),
    );
  });

  test("a changed byte gives a whole transaction, or is corrupt", () => {
    fc.assert(
      fc.property(batch, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, change) => {
        const bytes = Uint8Array.from(encodeBatch(value));
        bytes[at % bytes.length]! ^= change;
        const read = unlessCorrupt(() => decodeBatch(bytes));
        if (read === undefined) return;
        expect(read.entries.map(({ sequence }) => sequence)).toEqual(
          read.entries.map((_, index) => read.firstSequence + index),
        );
        expect(read.entries.at(-1)?.sequence).toBe(read.lastSequence);
        expect(
          read.entries.every(
            ({ trx, space, segment }) => trx === read.trx && space + segment === read.space + read.segment,
          ),
        ).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["a sequence twice", { sequence: 1 }],
    ["another transaction", { trx: { ...batchOf(transactions[0]!.input).trx, number: 2 } }],
    ["another space", { space: batchOf(transactions[0]!.input).segment as never }],
  ])("an entry with %s is corrupt", (_, change) => {
    const value = batchOf(transactions[0]!.input);
    const [first, second] = value.entries;
    const bytes = encodeBatch({ ...value, entries: [first!, { ...second!, ...change }] });
    expect(thrownBy(() => decodeBatch(bytes))).toEqual(corrupt);
  });

  test("no entries are corrupt, also where the sequences agree", () => {
    const bytes = encodeBatch({ ...batchOf(transactions[0]!.input), firstSequence: 2, lastSequence: 1, entries: [] });
    expect(thrownBy(() => decodeBatch(bytes))).toEqual(corrupt);
  });

  test("a count that its bytes cannot hold is corrupt, whatever the sequences say", () => {
    const value = batchOf(transactions[0]!.input);
    const bytes = Buffer.from(encodeBatch({ ...value, firstSequence: 1, lastSequence: 0xffffffff }));
    bytes.fill(0xff, 86, 90);
    expect(thrownBy(() => decodeBatch(bytes))).toEqual(corrupt);
  });
});
