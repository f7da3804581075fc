import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Part } from "../../../src/codec/lexkey.ts";
import {
  compareUtf8,
  fromHex,
  hexKey,
  int64,
  lexkey,
  lexkeyFirst,
  lexkeyLast,
  toHex,
  uint64,
  uuidPart,
} from "../../../src/codec/lexkey.ts";
import { anyText, invalid, spaceName, thrownBy } from "./arbitraries.ts";
import { lexkeyVectors } from "./vectors.ts";

const encoders = { Encode: lexkey, EncodeFirst: lexkeyFirst, EncodeLast: lexkeyLast };
const int64Value = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const uint64Value = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe("keys have the bytes of the reference", () => {
  test.each(lexkeyVectors)("$fn: $name", ({ fn, parts, hex }) => {
    const ours = parts.map(partOf);
    expect(toHex(encoders[fn](...ours))).toBe(hex);
    if (fn === "Encode") expect(hexKey(...ours)).toBe(hex);
  });
});

describe("the order of keys is the order of values", () => {
  test("strings order by their UTF-8, alone and before further parts", () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        const order = sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(sign(compareUtf8(a, b))).toBe(order);
        expect(sign(Buffer.compare(lexkey(a), lexkey(b)))).toBe(order);
        expect(ordinal(hexKey(a), hexKey(b))).toBe(order);
      }),
    );
  });

  test("names order before whatever follows them", () => {
    fc.assert(
      fc.property(spaceName, spaceName, uint64Value, uint64Value, (a, b, left, right) => {
        const order = compareUtf8(a, b) === 0 ? compareBigInt(left, right) : sign(compareUtf8(a, b));
        expect(ordinal(hexKey(a, uint64(left)), hexKey(b, uint64(right)))).toBe(order);
      }),
    );
  });

  test("integers order by value, negative first", () => {
    fc.assert(
      fc.property(int64Value, int64Value, (a, b) => {
        expect(ordinal(hexKey(int64(a)), hexKey(int64(b)))).toBe(compareBigInt(a, b));
      }),
    );
    fc.assert(
      fc.property(uint64Value, uint64Value, (a, b) => {
        expect(ordinal(hexKey(uint64(a)), hexKey(uint64(b)))).toBe(compareBigInt(a, b));
      }),
    );
  });

  test("UTF-16 order is not theirs", () => {
    expect(["\uffff", "\u{10000}"].sort()).toEqual(["\u{10000}", "\uffff"]);
    expect(compareUtf8("\uffff", "\u{10000}")).toBeLessThan(0);
    expect(compareUtf8("a\u{1f680}", "a\ue000")).toBeGreaterThan(0);
    expect(compareUtf8("\u{10000}", "\u{10001}")).toBeLessThan(0);
    expect(compareUtf8("a", "ab")).toBeLessThan(0);
  });

  test("first and last enclose every key that continues theirs", () => {
    fc.assert(
      fc.property(spaceName, spaceName, (name, next) => {
        const inside = lexkey(name, next);
        expect(Buffer.compare(lexkeyFirst(name), inside)).toBeLessThanOrEqual(0);
        expect(Buffer.compare(lexkeyLast(name), inside)).toBe(1);
      }),
    );
  });
});

describe("hex", () => {
  test("comes back as the bytes it was", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect([...fromHex(toHex(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  test("is of the bytes viewed, not of the buffer behind them", () => {
    expect(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe("0203");
  });

  test.each(["0", "0g", "AB", "0x00", " 00", "00\n", "é0"])("%j is refused", (text) => {
    expect(thrownBy(() => fromHex(text))).toEqual(invalid);
  });
});

describe("parts that would not come back are refused", () => {
  test.each<[string, () => unknown]>([
    ["a rounded number", () => int64(2 ** 53)],
    ["a fraction", () => uint64(1.5)],
    ["a negative unsigned", () => uint64(-1)],
    ["beyond 64 bits, signed", () => int64(1n << 63n)],
    ["below 64 bits, signed", () => int64(-(1n << 63n) - 1n)],
    ["beyond 64 bits, unsigned", () => uint64(1n << 64n)],
    ["a lone surrogate", () => lexkey("\ud800")],
    ["a UUID without dashes", () => uuidPart("00112233445566778899aabbccddeeff")],
  ])("%s", (_, act) => {
    expect(thrownBy(act)).toEqual(invalid);
  });
});

function partOf({ t, v, utf8hex }: { t: string; v: string; utf8hex?: string }): Part {
  switch (t) {
    case "string":
      // Bytes that are not UTF-8 are no JavaScript string: they can only come in as bytes.
      return toHex(Buffer.from(v)) === (utf8hex ?? "") ? v : Buffer.from(utf8hex ?? "", "hex");
    case "int64":
      return int64(BigInt(v));
    case "uint64":
      return uint64(BigInt(v));
    case "uuid":
      return uuidPart(v);
    default:
      return fromHex(v);
  }
}

function ordinal(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareBigInt(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sign(order: number): number {
  return Math.sign(order);
}
