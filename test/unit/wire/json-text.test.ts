// JSON is taken apart without losing how it was written, and what is not JSON is refused, whatever it is.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { invalidArgument, StoreError } from "../../../src/core/errors.ts";
import { parseConsumeBody } from "../../../src/wire/consume-body.ts";
import { parseObject } from "../../../src/wire/parse.ts";
import { isPlainJson, parseSlice, splitArray, splitObject } from "../../../src/wire/json-text.ts";
import { leaseBodySchema } from "../../../src/wire/operations/leases.ts";
import { parseProduceAllBody, parseProduceBody, parseRecord } from "../../../src/wire/records.ts";

/** JSON text with white space wherever it may be. */
const spacedJson = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t", "\n "))
  .map(([value, space]) => JSON.stringify(value, null, space));

describe("an object", () => {
  test("gives its members as they were written", () => {
    const members = splitObject(' { "a" : 1.0 ,"b":[ 1 , 2 ], "c":"x\\"}", "__proto__":{} } ', "body");
    expect([...members].map(([key, slice]) => [key, slice.text])).toEqual([
      ["a", "1.0"],
      ["b", "[ 1 , 2 ]"],
      ["c", '"x\\"}"'],
      ["__proto__", "{}"],
    ]);
  });

  test("with a key twice is refused, however it is written", () => {
    expect(() => [...splitObject('{"a":1,"a":2}', "body")]).toThrow(/every key once/);
    expect(() => [...splitObject('{"a":1,"\\u0061":2}', "body")]).toThrow(/every key once/);
  });

  test("of any kind comes apart into what JSON.parse finds in it", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), spacedJson), (members) => {
        const text = `{${Object.entries(members)
          .map(([key, value]) => ` ${JSON.stringify(key)} : ${value}`)
          .join(",")}}`;
        const split = new Map(splitObject(text, "body"));
        expect(split.size).toBe(Object.keys(members).length);
        for (const [key, slice] of split) {
          expect(slice.text).toBe(members[key]?.trim());
          expect(parseSlice(slice, key)).toEqual(JSON.parse(slice.text));
        }
      }),
    );
  });
});

describe("an array", () => {
  test("of any kind comes apart into its elements", () => {
    fc.assert(
      fc.property(fc.array(spacedJson), (elements) => {
        const text = `[ ${elements.join(" , ")} ]`;
        expect([...splitArray(text, "records")].map((slice) => slice.text)).toEqual(elements);
      }),
    );
  });
});

