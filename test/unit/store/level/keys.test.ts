import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../../../src/core/ids.ts";
import type { Range } from "../../../doubles/level/keyspace.ts";
import { segmentOfKey, spaceOfKey, storeKeys, timestampOfKey } from "../../../doubles/level/keys.ts";

/** Few letters, so that names often begin alike; and some that sort or decode unlike others. */
const letters = fc.constantFrom("a", "b", " ", "!", "/", "0", "é", "\ufeff", "\uffff", "\u{10000}");
const name = fc.string({ unit: letters, minLength: 1, maxLength: 5 });
const space = name.map(parseSpaceName);
const segment = name.map(parseSegmentName);
const store = fc.uuid().map(parseStoreId);
const transaction = fc.uuid().map(parseTransactionId);
const count = fc.oneof(fc.nat(3), fc.maxSafeNat()).map((n) => Math.max(n, 1));

/** Every row there can be of one segment in one space. */
const place = fc.record({ store, space, segment, sequence: count, timestamp: count, transaction });
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

function rowsOf(at: Place) {
  const keys = storeKeys(at.store);
  return {
    head: keys.head(at.space, at.segment),
    block: keys.block(at.space, at.segment, at.sequence),
    record: keys.record(at.space, at.timestamp),
    transaction: keys.transaction(at.space, at.segment, at.transaction),
    fences: keys.fences(at.space),
    spaceName: keys.space(at.space),
    segmentName: keys.segment(at.space, at.segment),
  };
}

function within(range: Range, key: Uint8Array): boolean {
  return Buffer.compare(range.from, key) <= 0 && Buffer.compare(key, range.to) < 0;
}

const pair = fc
  .tuple(place, place)
  .map(([a, b]) => [a, { ...b, store: b.sequence % 2 === 0 ? a.store : b.store }] as const);

test("no range holds a row of another kind, segment, space or store", () => {
  fc.assert(
    fc.property(pair, ([own, other]) => {
      const keys = storeKeys(own.store);
      const same = { store: own.store === other.store, space: own.space === other.space, segment: own.segment === other.segment }; // prettier-ignore
      const ranges = {
        block: { range: keys.blocks(own.space, own.segment, 1), is: same.store && same.space && same.segment },
        record: { range: keys.records(own.space, 0), is: same.store && same.space },
        spaceName: { range: keys.spaces(undefined), is: same.store },
        segmentName: { range: keys.segments(own.space, undefined), is: same.store && same.space },
      };
      for (const [kind, { range, is }] of Object.entries(ranges)) {
        for (const [row, key] of Object.entries(rowsOf(other))) {
          expect(within(range, key), `${row} in the range of ${kind}`).toBe(is && row === kind);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("no two rows share a key", () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const rows = [...Object.entries(rowsOf(a)), ...Object.entries(rowsOf(b))].map(([kind, key]) => [Buffer.from(key).toString("hex"), kind]); // prettier-ignore
      const kinds = new Map<string, string>();
      for (const [key, kind] of rows) {
        expect(kinds.get(key!) ?? kind).toBe(kind);
        kinds.set(key!, kind!);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("blocks sort by sequence after the head, records by timestamp, and a range begins where it is told to", () => {
  fc.assert(
    fc.property(place, count, (at, from) => {
      const keys = storeKeys(at.store);
      const rows = rowsOf(at);
      expect(Buffer.compare(rows.head, rows.block)).toBeLessThan(0);
      expect(within(keys.blocks(at.space, at.segment, from), rows.block)).toBe(at.sequence >= from);
      expect(within(keys.records(at.space, from), rows.record)).toBe(at.timestamp >= from);
    }),
  );
});

test("names after one are those that sort after it as UTF-8", () => {
  fc.assert(
    fc.property(place, name, (at, after) => {
      const keys = storeKeys(at.store);
      const rows = rowsOf(at);
      const isAfter = (text: string): boolean => Buffer.compare(Buffer.from(text), Buffer.from(after)) > 0;
      expect(within(keys.spaces(after), rows.spaceName)).toBe(isAfter(at.space));
      expect(within(keys.segments(at.space, after), rows.segmentName)).toBe(isAfter(at.segment));
    }),
  );
});

test("a key can be decoded to its parts", () => {
  fc.assert(
    fc.property(place, (at) => {
      const rows = rowsOf(at);
      expect(spaceOfKey(rows.spaceName)).toBe(at.space);
      expect(segmentOfKey(rows.segmentName)).toBe(at.segment);
      expect(timestampOfKey(rows.record)).toBe(at.timestamp);
    }),
  );
});
