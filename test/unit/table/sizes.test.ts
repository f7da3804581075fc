import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import { batchRequest, writeRequest } from "../../../src/table/batch.ts";
import type { Properties, Value, Write } from "../../../src/table/port.ts";
import { checkSubmit, checkTop, entityBytes, propertiesMax, submitBytes } from "../../../src/table/sizes.ts";

const put = (properties: Properties, row = "r"): Write => ({ kind: "upsert", row, properties });
const tooLarge = expect.objectContaining({ kind: "too_large", effect: "none" }) as Error;
const rejected = expect.objectContaining({ kind: "rejected", effect: "none" }) as Error;
const many = (count: number, value: Value): Properties =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, value]));

test("a binary property has at most 64 KiB, a string 32 Ki characters, whatever their bytes", () => {
  checkSubmit("p", [put({ binary: new Uint8Array(65_536), text: "é".repeat(32_768) })]);
  expect(() => checkSubmit("p", [put({ binary: new Uint8Array(65_537) })])).toThrow(tooLarge);
  expect(() => checkSubmit("p", [put({ text: "x".repeat(32_769) })])).toThrow(tooLarge);
});

test("an entity's size is the service's formula: keys, names and strings as UTF-16, 8 a property, 4 a length", () => {
  expect(entityBytes("pp", "rrr", {})).toBe(4 + 10);
  const properties = { text: "äöü", whole: 1n, flag: true, data: new Uint8Array(5) };
  expect(entityBytes("", "", properties)).toBe(4 + (8 + 8 + 10) + (8 + 10 + 8) + (8 + 8 + 1) + (8 + 8 + 9));
});

test("an entity has at most 1 MiB, to the byte", () => {
  // 15 full properties and one that fills the entity up.
  const full = many(15, new Uint8Array(65_536));
  const rest = limits.entityBytesMax - entityBytes("p", "r", { ...full, rest: new Uint8Array(0) });
  checkSubmit("p", [put({ ...full, rest: new Uint8Array(rest) })]);
  expect(() => checkSubmit("p", [put({ ...full, rest: new Uint8Array(rest + 1) })])).toThrow(tooLarge);
});

test("an entity has at most 252 properties", () => {
  checkSubmit("p", [put(many(propertiesMax, true))]);
  expect(() => checkSubmit("p", [put(many(propertiesMax + 1, true))])).toThrow(tooLarge);
});

test("a key has at most 512 characters, none of them / \\ # ? or a control character", () => {
  checkSubmit("p".repeat(512), [put({}, "r".repeat(512))]);
  expect(() => checkSubmit("p".repeat(513), [put({})])).toThrow(tooLarge);
  expect(() => checkSubmit("p", [put({}, "r".repeat(513))])).toThrow(tooLarge);
  for (const character of ["/", "\\", "#", "?", "\u0000", "\t", "\u007f", "\u009f", "\ud800"]) {
    expect(() => checkSubmit(`a${character}`, [put({})])).toThrow(rejected);
    expect(() => checkSubmit("p", [put({}, `a${character}`)])).toThrow(rejected);
  }
});

test("a submit has 1 to 100 writes, of different rows", () => {
  const writes = Array.from({ length: 101 }, (_, index) => put({}, String(index)));
  checkSubmit("p", writes.slice(0, 100));
  expect(() => checkSubmit("p", writes)).toThrow(tooLarge);
  expect(() => checkSubmit("p", [])).toThrow(rejected);
  expect(() => checkSubmit("p", [put({}), { kind: "delete", row: "r", ifMatch: "*" }])).toThrow(rejected);
});

test("a submit has at most 4 MiB of body, base64 included", () => {
  const mebibyte = many(15, new Uint8Array(65_000));
  const writes = ["a", "b", "c", "d"].map((row) => put(mebibyte, row));
  checkSubmit("p", writes.slice(0, 3));
  expect(() => checkSubmit("p", writes)).toThrow(tooLarge);
});

test("values and names that the service cannot keep are refused", () => {
  checkSubmit("p", [put({ low: -(2n ** 63n), high: 2n ** 63n - 1n, _a1: "" })]);
  const wrong: Properties[] = [
    { n: 2n ** 63n },
    { n: -(2n ** 63n) - 1n },
    { text: "\udc00" },
    { "a-b": true },
    { "1a": true },
    { "a\r\nIf-Match": true },
    { RowKey: "r" },
    { Timestamp: "t" },
    Object.fromEntries([["__proto__", "x"]]),
  ];
  for (const properties of wrong) expect(() => checkSubmit("p", [put(properties)])).toThrow(rejected);
});

test("an ETag cannot carry another header", () => {
  const write: Write = { kind: "delete", row: "r", ifMatch: "*\r\nX: y" };
  expect(() => checkSubmit("p", [write])).toThrow(rejected);
});

test("a page has 1 to 1,000 rows", () => {
  for (const top of [undefined, 1, 1_000]) checkTop(top);
  for (const top of [0, 1_001, 1.5, Number.NaN]) expect(() => checkTop(top)).toThrow(rejected);
});

const anyKey = fc.string({ unit: "binary", maxLength: 512 }).filter((key) => {
  try {
    checkSubmit(key, [put({}, key)]);
    return true;
  } catch {
    return false;
  }
});
const anyProperties = fc.dictionary(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,30}$/).filter((name) => name !== "__proto__"),
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.boolean(),
    fc.uint8Array({ maxLength: 300 }),
  ),
  { maxKeys: 20 },
);
const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ kind: fc.constant("insert" as const), row: anyKey, properties: anyProperties }),
  fc.record({ kind: fc.constant("upsert" as const), row: anyKey, properties: anyProperties }),
  fc.record({
    kind: fc.constant("replace" as const),
    row: anyKey,
    properties: anyProperties,
    ifMatch: fc.stringMatching(/^[!-~]{1,80}$/),
  }),
  fc.record({ kind: fc.constant("delete" as const), row: anyKey, ifMatch: fc.stringMatching(/^[!-~]{1,80}$/) }),
);

test("the planned size of a submit is never below its body, and the body is ASCII", () => {
  const id = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";
  const endpoint = `https://${"a".repeat(24)}.table.core.windows.net`;
  const table = "t".repeat(63);
  fc.assert(
    fc.property(
      anyKey,
      fc.uniqueArray(anyWrite, { minLength: 1, maxLength: 5, selector: (write) => write.row }),
      (partition, writes) => {
        const { body } = batchRequest(endpoint, table, partition, writes, id);
        expect(body).toMatch(/^[\x00-\x7f]*$/);
        expect(submitBytes(partition, writes)).toBeGreaterThanOrEqual(body!.length);
      },
    ),
  );
});

test("the planned size of a full block is close to its body", () => {
  const write = put(many(14, new Uint8Array(65_536)));
  const body = writeRequest("t", "p", write).body!.length;
  expect(submitBytes("p", [write]) / body).toBeLessThan(1.01);
});
