// Several segments of a space at once, under one id: all of them or none.

import { expect } from "vitest";
import { emptyStatus } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  at,
  expectContent,
  expectSame,
  from,
  incompressible,
  newId,
  orders,
  produce,
  record,
  records,
  refused,
  segment,
  segmentEntries,
  spaceEntries,
} from "../given.ts";

const [a, b, c] = [segment("a"), segment("b"), segment("c")];

export const produceAllClaims: readonly Claim[] = [
  claim(
    "each segment gets one transaction, all under one id and at one time, answered in the order given",
    async (context) => {
      const { store, other } = context;
      await produce(store, b, records(1, "before"));
      const transactionId = newId();
      const chunks = await store.produceAll(
        orders,
        [
          { segment: c, records: records(2, "c") },
          { segment: a, records: from(1, records(3, "a")) },
          { segment: b, records: from(2, records(1, "b")) },
        ],
        { transactionId },
      );
      expect(chunks.map(({ status, transaction }) => [status.segment, transaction])).toEqual([
        [c, { id: transactionId, number: 1, firstSequence: 1, lastSequence: 2, duplicate: false }],
        [a, { id: transactionId, number: 1, firstSequence: 1, lastSequence: 3, duplicate: false }],
        [b, { id: transactionId, number: 2, firstSequence: 2, lastSequence: 2, duplicate: false }],
      ]);
      expectContent(await segmentEntries(other, a), records(3, "a"));
      expectContent(await segmentEntries(other, b), [...records(1, "before"), ...records(1, "b")]);
      expectContent(await segmentEntries(other, c), records(2, "c"));
      const together = (await spaceEntries(other)).slice(1);
      expect(together.map(({ segment: of, sequence }) => `${of}${sequence}`)).toEqual([
        "a1",
        "a2",
        "a3",
        "b2",
        "c1",
        "c2",
      ]);
      expect(new Set(together.map(({ timestamp }) => timestamp)).size).toBe(1);
    },
  ),

  claim("when one segment does not fit, nothing is written to any", async ({ store, other }) => {
    await produce(store, b, records(2));
    const before = await spaceEntries(other);
    for (const [instance, sequence] of [
      [store, 2],
      [other, 4],
    ] as const) {
      // prettier-ignore
      const misfit = [
        { segment: a, records: records(1) },
        { segment: b, records: at([sequence]) },
        { segment: c, records: records(1) },
      ];
      const error = await refused(instance.produceAll(orders, misfit), "sequence_mismatch");
      expect(error.details).toMatchObject({ expected: 3, received: sequence });
    }
    await expectUnchanged({ store, other }, before);
  }),

  claim(
    "repeated with its id it is the first answer, on any instance; with other content it is told apart",
    async (context) => {
      const { store, other } = context;
      const transactionId = newId();
      const request = [
        { segment: a, records: records(2, "a") },
        { segment: b, records: records(1, "b") },
      ];
      const answer = await store.produceAll(orders, request, { transactionId });
      const repeated = answer.map(({ status, transaction }) => ({
        status,
        transaction: { ...transaction, duplicate: true },
      }));
      const before = await spaceEntries(other);
      for (const instance of [store, other]) {
        expect(await instance.produceAll(orders, request, { transactionId })).toEqual(repeated);
        for (const content of [
          [request[0]!, { segment: b, records: records(1, "other") }],
          [request[0]!, { segment: b, records: records(2, "b") }],
          [...request, { segment: c, records: records(1) }],
        ]) {
          await refused(instance.produceAll(orders, content, { transactionId }), "transaction_id_mismatch");
        }
      }
      await expectUnchanged(context, before);
    },
  ),

  claim(
    "of sixteen racing for the same places in segments that overlap, one set wins whole",
    async ({ store, other }) => {
      const requests = Array.from({ length: 16 }, (_, index) => [
        { segment: index % 3 === 0 ? a : c, records: from(1, records(2, `first of ${index}`)) },
        { segment: b, records: from(1, records(2, `second of ${index}`)) },
      ]);
      const outcomes = await Promise.allSettled(
        requests.map((request, index) => (index % 2 === 0 ? store : other).produceAll(orders, request)),
      );
      const winners = requests.filter((_, index) => outcomes[index]?.status === "fulfilled");
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "sequence_mismatch" });
      }
      const [before, second] = winners[0]!;
      expectContent(await segmentEntries(other, before!.segment), before!.records);
      expectContent(await segmentEntries(other, b), second!.records);
      expect(await spaceEntries(store)).toHaveLength(4);
    },
  ),

  claim("together it is one chunk at most, and a segment is named once", async ({ store, other }) => {
    const half = incompressible(limits.chunkBytesMax / 2);
    const tooMuch = [
      { code: "request_too_large", counts: [600, 401] },
      { code: "invalid_argument", counts: Array.from({ length: limits.produceAllSegmentsMax + 1 }, () => 1) },
    ] as const;
    for (const { code, counts } of tooMuch) {
      const request = counts.map((count, index) => ({ segment: segment(`s${index}`), records: records(count) }));
      await refused(store.produceAll(orders, request), code);
    }
    const heavy = [a, b, c].map((of) => ({ segment: of, records: [record(half)] }));
    await refused(store.produceAll(orders, heavy), "request_too_large");
    const twice = [a, b, a].map((of) => ({ segment: of, records: records(1) }));
    await refused(store.produceAll(orders, twice), "invalid_argument");
    expect(await spaceEntries(other)).toEqual([]);
    await store.produceAll(orders, heavy.slice(0, 2));
    expect(await spaceEntries(other)).toHaveLength(2);
  }),

  claim("a segment that is given no records answers its status and gets nothing", async ({ store, other }) => {
    const request = [
      { segment: a, records: [] },
      { segment: b, records: records(1) },
    ];
    const chunks = await store.produceAll(orders, request);
    expect(chunks[0]).toEqual({ status: emptyStatus(orders, a) });
    expect(chunks[1]?.transaction).toMatchObject({ number: 1, firstSequence: 1, lastSequence: 1 });
    expect(await segmentEntries(other, a)).toEqual([]);
  }),
];

async function expectUnchanged(
  { store, other }: Pick<Context, "store" | "other">,
  before: Awaited<ReturnType<typeof spaceEntries>>,
): Promise<void> {
  for (const view of [store, other]) {
    expectSame(await spaceEntries(view), before);
    for (const of of [a, b, c]) {
      expectSame(
        await segmentEntries(view, of),
        before.filter((entry) => entry.segment === of),
      );
    }
  }
}
