// The small forms of the wire: lines, paths, media types, payloads, problems.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { invalidArgument, StoreError, sequenceMismatch } from "../../../src/core/errors.ts";
import { parseSegmentName } from "../../../src/core/ids.ts";
import { errorCodes, problemOf, problemSchema, retryAfterSeconds } from "../../../src/wire/errors.ts";
import { JsonSlice } from "../../../src/wire/json-text.ts";
import { readLines } from "../../../src/wire/lines.ts";
import { bodyType, negotiate, formatPath, matchPath } from "../../../src/wire/operation.ts";
import { decodePayload, encodings, payloadMembers } from "../../../src/wire/payload.ts";

describe("lines", () => {
  const read = async (pieces: readonly Uint8Array[]): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of readLines(arriving(pieces), () => undefined)) lines.push(`${line.number}:${line.text}`);
    return lines;
  };

  test("are the same however the bytes arrive", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), fc.infiniteStream(fc.nat(9)), async (lines, cuts) => {
        const clean = lines.map((line) => line.replace(/[\n\ufeff]/g, ""));
        const bytes = Buffer.from(clean.join("\n"));
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < bytes.length;) {
          const end = at + (cuts.next().value as number);
          pieces.push(bytes.subarray(at, end));
          at = end;
        }
        const expected = clean
          .map((text, index) => `${index + 1}:${text}`)
          .filter((_, index) => clean[index]?.trim() !== "");
        expect(await read(pieces)).toEqual(expected);
      }),
    );
  });

  test("that are not UTF-8 are refused by number", async () => {
    await expect(read([Buffer.from("{}\n"), Buffer.from([0xff, 0x0a])])).rejects.toThrow(/line 2: expected UTF-8/);
  });

  test("longer than a record can be are refused before they have ended", async () => {
    let taken = 0;
    const endless = (async function* () {
      for (;;) {
        await Promise.resolve();
        taken += 1;
        yield new Uint8Array(64 * 1024).fill(0x20);
      }
    })();
    const reading = async (): Promise<void> => {
      for await (const line of readLines(endless, () => undefined)) expect(line).toBeUndefined();
    };
    await expect(reading()).rejects.toMatchObject({ code: "record_too_large" });
    expect(taken).toBeLessThan(100);
  });
});

describe("paths", () => {
  const template = "/v1/stores/{store}/spaces/{space}/entries";

  test("give back any names that were put into them", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => text.isWellFormed() && text !== "." && text !== ".." && !text.includes("%"));
    fc.assert(
      fc.property(name, name, fc.boolean(), (store, space, isEncodedTwice) => {
        const path = formatPath(template, { store, space });
        const { pathname } = new URL(isEncodedTwice ? path.replaceAll("%2F", "%252F") : path, "http://x");
        expect(matchPath(template, pathname)).toEqual(
          new Map([
            ["store", store],
            ["space", space],
          ]),
        );
      }),
    );
  });

  test.each(["a%2Fb", "a%2fb", "a%252Fb", "a%252fb"])("%s names a/b", (space) => {
    expect(matchPath(template, `/v1/stores/x/spaces/${space}/entries`)?.get("space")).toBe("a/b");
  });

  test("match in any case of their literals, with a slash at the end, and nothing else", () => {
    expect(matchPath(template, "/V1/Stores/a/SPACES/b/entries/")).toEqual(
      new Map([
        ["store", "a"],
        ["space", "b"],
      ]),
    );
    for (const path of ["", "/", "/v1", "/v1/stores/a/spaces/b/entries/c", "/v1/stores/a/spaces/b/entriesx"]) {
      expect(matchPath(template, path), path).toBeUndefined();
    }
  });
});

describe("Accept", () => {
  const offered = ["application/json", "application/x-ndjson"] as const;
  test.each([
    [null, "application/json"],
    ["*/*", "application/json"],
    ["application/x-ndjson", "application/x-ndjson"],
    ["application/x-ndjson;q=0.5, application/json;q=0.4", "application/x-ndjson"],
    ["text/html, application/*;q=0.1", "application/json"],
    ["application/json;q=0, */*", "application/x-ndjson"],
  ])("%s is answered with %s", (accept, expected) => {
    expect(negotiate(accept, offered)).toBe(expected);
  });

  test.each(["text/html", "application/json;q=0", "nonsense", "application/json;q=x"])(
    "%s is not acceptable",
    (accept) => {
      expect(() => negotiate(accept, offered)).toThrow(expect.objectContaining({ code: "not_acceptable" }));
    },
  );
});