describe("what is not JSON", () => {
  test.each([
    "",
    "{",
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    "{a:1}",
    '{"a" 1}',
    '{"a":1}x',
    "[1]",
    "null",
    '{"a":"',
  ])("is refused as an object: %s", (text) => {
    expect(() => [...splitObject(text, "body")]).toThrow(StoreError);
  });

  test.each(["", "[", "[1", "[1,", "[1,]", "[,1]", "[1]2", "{}", '["'])("is refused as an array: %s", (text) => {
    expect(() => [...splitArray(text, "records")]).toThrow(StoreError);
  });

  test("is refused exactly where JSON.parse refuses it, when it is a payload", () => {
    const damaged = fc.tuple(spacedJson, fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, insert]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + insert + text.slice(place + 1);
    });
    fc.assert(
      fc.property(damaged, (text) => {
        expect(isPlainJson(text)).toBe(parses(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test("never ends in another error than one that says what was expected", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ":", ",", "1", " ", "payload", "records") }),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        for (const read of [
          () => [...parseProduceBody([Buffer.from(text)], "json")],
          () => parseRecord(text, "text", "line 1"),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(StoreError);
            expect((error as StoreError).code).toBe("invalid_argument");
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a member that has no place in its object", () => {
  test("is refused before anything of it, or after it, is parsed", () => {
    const unparsable = `{"x":{nonsense},"records":[]`;
    expect(() => [...parseProduceBody([Buffer.from(unparsable)], "json")]).toThrow("x: expected nothing of that name");
    expect(() => parseRecord(`{"payload":1,"__proto__":{nonsense}}`, "json", "line 2")).toThrow(
      "line 2.__proto__: expected nothing of that name",
    );
    expect(() => parseObject(leaseBodySchema, unparsable)).toThrow("x: expected nothing of that name");
    expect(() => parseConsumeBody(unparsable)).toThrow("x: expected nothing of that name");
  });

  test("or is of another kind is told by its kind, whatever is in it", () => {
    const million = `[${"1,".repeat(1_000_000)}1]`;
    expect(() => parseObject(leaseBodySchema, `{"holder":"a","ttlSeconds":${million}}`)).toThrow(/^ttlSeconds/);
    const shown = invalidArgument(
      "x",
      "a number",
      Array.from({ length: 1_000_000 }, () => 1),
    ).message;
    expect(shown).toBe("x: expected a number; received an array.");
    expect(invalidArgument("x", "a number", { a: 1 }).message).toBe("x: expected a number; received an object.");
  });
});

describe("size and depth", () => {
  test("a payload is nested at most 500 deep; one level more is refused, a hundred thousand too", () => {
    const nested = (depth: number) => `{"payload":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(parseRecord(nested(500), "json", "line 1").payload.byteLength).toBe(1_000);
    for (const depth of [501, 100_000]) expect(() => parseRecord(nested(depth), "json", "line 1")).toThrow(/within/);
    expect(isPlainJson("[".repeat(501) + "]".repeat(501))).toBe(false);
  });

  test.each([
    ["a line", (record: string) => [parseRecord(record, "json", "line 1")]],
    ["a body of records", (record: string) => [...parseProduceBody([Buffer.from(`{"records":[${record}]}`)], "json")]],
    [
      "a body of several segments",
      (record: string) =>
        [...parseProduceAllBody([Buffer.from(`{"segments":[{"segment":"g","records":[${record}]}]}`)], "json")].flatMap(
          (step) => step.record ?? [],
        ),
    ],
  ])("what is around the payload does not count: %s", (_, read) => {
    const nested = (depth: number) => `{"payload":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`;
    expect(read(nested(500))).toHaveLength(1);
    expect(() => read(nested(501))).toThrow("payload: expected at most 500 arrays and objects within each other");
  });

  test("what is not read as a payload may be nested at will, and is refused for what it is", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(() => parseRecord(`{"payload":1,"metadata":${deep}}`, "json", "line 1")).toThrow(/a JSON object/);
    expect(() => parseRecord(`{"payload":${deep}}`, "text", "line 1")).toThrow(/a string/);
  });

  test("a record far too large is refused by its length, before it is parsed", () => {
    const text = `{"payload":"${"x".repeat(6 * 1024 * 1024)}"}`;
    expect(() => parseRecord(text, "text", "line 7")).toThrow(expect.objectContaining({ code: "record_too_large" }));
  });

  test("metadata are read no further than a record may have them", () => {
    const pairs = Array.from({ length: 200_000 }, (_, index) => `"${index}":""`).join(",");
    expect(() => parseRecord(`{"payload":"","metadata":{${pairs},nonsense}}`, "text", "line 7")).toThrow(
      expect.objectContaining({ code: "record_too_large", details: { field: "line 7", limit: 768 * 1024 } }),
    );
  });

  test("quotes and backslashes by the million cost one pass", () => {
    const startedAt = performance.now();
    expect(() => parseRecord(`{"payload":"${"\\".repeat(2_000_000)}`, "text", "line 1")).toThrow(StoreError);
    expect(() => [...splitObject(`{"a":"${'\\"'.repeat(2_000_000)}`, "body")]).toThrow(StoreError);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test("numbers that would be rounded into a sequence are refused", () => {
    for (const sequence of ["9007199254740993", "1.5", "1e3", "-1", "0", "1e400", '"1.5"', "true", "[1]"]) {
      const text = `{"payload":"","sequence":${sequence}}`;
      expect(() => parseRecord(text, "text", "line 1"), sequence).toThrow(StoreError);
    }
    expect(parseRecord('{"payload":"","sequence":9007199254740991}', "text", "").sequence).toBe(9007199254740991);
  });

  test("lone surrogates are refused in text and metadata", () => {
    for (const text of [
      '{"payload":"\\ud800"}',
      '{"payload":"","metadata":{"\\udfff":""}}',
      '{"payload":"","metadata":{"a":"\\ud800"}}',
    ]) {
      expect(() => parseRecord(text, "text", "line 1")).toThrow(/well-formed/);
    }
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
