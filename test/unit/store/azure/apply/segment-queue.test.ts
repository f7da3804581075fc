// The transactions to apply to one segment: in order, without a gap.

import { expect, test } from "vitest";
import { parseNodeId, parseSegmentName, parseTransactionId } from "../../../../../src/core/ids.ts";
import { SegmentQueue, PendingRecord } from "../../../../../src/store/azure/apply/segment-queue.ts";
import type { PendingItem } from "../../../../../src/store/azure/apply/segment-queue.ts";

const segment = parseSegmentName("order-1");
const id = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
const node = parseNodeId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4e");

/** A record of one transaction of two entries. */
function item(number: number): PendingItem {
  const firstSequence = 2 * number - 1;
  const transaction = {
    ...{ segment, firstSequence, lastSequence: firstSequence + 1, number, id },
    ...{ digest: "", segments: 1, keyed: false },
  };
  const record = new PendingRecord(
    { timestamp: number, recordId: id, node, position: number, transactions: [transaction] },
    0,
  );
  return record.items[0]!;
}

function queue(...numbers: number[]): {
  readonly queue: SegmentQueue;
  readonly items: readonly PendingItem[];
} {
  const made = new SegmentQueue(segment);
  const items = numbers.map((number) => item(number));
  for (const one of items) made.add(one);
  return { queue: made, items };
}

const numbersOf = (run: readonly PendingItem[]): number[] => run.map(({ transaction }) => transaction.number);

test("the transactions after the head come in the order of their numbers, however they were learned", () => {
  expect(numbersOf(queue(3, 1, 2).queue.runAfter(0, 90))).toEqual([1, 2, 3]);
});

test("it ends before a gap, and is nothing where the gap is first", () => {
  const { queue: gap } = queue(1, 3);
  expect(numbersOf(gap.runAfter(0, 90))).toEqual([1]);
  expect(numbersOf(gap.runAfter(1, 90))).toEqual([]);
  expect(numbersOf(gap.runAfter(2, 90))).toEqual([3]);
});

test("it has no more than it may, and nothing that the head has", () => {
  const { queue: three } = queue(1, 2, 3);
  expect(numbersOf(three.runAfter(0, 2))).toEqual([1, 2]);
  expect(numbersOf(three.runAfter(1, 90))).toEqual([2, 3]);
  expect(numbersOf(three.runAfter(3, 90))).toEqual([]);
});

test("one that is lost comes alone", () => {
  const { queue: three, items } = queue(1, 2, 3);
  items[1]!.unreadable = true;
  expect(numbersOf(three.runAfter(0, 90))).toEqual([1]);
  expect(numbersOf(three.runAfter(1, 90))).toEqual([2]);
});
