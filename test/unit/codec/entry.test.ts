import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeEntry, encodeEntry, entryBytes } from "../../../src/codec/entry.ts";
import { fromHex, toHex } from "../../../src/codec/lexkey.ts";
import { zstdCompressor } from "../../../src/codec/zstd.ts";
import { limits } from "../../../src/core/limits.ts";
import { corrupt, entry, thrownBy, unlessCorrupt } from "./arbitraries.ts";
import { codecVectors, entryOf, plainEntry } from "./vectors.ts";

/** What the reference writes and our domain has no value for. */
const forbidden = new Map([
  ["sequence 2^53+1", "no number holds it exactly"],
  ["negative timestamp", "time begins in 1970"],
  ["NUL in names", "names have no control characters"],
  ["empty segment", "names are not empty"],
  ["zero entry with names", "sequences begin with 1"],
]);
const unwritable = "sequence 2^53+1";

describe("entries have the bytes of the reference", () => {
  const { entries } = codecVectors;

  test.each(entries.filter(({ name }) => name !== unwritable))("written: $name", ({ input, hex }) => {
    const ours = entryOf(input);
    expect(toHex(encodeEntry(ours))).toBe(hex);
    expect(entryBytes(ours)).toBe(hex.length / 2);
  });

  test("a sequence that would be rounded is never written", () => {
    const [vector] = entries.filter(({ name }) => name === unwritable);
    expect(thrownBy(() => encodeEntry(entryOf(vector!.input)))).toMatchObject({ code: "internal" });
  });

  test.each(entries.filter(({ name }) => !forbidden.has(name)))("read: $name", ({ decoded, hex }) => {
    expect(plainEntry(decodeEntry(fromHex(hex)))).toEqual(plainEntry(entryOf(decoded!)));
  });

  test.each([...forbidden])("corrupt: %s, because %s", (name) => {
    const [vector] = entries.filter((candidate) => candidate.name === name);
    expect(thrownBy(() => decodeEntry(fromHex(vector!.hex)))).toEqual(corrupt);
  });

  test.each(entries)("compressed by another implementation: $name", async ({ hex, zstdHex }) => {
    expect(toHex(await zstdCompressor.decompress(fromHex(zstdHex), limits.plainBytesMax))).toBe(hex);
  });
});

describe("metadata of several keys", () => {
  const { input, anyOfHex, sortedKeysHex, zstdHex } = codecVectors.multiKeyMetadata;

  test("is written sorted, however it came", () => {
    const sorted = entryOf(input);
    const reversed = { ...sorted, metadata: new Map([...sorted.metadata].reverse()) };
    expect(toHex(encodeEntry(sorted))).toBe(sortedKeysHex);
    expect(toHex(encodeEntry(reversed))).toBe(sortedKeysHex);
  });

  test.each(anyOfHex)("is read in any order: %s", (hex) => {
    expect(plainEntry(decodeEntry(fromHex(hex)))).toEqual(plainEntry(entryOf(input)));
  });

  test("compressed by another implementation, is one of those", async () => {
    expect(anyOfHex).toContain(toHex(await zstdCompressor.decompress(fromHex(zstdHex), limits.plainBytesMax)));
  });

  test("is sorted as UTF-8, not as UTF-16", () => {
    const metadata = new Map([
      ["\u{10000}", "second"],
      ["\uffff", "first"],
    ]);
    const text = Buffer.from(encodeEntry({ ...entryOf(input), metadata })).toString("utf8");
    expect(text.indexOf("first")).toBeLessThan(text.indexOf("second"));
  });

  test("with a key twice is corrupt", () => {
    const hex = anyOfHex[0]!.replace("0100000062", "0100000061");
    expect(hex).not.toBe(anyOfHex[0]);
    expect(thrownBy(() => decodeEntry(fromHex(hex)))).toEqual(corrupt);
  });
});

describe("bytes that are no entry", () => {
  test.each(codecVectors.robustness)("$name", ({ hex, decoded, error }) => {
    if (error === "nil") expect(plainEntry(decodeEntry(fromHex(hex)))).toEqual(plainEntry(entryOf(decoded)));
    else expect(thrownBy(() => decodeEntry(fromHex(hex)))).toEqual(corrupt);
  });

  test("every proper beginning of an entry is corrupt", () => {
    fc.assert(
      fc.property(entry, fc.nat(), (value, at) => {
        const bytes = encodeEntry(value);
        expect(thrownBy(() => decodeEntry(bytes.subarray(0, at % bytes.length)))).toEqual(corrupt);
      }),
    );
  });

  test("random bytes are corrupt", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        unlessCorrupt(() => decodeEntry(bytes));
      }),
    );
  });

  test("a changed byte gives an entry that can be written, or is corrupt", () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, change) => {
        const bytes = Uint8Array.from(encodeEntry(value));
        bytes[at % bytes.length]! ^= change;
        const read = unlessCorrupt(() => decodeEntry(bytes));
        if (read !== undefined) expect(plainEntry(decodeEntry(encodeEntry(read)))).toEqual(plainEntry(read));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["payload", 56],
    ["metadata count", 71],
    ["key", 75],
    ["value", 80],
    ["space", 85],
    ["segment", 95],
  ])("a length of 4 GiB in %s is corrupt", (_, at) => {
    const bytes = Uint8Array.from(fromHex(codecVectors.entries[0]!.hex));
    bytes.fill(0xff, at, at + 4);
    expect(thrownBy(() => decodeEntry(bytes))).toEqual(corrupt);
  });

  test("text that is not UTF-8 is corrupt, a written U+FFFD is not", () => {
    const [vector] = codecVectors.entries;
    const value = { ...entryOf(vector!.input), metadata: new Map([["k", "\ufffd"]]) };
    expect(decodeEntry(encodeEntry(value)).metadata.get("k")).toBe("\ufffd");
    const broken = vector!.hex.replace("0100000076", "01000000ff");
    expect(broken).not.toBe(vector!.hex);
    expect(thrownBy(() => decodeEntry(fromHex(broken)))).toEqual(corrupt);
  });
});

test("every entry comes back as it was written", () => {
  fc.assert(
    fc.property(entry, (value) => {
      const bytes = encodeEntry(value);
      expect(bytes.byteLength).toBe(entryBytes(value));
      expect(plainEntry(decodeEntry(bytes))).toEqual(plainEntry(value));
    }),
  );
});

test("the payload is a view of what was read", () => {
  const bytes = encodeEntry(entryOf(codecVectors.entries[0]!.input));
  expect(decodeEntry(bytes).payload.buffer).toBe(bytes.buffer);
});
