import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cursorAfter, encodeCursor, laterCursor, parseCursor } from "../../../src/codec/cursor.ts";
import { compareUtf8, hexKey, int64, toHex, uint64 } from "../../../src/codec/lexkey.ts";
import { parseSegmentName, parseSpaceName } from "../../../src/core/ids.ts";
import { limits } from "../../../src/core/limits.ts";
import { anyText, invalid, segmentName, sequence, spaceName, thrownBy, timestamp } from "./arbitraries.ts";

const place = fc.record({ space: spaceName, timestamp, segment: segmentName, sequence });
const space = parseSpaceName("space0");
const segment = parseSegmentName("segment0");
const example = { space, timestamp: 1_700_000_000_000, segment, sequence: 42 };
const exampleHex = "4441540053504143455300737061636530008000018bcfe56800007365676d656e743000000000000000002a";

test("a cursor is the key that the reference scans from", () => {
  expect(encodeCursor(example)).toBe(exampleHex);
  expect(parseCursor(exampleHex)).toEqual(example);
});

test("comes back as the place it was made of", () => {
  fc.assert(
    fc.property(place, (value) => {
      expect(parseCursor(encodeCursor(value))).toEqual(value);
    }),
  );
});

test("has room for the longest names", () => {
  const longest = {
    ...example,
    space: parseSpaceName("s".repeat(limits.spaceNameBytesMax)),
    segment: parseSegmentName("é".repeat(limits.segmentNameBytesMax / 2)),
    timestamp: Number.MAX_SAFE_INTEGER,
    sequence: Number.MAX_SAFE_INTEGER,
  };
  expect(parseCursor(encodeCursor(longest))).toEqual(longest);
});

test("cursors of a space sort as its entries do", () => {
  const near = fc.record({
    space: fc.constant(space),
    timestamp: fc.constantFrom(1, 2, 255, 256, 2 ** 40),
    segment: fc.oneof(segmentName, fc.constantFrom("a", "ab", "b", "\uffff", "\u{10000}").map(parseSegmentName)),
    sequence: fc.constantFrom(1, 2, 256, 65_536),
  });
  fc.assert(
    fc.property(near, near, (a, b) => {
      const order = a.timestamp - b.timestamp || compareUtf8(a.segment, b.segment) || a.sequence - b.sequence;
      const [left, right] = [encodeCursor(a), encodeCursor(b)];
      expect(left < right ? -1 : left > right ? 1 : 0).toBe(Math.sign(order));
    }),
  );
});

test("the place after a timestamp is behind all of it and before all that is later, whatever the names", () => {
  fc.assert(
    fc.property(timestamp, segmentName, sequence, (time, of, number) => {
      if (time >= limits.sequenceMax - 1) return;
      const cursor = cursorAfter(space, time);
      if (time > 0) expect(encodeCursor({ space, timestamp: time, segment: of, sequence: number }) < cursor).toBe(true);
      expect(cursor < encodeCursor({ space, timestamp: time + 1, segment: of, sequence: number })).toBe(true);
      expect(laterCursor(cursor, cursorAfter(space, time + 1))).toBe(cursorAfter(space, time + 1));
      if (cursor !== "") expect(encodeCursor(parseCursor(cursor))).toBe(cursor);
    }),
  );
  expect(cursorAfter(space, 0)).toBe("");
});

describe("a cursor that was not made here is refused, naming the offset", () => {
  const key = hexKey("DAT", "SPACES", "space0");
  test.each<[string, string]>([
    ["nothing", ""],
    ["no hex", "cursor"],
    ["upper case", exampleHex.toUpperCase()],
    ["the key of a space", key],
    ["a key without a segment", hexKey("DAT", "SPACES", "space0", int64(1))],
    ["an empty segment", hexKey("DAT", "SPACES", "space0", int64(1), "", uint64(1))],
    ["an empty space", hexKey("DAT", "SPACES", "", int64(1), "segment0", uint64(1))],
    ["the key of a block", hexKey("DAT", "SEGMENTS", "space0", int64(1), "segment0", uint64(1))],
    ["a time before 1970", hexKey("DAT", "SPACES", "space0", int64(-1), "segment0", uint64(1))],
    ["a sequence that would be rounded", hexKey("DAT", "SPACES", "space0", int64(1), "segment0", uint64(1n << 53n))],
    ["a time that would be rounded", hexKey("DAT", "SPACES", "space0", int64(1n << 53n), "segment0", uint64(1))],
    ["a name that none can have", hexKey("DAT", "SPACES", "space0", int64(1), "a\u0001", uint64(1))],
    ["a NUL in the segment", hexKey("DAT", "SPACES", "space0", int64(1), "a\u0000b", uint64(1))],
    ["bytes that are not UTF-8", hexKey("DAT", "SPACES", "space0", int64(1), Uint8Array.of(0xff), uint64(1))],
    ["a space that is not UTF-8", hexKey("DAT", "SPACES", Uint8Array.of(0xff), int64(1), "segment0", uint64(1))],
    ["a byte too much", `${exampleHex}00`],
    ["megabytes", exampleHex.repeat(100_000)],
  ])("%s", (_, text) => {
    const error = thrownBy(() => parseCursor(text));
    expect(error).toEqual(invalid);
    expect(error).toMatchObject({ details: { field: "offset" } });
  });

  test("whatever is accepted is the one text of its place", () => {
    const hostile = fc.oneof(
      fc.tuple(place, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([value, at, change]) => {
        const bytes = Buffer.from(encodeCursor(value), "hex");
        bytes[at % bytes.length]! ^= change;
        return toHex(bytes);
      }),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => hexKey("DAT", "SPACES", bytes)),
      anyText,
    );
    fc.assert(
      fc.property(hostile, (text) => {
        let read;
        try {
          read = parseCursor(text);
        } catch (error) {
          expect(error).toEqual(invalid);
          return;
        }
        expect(encodeCursor(read)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });
});
