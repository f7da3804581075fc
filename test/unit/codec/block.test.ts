import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Compressor } from "../../../src/codec/block.ts";
import {
  blockPlainBytes,
  cutData,
  dataPropertyNames,
  decodeBlock,
  encodeBlock,
  joinData,
  plainCompressor,
} from "../../../src/codec/block.ts";
import { encodeBatch } from "../../../src/codec/transaction.ts";
import { zstdCompressor } from "../../../src/codec/zstd.ts";
import { limits } from "../../../src/core/limits.ts";
import { batch, corrupt, rejectionOf, thrownBy } from "./arbitraries.ts";
import { batchOf, codecVectors, plainBatch } from "./vectors.ts";

const batches = fc.array(batch, { maxLength: 4 });
const compressors: readonly [string, Compressor][] = [
  ["plain", plainCompressor],
  ["zstd", zstdCompressor],
];
const full = batchOf(codecVectors.transactions.find(({ name }) => name.startsWith("90 entries"))!.input);

describe.each(compressors)("a block, %s", (_, compressor) => {
  test("comes back as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (values) => {
        const read = await decodeBlock(await encodeBlock(values, compressor), compressor);
        expect(read.map(plainBatch)).toEqual(values.map(plainBatch));
      }),
    );
  });

  test("that was changed in one byte is a block, or corrupt", async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(), fc.integer({ min: 1, max: 255 }), async (values, at, change) => {
        fc.pre(values.length > 0);
        const data = Uint8Array.from(await encodeBlock(values, compressor));
        data[at % data.length]! ^= change;
        await decodeBlock(data, compressor).catch((error: unknown) => {
          expect(error).toEqual(corrupt);
        });
      }),
      { numRuns: 300 },
    );
  });

  test("that was cut short between transactions or within them never reads as whole", async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(), async (values, at) => {
        fc.pre(values.length > 0);
        const data = await encodeBlock(values, compressor);
        const read = await decodeBlock(data.subarray(0, at % data.length), compressor).catch((error: unknown) => {
          expect(error).toEqual(corrupt);
          return [];
        });
        expect(read.length).toBeLessThan(values.length);
      }),
    );
  });
});

test("a block is its transactions, each behind its length", async () => {
  const values = codecVectors.transactions.slice(0, 2).map(({ input }) => batchOf(input));
  const expected = values.flatMap((value) => {
    const bytes = encodeBatch(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  expect(Buffer.from(await encodeBlock(values, plainCompressor))).toEqual(Buffer.concat(expected));
});

test("its size before compression is known without encoding", async () => {
  await fc.assert(
    fc.asyncProperty(batches, async (values) => {
      expect((await encodeBlock(values, plainCompressor)).byteLength).toBe(blockPlainBytes(values));
    }),
  );
});

test("many similar entries are compressed as one piece", async () => {
  const data = await encodeBlock([full], zstdCompressor);
  expect(data.byteLength).toBeLessThan(blockPlainBytes([full]) / 10);
});

test("a block that could not be read again is not written", async () => {
  const count = Math.ceil(limits.plainBytesMax / blockPlainBytes([full]));
  const tooMany = Array.from({ length: count }, () => full);
  expect(await rejectionOf(encodeBlock(tooMany, zstdCompressor))).toMatchObject({ code: "internal" });
  expect(await decodeBlock(await encodeBlock(tooMany.slice(1), zstdCompressor), zstdCompressor)).toHaveLength(
    count - 1,
  );
});

test("the plain compressor keeps to the bound as any other", async () => {
  expect(await plainCompressor.decompress(new Uint8Array(5), 5)).toHaveLength(5);
  expect(await rejectionOf(plainCompressor.decompress(new Uint8Array(6), 5))).toEqual(corrupt);
});

describe("data over properties", () => {
  const size = fc.oneof(
    fc.nat({ max: limits.dataBytesMax }),
    fc.constantFrom(
      0,
      1,
      limits.propertyBytesMax - 1,
      limits.propertyBytesMax,
      limits.propertyBytesMax + 1,
      limits.dataBytesMax,
    ),
  );

  test("is cut into full pieces and a last one, and joins to what it was", () => {
    fc.assert(
      fc.property(size, (bytes) => {
        const data = Buffer.alloc(bytes, "0123456789abcdefg");
        const properties = cutData(data);
        const names = Object.keys(properties);
        expect(names).toEqual(dataPropertyNames.slice(0, Math.max(1, Math.ceil(bytes / limits.propertyBytesMax))));
        for (const name of names.slice(0, -1)) expect(properties[name]).toHaveLength(limits.propertyBytesMax);
        expect(Buffer.compare(joinData({ other: "beside", ...properties }), data)).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  test("has a name for every piece that may be stored", () => {
    expect(dataPropertyNames).toHaveLength(14);
    expect([dataPropertyNames[0], dataPropertyNames[13]]).toEqual(["d00", "d13"]);
  });

  test("beyond what an entity holds is not written", () => {
    expect(thrownBy(() => cutData(new Uint8Array(limits.dataBytesMax + 1)))).toMatchObject({ code: "internal" });
  });

  const piece = Uint8Array.of(1);
  test.each<[string, Record<string, unknown>]>([
    ["none", { v: 1n }],
    ["the first missing", { d01: piece }],
    ["one missing between", { d00: piece, d02: piece }],
    ["one that is text", { d00: piece, d01: "AQ==" }],
  ])("with %s is corrupt", (_, properties) => {
    expect(thrownBy(() => joinData(properties))).toEqual(corrupt);
  });
});