test("a body's type may have a charset, if that is UTF-8", () => {
  const taken = ["application/json"] as const;
  expect(bodyType("Application/JSON; charset=UTF-8", taken)).toBe("application/json");
  for (const type of [null, "", "text/json", "application/json; charset=latin1"]) {
    expect(() => bodyType(type, taken)).toThrow(expect.objectContaining({ code: "unsupported_media_type" }));
  }
});

describe("a payload", () => {
  test("of any bytes comes back identical under the encoding it was written with, and in base64 under any other", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(...encodings), (bytes, encoding) => {
        const shown = JSON.parse(`{${payloadMembers(bytes, encoding, false)}}`) as {
          encoding?: "base64";
          payload: unknown;
        };
        const text = new JsonSlice(JSON.stringify(shown.payload));
        const back = decodePayload(text, shown.encoding ?? encoding, "payload");
        if (encoding !== "json" || shown.encoding === "base64") expect(Buffer.from(back)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test("in base64 is taken only as it would be written", () => {
    for (const text of ["A", "AA", "AAA", "A===", "AB==", "AA==\n", "_-8=", "AAAA="]) {
      expect(() => decodePayload(new JsonSlice(JSON.stringify(text)), "base64", "payload"), text).toThrow(/base64/);
    }
  });
});

describe("a problem", () => {
  test("of every code fits its schema", () => {
    for (const code of errorCodes) {
      const problem = problemOf(new StoreError(code, "What happened.", { details: { limit: 1 } }), "id-1");
      expect(problemSchema.parse(problem)).toEqual(problem);
      expect(problem.code).toBe(code);
    }
  });

  test("cannot be changed by details of the same names", () => {
    const problem = problemOf(new StoreError("overloaded", "Full.", { details: { status: 200, code: "ok" } }), "id-1");
    expect(problem).toMatchObject({ status: 503, code: "overloaded" });
  });

  test("is below 4 KiB and well-formed, whatever of the caller's is told back", () => {
    for (const text of ["x", "\u0000", "\\", '"', "ключ", "😀", "a\ud800"].map((part) => part.repeat(10_000))) {
      const errors = [
        invalidArgument(text, text, text),
        invalidArgument(`x${text}`, `x${text}`, `x${text}`),
        new StoreError("lease_held", text, { details: { holder: text, remainingMs: 1 } }),
      ];
      for (const error of errors) {
        const problem = problemOf(error, "r".repeat(128));
        expect(Buffer.byteLength(JSON.stringify(problem))).toBeLessThan(4_096);
        for (const member of Object.values(problem)) {
          if (typeof member === "string") expect(member).toMatch(/^[^\u0000-\u001f\u007f-\u009f]*$/);
          if (typeof member === "string") expect(member.isWellFormed()).toBe(true);
        }
      }
    }
  });

  test("carries what the error knows", () => {
    const error = sequenceMismatch({
      segment: parseSegmentName("g"),
      expected: 2,
      received: 9,
      lastSequence: 1,
      winner: undefined,
    });
    expect(problemOf(error, undefined)).toMatchObject({
      ...{ segment: "g", expected: 2, received: 9, lastSequence: 1, retryable: false },
    });
  });

  test("says when to come back where that helps", () => {
    expect(retryAfterSeconds(new StoreError("throttled", "", { retryAfterMs: 1_200 }))).toBe(2);
    expect(retryAfterSeconds(new StoreError("overloaded", ""))).toBe(1);
    expect(retryAfterSeconds(new StoreError("not_found", ""))).toBeUndefined();
    expect(retryAfterSeconds(new Error("a mistake"))).toBeUndefined();
  });
});

async function* arriving(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    await Promise.resolve();
    yield piece;
  }
}
