// Cursors of entries that follow one another.

import { expect, test } from "vitest";

import { CursorWriter, encodeCursor } from "../../../src/codec/cursor.ts";
import { limits } from "../../../src/core/limits.ts";
import { parseSegmentName, parseSpaceName } from "../../../src/core/ids.ts";

test("a cursor is the same whatever was written before it", () => {
  const writer = new CursorWriter();
  for (const space of ["s", "s1", "é"].map(parseSpaceName)) {
    for (const timestamp of [1, 2, limits.sequenceMax]) {
      for (const segment of ["a", "a b", "\u{1f600}"].map(parseSegmentName)) {
        for (const sequence of [1, 2, 255, 256, limits.sequenceMax]) {
          const place = { space, timestamp, segment, sequence };
          expect(writer.text(place)).toBe(encodeCursor(place));
        }
      }
    }
  }
});
