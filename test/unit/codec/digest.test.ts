import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentDigest, derivedTransactionId } from "../../../src/codec/transaction.ts";
import { parseTransactionId } from "../../../src/core/ids.ts";
import { invalid, metadata, payload, thrownBy, transactionId } from "./arbitraries.ts";

const records = fc.array(fc.record({ payload, metadata }), { maxLength: 4 });

describe("the digest of content", () => {
  test("is the SHA-256 of counts, lengths and bytes, fixed for good", () => {
    const value = [
      { payload: Buffer.from("abc"), metadata: new Map([["k", "é"]]) },
      { payload: new Uint8Array(), metadata: new Map() },
    ];
    const layout = Buffer.from(
      "02000000" + "03000000616263" + "01000000010000006b02000000c3a9" + "0000000000000000",
      "hex",
    );
    expect(contentDigest(value)).toBe(createHash("sha256").update(layout).digest("hex").slice(0, 32));
    expect(contentDigest([])).toBe("df3f619804a92fdb4057192dc43dd748");
  });

  test("does not depend on the order of metadata, nor on what else a record has", () => {
    fc.assert(
      fc.property(records, (values) => {
        const turned = values.map((value, index) => ({
          ...value,
          sequence: index + 7,
          metadata: new Map([...value.metadata].reverse()),
        }));
        expect(contentDigest(turned)).toBe(contentDigest(values));
      }),
    );
  });

  test("differs when content differs, however it is divided", () => {
    const bytes = (text: string): Uint8Array => Buffer.from(text);
    const none = new Map<string, string>();
    const different = [
      [],
      [{ payload: bytes(""), metadata: none }],
      [{ payload: bytes("ab"), metadata: none }],
      [
        { payload: bytes("a"), metadata: none },
        { payload: bytes("b"), metadata: none },
      ],
      [
        { payload: bytes("b"), metadata: none },
        { payload: bytes("a"), metadata: none },
      ],
      [{ payload: bytes("a"), metadata: new Map([["b", ""]]) }],
      [{ payload: bytes("a"), metadata: new Map([["", "b"]]) }],
      [{ payload: bytes(""), metadata: new Map([["a", "b"]]) }],
      [{ payload: bytes(""), metadata: new Map([["b", "a"]]) }],
    ];
    expect(new Set(different.map(contentDigest)).size).toBe(different.length);
  });
});

describe("the id of a chunk", () => {
  test("is the request's own for the first", () => {
    fc.assert(
      fc.property(transactionId, (id) => {
        expect(derivedTransactionId(id, 0)).toBe(id);
      }),
    );
  });

  test("is a UUID of version 8 for the others, the same each time, of each id and position another", () => {
    const positions = fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(transactionId, transactionId, positions, (id, other, chosen) => {
        const ids = chosen.map((position) => derivedTransactionId(id, position));
        for (const derived of ids)
          expect(derived).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(chosen.map((position) => derivedTransactionId(id, position))).toEqual(ids);
        expect(new Set([id, ...ids]).size).toBe(ids.length + 1);
        if (other !== id) expect(derivedTransactionId(other, 1)).not.toBe(derivedTransactionId(id, 1));
      }),
    );
  });

  test("never changes from version to version", () => {
    const id = parseTransactionId("00112233-4455-6677-8899-aabbccddeeff");
    expect(derivedTransactionId(id, 1)).toBe("091dfc67-6890-80e5-91dc-87f671bf23f9");
    expect(derivedTransactionId(id, 2)).toBe("1435de7b-fcd5-8013-9ea4-62240c886fd2");
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])("has no position %d", (position) => {
    const id = parseTransactionId("00112233-4455-6677-8899-aabbccddeeff");
    expect(thrownBy(() => derivedTransactionId(id, position))).toEqual(invalid);
  });
});
