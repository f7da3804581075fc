import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { declareContentSize, frameSize } from "../../../src/codec/zstd-frame.ts";
import { saysDamaged, zstdCompressor } from "../../../src/codec/zstd.ts";
import { limits } from "../../../src/core/limits.ts";
import { corrupt, rejectionOf } from "./arbitraries.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const content = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 20_000 }))
    .map(([piece, times]) => Buffer.alloc(piece.length * times, piece)),
);
const sizes = [0, 1, 2, 255, 256, 257, 65_535, 65_536 + 255, 65_536 + 256, 128 * KiB, 128 * KiB + 1, 4 * MiB];

describe("what is compressed", () => {
  test("comes back, from another implementation too", async () => {
    await fc.assert(
      fc.asyncProperty(content, async (plain) => {
        const data = await zstdCompressor.compress(plain);
        expect(Buffer.compare(await zstdCompressor.decompress(data, plain.length), plain)).toBe(0);
        expect(Buffer.compare(zstdDecompressSync(data), plain)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test.each(sizes)("declares its size: %i bytes", async (bytes) => {
    for (const plain of [Buffer.alloc(bytes, "zstd"), noise(bytes)]) {
      const data = await zstdCompressor.compress(plain);
      expect(frameSize(data)).toEqual({ kind: "bounded", atMost: bytes, exactly: bytes });
      expect(Buffer.compare(await zstdCompressor.decompress(data, bytes), plain)).toBe(0);
      expect(Buffer.compare(zstdDecompressSync(data), plain)).toBe(0);
    }
  });

  test("is read when another implementation wrote it", async () => {
    const plain = Buffer.alloc(100_000, "another implementation ");
    expect(Buffer.compare(await zstdCompressor.decompress(zstdCompressSync(plain), plain.length), plain)).toBe(0);
  });

  test("is refused when it is larger than may be", async () => {
    const data = await zstdCompressor.compress(Buffer.alloc(1_000, "x"));
    expect(await rejectionOf(zstdCompressor.decompress(data, 999))).toEqual(corrupt);
  });
});

describe("a frame that we did not write is corrupt", async () => {
  const good = Buffer.from(await zstdCompressor.compress(Buffer.from("hello world hello world")));
  const full = await fullBlock();
  const oneMore = frame(0xa0, uint32(128 * KiB + 1), [block(2, full.length, full, false), block(2, full.length, full)]);
  const skippable = Buffer.from("502a4d1803000000aabbcc", "hex");

  test.each<[string, Uint8Array]>([
    ["nothing", Buffer.alloc(0)],
    ["two frames", Buffer.concat([good, good])],
    ["a skippable frame alone", skippable],
    ["a skippable frame before", Buffer.concat([skippable, good])],
    ["a skippable frame after", Buffer.concat([good, skippable])],
    ["bytes after it", Buffer.concat([good, Buffer.alloc(1)])],
    ["a missing end", good.subarray(0, -1)],
    // Its id reads as a size, and its size as the header of a block, to who forgets the dictionary.
    ["a dictionary", frame(0x21, [1, 0x09], [Buffer.of(0, 0, 0)])],
    ["a reserved bit", frame(0x28, [23], [good.subarray(6)])],
    ["a reserved kind of block", frame(0x20, [1], [block(3, 1, [0])])],
    ["a block beyond its maximum", frame(0xa0, uint32(128 * KiB + 1), [block(1, 128 * KiB + 1, [0])])],
    ["a window of gigabytes", frame(0x00, [0xb0], [block(0, 1, [0])])],
    ["a size of 2^64 - 1", frame(0xe0, Array<number>(8).fill(0xff), [block(0, 1, [0])])],
    ["a size of gigabytes in a few bytes", frame(0xa0, uint32(2 ** 31), [block(0, 1, [0])])],
    ["a size of 1 MiB over a block of 1 byte", frame(0xa0, uint32(MiB), [block(0, 1, [0])])],
  ])("%s, by its headers alone", async (_, data) => {
    expect(frameSize(data).kind).toBe("invalid");
    expect(await rejectionOf(zstdCompressor.decompress(data, limits.plainBytesMax))).toEqual(corrupt);
  });

  test.each<[string, Uint8Array]>([
    ["a size of 1 over a block of 2 bytes", frame(0x20, [1], [block(0, 2, [0, 0])])],
    ["blocks of garbage", frame(0x20, [2], [block(2, 4, [9, 9, 9, 9])])],
    ["a size one less than its blocks become", frame(0xa0, uint32(128 * KiB - 1), [block(2, full.length, full)])],
    ["a size one more than its blocks become", oneMore],
    ["a wrong checksum", frame(0x24, [3], [block(0, 3, [1, 2, 3]), Buffer.alloc(4, 7)])],
  ])("%s, by what is in it", async (_, data) => {
    expect(frameSize(data).kind).toBe("bounded");
    expect(await rejectionOf(zstdCompressor.decompress(data, limits.plainBytesMax))).toEqual(corrupt);
  });

  test("random bytes behind a frame's beginning", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 60 }), async (descriptor, bytes) => {
        await decompressOrCorrupt(frame(descriptor, [], [bytes]));
      }),
      { numRuns: 500 },
    );
  });

  test("a changed byte", async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.nat(), fc.integer({ min: 1, max: 255 }), async (plain, at, change) => {
        const data = Uint8Array.from(await zstdCompressor.compress(plain));
        data[at % data.length]! ^= change;
        await decompressOrCorrupt(data);
      }),
      { numRuns: 300 },
    );
  });

  test("every proper beginning of a frame", async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.nat(), async (plain, at) => {
        const data = await zstdCompressor.compress(plain);
        const cut = data.subarray(0, at % data.byteLength);
        expect(await rejectionOf(zstdCompressor.decompress(cut, limits.plainBytesMax))).toEqual(corrupt);
      }),
    );
  });
});

