// Values that the domain allows, for properties; and what may become of bytes that nobody wrote.

import fc from "fast-check";
import { expect } from "vitest";
import type { EntryBatch } from "../../../src/codec/transaction.ts";
import { StoreError } from "../../../src/core/errors.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../../../src/core/ids.ts";

/** Any well-formed string, often with what sorts and encodes unusually. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(
      "",
      "a",
      "\u0000",
      "\u007f",
      "é",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "\u{10000}",
      "🚀",
      "\u{10ffff}",
    ),
  }),
);

export const spaceName = anyText.filter(accepts(parseSpaceName)).map(parseSpaceName);
export const segmentName = anyText.filter(accepts(parseSegmentName)).map(parseSegmentName);
export const sequence = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.maxSafeNat().filter((value) => value > 0),
);
export const timestamp = fc.oneof(fc.constant(0), fc.maxSafeNat());
export const transactionId = fc.uuid().map((text) => parseTransactionId(text));
export const metadata = fc.array(fc.tuple(anyText, anyText), { maxLength: 4 }).map((pairs) => new Map(pairs));
export const payload = fc.uint8Array({ maxLength: 40 });
const trx = fc.record({ id: transactionId, node: fc.uuid().map(parseNodeId), number: sequence });

export const entry = fc.record({
  sequence,
  timestamp,
  trx,
  payload,
  metadata,
  space: spaceName,
  segment: segmentName,
});

export const batch: fc.Arbitrary<EntryBatch> = fc
  .record({
    trx,
    space: spaceName,
    segment: segmentName,
    firstSequence: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 10 })),
    timestamp,
    contents: fc.array(fc.record({ payload, metadata }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ contents, ...head }) => ({
    ...head,
    lastSequence: head.firstSequence + contents.length - 1,
    entries: contents.map((content, index) => ({
      ...content,
      sequence: head.firstSequence + index,
      timestamp: head.timestamp,
      trx: head.trx,
      space: head.space,
      segment: head.segment,
    })),
  }));

export const corrupt: unknown = expect.objectContaining({ name: "StoreError", code: "corrupt_data" });
export const invalid: unknown = expect.objectContaining({ name: "StoreError", code: "invalid_argument" });

/** The value, or undefined when the bytes were refused as they must be; any other error fails the test. */
export function unlessCorrupt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    expect(error).toEqual(corrupt);
    return undefined;
  }
}

/** What `act` throws, to look at; it must throw. */
export function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown.");
}

/** The same for what rejects. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error("Nothing was thrown.")),
    (error: unknown) => error,
  );
}

function accepts(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch (error) {
      if (error instanceof StoreError) return false;
      throw error;
    }
  };
}
