// A chunk is a transaction: its entries share it, its id is its own, its number is the next of its segment.

import { expect } from "vitest";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { first, newId, produce, records, segment, segmentEntries, spaceEntries } from "../given.ts";

export const transactionClaims: readonly Claim[] = [
  claim(
    "entries of a chunk share transaction and timestamp; ids differ; numbers are 1, 2, 3 ...",
    async ({ store, other }) => {
      const chunks = [
        ...(await produce(store, first, records(2_001))),
        ...(await produce(other, first, records(2))),
        ...(await produce(store, first, records(1))),
      ];
      expect(chunks.map(({ transaction }) => transaction?.number)).toEqual([1, 2, 3, 4, 5]);
      expect(new Set(chunks.map(({ transaction }) => transaction?.id)).size).toBe(5);
      const entries = await segmentEntries(other, first);
      expect(entries).toHaveLength(2_004);
      for (const { status, transaction } of chunks) {
        const { id, number, firstSequence, lastSequence } = transaction!;
        const within = entries.slice(firstSequence - 1, lastSequence);
        expect(within).toHaveLength(lastSequence - firstSequence + 1);
        expect(new Set(within.map(({ trx }) => trx.id))).toEqual(new Set([id]));
        expect(new Set(within.map(({ trx }) => trx.number))).toEqual(new Set([number]));
        expect(new Set(within.map(({ trx }) => trx.node)).size).toBe(1);
        expect(new Set(within.map(({ timestamp }) => timestamp))).toEqual(new Set([status.lastTimestamp]));
      }
    },
  ),

  claim("numbers count for each segment by itself", async ({ store, other }) => {
    const second = segment("order-2");
    const numbers = [];
    for (const [instance, of] of [
      [store, first],
      [store, second],
      [other, first],
      [store, first],
      [other, second],
    ] as const) {
      // prettier-ignore
      numbers.push(...(await produce(instance, of, records(1))).map(({ transaction }) => transaction?.number));
    }
    expect(numbers).toEqual([1, 1, 2, 3, 2]);
  }),

  claim(
    "timestamps strictly increase from commit to commit of a space, whichever instance commits",
    async (context) => {
      const { store, other } = context;
      const started = Date.now();
      for (let index = 0; index < 20; index += 1) {
        await produce(index % 2 === 0 ? store : other, segment(`order-${index % 3}`), records(2));
      }
      const timestamps = (await spaceEntries(store)).map(({ timestamp }) => timestamp);
      expect(new Set(timestamps).size).toBe(20);
      expect(timestamps).toEqual(timestamps.toSorted((a, b) => a - b));
      // Milliseconds since 1970, whatever the clocks of storage and of this machine differ by.
      expect(Math.abs(timestamps[0]! - started)).toBeLessThan(60_000);
    },
  ),

  claim("an id that the caller gives is the transaction's id", async ({ store, other }) => {
    const transactionId = newId();
    const [chunk] = await produce(store, first, records(2), { transactionId });
    expect(chunk?.transaction?.id).toBe(transactionId);
    expect((await segmentEntries(other, first)).map(({ trx }) => trx.id)).toEqual([transactionId, transactionId]);
  }),
];