describe("bombs take no memory", async () => {
  const rle = Array.from({ length: 200_000 }, (_, index) => block(1, 128 * KiB, [0x61], index === 199_999));
  const full = await fullBlock();
  const compressed = Array.from({ length: 20_000 }, (_, index) => block(2, full.length, full, index === 19_999));

  test.each<[string, Uint8Array]>([
    ["repeated bytes, no size", frame(0x00, [0x58], rle)],
    ["repeated bytes, a small size declared", frame(0xa0, uint32(4 * MiB), rle)],
    ["repeated bytes, a small size declared, a window apart", frame(0x80, [0x38, ...uint32(4 * MiB)], rle)],
    ["compressed blocks, no size", frame(0x00, [0x58], compressed)],
    ["compressed blocks, a small size declared", frame(0xa0, uint32(4 * MiB), compressed)],
    ["compressed blocks, a small size declared, a window apart", frame(0x80, [0x38, ...uint32(4 * MiB)], compressed)],
  ])("%s", async (_, data) => {
    const before = process.resourceUsage().maxRSS;
    expect(await rejectionOf(zstdCompressor.decompress(data, limits.plainBytesMax))).toEqual(corrupt);
    // In KiB, and it never falls: what was taken and given back counts. Each of these would become more than 2 GiB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(512 * KiB);
  });

  test("as few blocks, the same frame is read: it is the number that is refused", async () => {
    const [first, last] = [block(2, full.length, full, false), block(2, full.length, full, true)];
    const plain = await zstdCompressor.decompress(frame(0x00, [0x58], [first, last]), limits.plainBytesMax);
    expect(plain).toHaveLength(256 * KiB);
  });
});

test("declaring a size keeps a checksum and leaves a frame that declares one alone", async () => {
  const stream = frame(0x04, [0x58], [block(0, 3, [1, 2, 3]), Buffer.alloc(4, 7)]);
  const declared = Buffer.from(declareContentSize(stream, 3));
  expect(declared.toString("hex")).toBe(frame(0x24, [3], [block(0, 3, [1, 2, 3]), Buffer.alloc(4, 7)]).toString("hex"));
  expect(declareContentSize(declared, 3)).toBe(declared);
  expect(await rejectionOf(zstdCompressor.decompress(declared, 3))).toEqual(corrupt);
});

async function decompressOrCorrupt(data: Uint8Array): Promise<void> {
  const plain = await zstdCompressor.decompress(data, limits.plainBytesMax).catch((error: unknown) => {
    expect(error).toEqual(corrupt);
    return Buffer.alloc(0);
  });
  expect(plain.byteLength).toBeLessThanOrEqual(limits.plainBytesMax);
}

/** Magic number, descriptor, the rest of the header, blocks. */
function frame(descriptor: number, header: readonly number[], blocks: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from("28b52ffd", "hex"), Buffer.from([descriptor, ...header]), ...blocks]);
}

function block(type: number, size: number, bytes: Iterable<number>, last = true): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3);
  return Buffer.concat([header, Buffer.from([...bytes])]);
}

function uint32(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return [...bytes];
}

/** The bytes of a compressed block that becomes 128 KiB and refers to nothing before it. */
async function fullBlock(): Promise<Buffer> {
  const data = Buffer.from(await zstdCompressor.compress(Buffer.alloc(128 * KiB, "abcdefgh")));
  const header = data.readUIntLE(9, 3);
  expect((header >>> 1) & 3).toBe(2);
  return data.subarray(12, 12 + (header >>> 3));
}

/** Bytes that do not compress, the same in each run. */
function noise(bytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = 0x9e3779b9;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return Buffer.from(words.buffer, 0, bytes);
}

describe("an error of a decoder", () => {
  test.each(["zstd: Data corruption detected", "Restored data doesn't match checksum", "zstd: Src size is incorrect"])(
    "that speaks of the bytes is damage: %s",
    (message) => {
      expect(saysDamaged(new Error(message))).toBe(true);
    },
  );

  test.each([
    new Error("zstd: Allocation error : not enough memory"),
    new RangeError("Array buffer allocation failed"),
    new Error("zstd: Error (generic)"),
    "anything",
  ])("that speaks of anything else is none: %s", (error) => {
    expect(saysDamaged(error)).toBe(false);
  });
});
