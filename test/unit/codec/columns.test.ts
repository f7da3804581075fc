// Columns: what merged rows hold.

import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeBlock, decodeBlock, encodeMergedBlock, plainCompressor } from "../../../src/codec/block.ts";
import { decodeColumns, encodeColumns, isColumns } from "../../../src/codec/columns.ts";
import { ColumnReader, ColumnWriter } from "../../../src/codec/varints.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../../../src/core/ids.ts";
import type { EntryBatch } from "../../../src/codec/transaction.ts";
import { hasRedacted } from "../../../src/codec/transaction.ts";
import { batch, corrupt, spaceName, thrownBy, unlessCorrupt } from "./arbitraries.ts";

const ofOneSpace = fc
  .tuple(spaceName, fc.array(batch, { minLength: 1, maxLength: 6 }), fc.boolean())
  .map(([space, batches, redacted]) =>
    batches.map((one) => ({
      ...one,
      space,
      entries: one.entries.map((entry) => ({
        ...entry,
        space,
        ...(redacted ? { redacted, payload: new Uint8Array(), metadata: new Map<string, string>() } : {}),
      })),
    })),
  );

test("decoding gives back what was encoded, whatever the transactions", () => {
  fc.assert(
    fc.property(ofOneSpace, (batches) => {
      expect(plain(decodeColumns(encodeColumns(batches)))).toEqual(plain(batches));
    }),
  );
});

test("a block's reader tells columns from transactions one after the other, which cannot say what was redacted", async () => {
  await fc.assert(
    fc.asyncProperty(ofOneSpace, async (batches) => {
      const merged = await encodeMergedBlock(batches, plainCompressor);
      const ordinary = await encodeBlock(batches, plainCompressor);
      expect([isColumns(merged!), isColumns(ordinary)]).toEqual([true, batches.some(hasRedacted)]);
      for (const data of [merged!, ordinary])
        expect(plain(await decodeBlock(data, plainCompressor))).toEqual(plain(batches));
    }),
  );
});

test("bytes that are cut, flipped or added to are corrupt, never something else that was not written", () => {
  fc.assert(
    fc.property(ofOneSpace, fc.nat(), fc.integer({ min: 1, max: 255 }), (batches, place, mask) => {
      const bytes = Buffer.from(encodeColumns(batches));
      expect(thrownBy(() => decodeColumns(bytes.subarray(0, place % bytes.length)))).toEqual(corrupt);
      expect(thrownBy(() => decodeColumns(Buffer.concat([bytes, Buffer.from([0])])))).toEqual(corrupt);
      const flipped = Buffer.from(bytes);
      flipped[place % bytes.length]! ^= mask;
      unlessCorrupt(() => decodeColumns(flipped));
    }),
  );
});

test("any bytes are decoded or corrupt", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      unlessCorrupt(() => decodeColumns(Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), bytes])));
    }),
  );
});

test("counts beyond the bytes are refused before anything is allocated for them", () => {
  const writer = new ColumnWriter();
  writer.raw(Uint8Array.of(0, 0, 0, 0, 1));
  writer.prefixedText("space");
  writer.count(Number.MAX_SAFE_INTEGER);
  expect(thrownBy(() => decodeColumns(writer.finish()))).toEqual(corrupt);
});

test("counts and differences hold every safe integer", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeNat(), (difference, count) => {
      const writer = new ColumnWriter();
      writer.count(count);
      writer.difference(difference);
      const reader = new ColumnReader(writer.finish(), "numbers");
      expect(reader.count()).toBe(count);
      if (difference >= 0) expect(reader.plus(0, 0)).toBe(difference);
      else expect(thrownBy(() => reader.plus(0, 0))).toEqual(corrupt);
    }),
  );
});

test("a hundred single events of one segment take a third of what they take one after the other", () => {
  const events = Array.from({ length: 100 }, (_, index) => single(index + 1));
  const ids = 100 * 16;
  expect(encodeColumns(events).byteLength).toBeLessThan(ids + 100 * (20 + 10) + 200);
});

function single(sequence: number): EntryBatch {
  const trx = {
    id: parseTransactionId(crypto.randomUUID()),
    node: parseNodeId("8c7e2a1c-55d5-4c1e-9a55-000000000001"),
    number: sequence,
  };
  const names = { space: parseSpaceName("orders"), segment: parseSegmentName("order-1") };
  const timestamp = 1_790_000_000_000 + sequence * 7;
  const payload = Buffer.from(`{"event":"placed ${sequence}"}`.slice(0, 20));
  const entries = [{ sequence, timestamp, trx, payload, metadata: new Map<string, string>(), ...names }];
  return { trx, ...names, firstSequence: sequence, lastSequence: sequence, timestamp, entries };
}

/** Buffers and arrays of bytes compare as what they hold, metadata in whatever order. */
function plain(batches: readonly EntryBatch[]): unknown {
  return batches.map((one) => ({
    ...one,
    entries: one.entries.map((entry) => ({
      ...entry,
      payload: Buffer.from(entry.payload).toString("hex"),
      metadata: new Map([...entry.metadata].sort()),
    })),
  }));
}
