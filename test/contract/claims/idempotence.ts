// A produce that is repeated with its transaction id gets its first answer again, and nothing is written twice.

import { expect } from "vitest";
import type { AppendRecord } from "../../../src/core/entry.ts";
import type { ProducedChunk } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  expectContent,
  first,
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
  untilError,
} from "../given.ts";

/** The same request in both ways that a place can be asked for. */
const ways = [
  { way: "with sequences", given: (records: readonly AppendRecord[]) => from(1, records) },
  { way: "at the tail", given: (records: readonly AppendRecord[]) => records },
] as const;

export const idempotenceClaims: readonly Claim[] = [
  ...ways.flatMap(({ way, given }) => [
    claim(
      `${way}: repeated on the same instance and on another, it is the first answer, marked duplicate`,
      async (context) => {
        const { store, other } = context;
        const request = given(records(5));
        const transactionId = newId();
        const answer = await produce(store, first, request, { transactionId });
        for (const instance of [store, other, other, store]) {
          const again = await produce(instance, first, request, { transactionId });
          expect(again).toEqual(answer.map((chunk) => asDuplicate(chunk)));
        }
        await expectOnce(context, request);
      },
    ),

    claim(`${way}: repeated after others have appended, it is still the first answer`, async (context) => {
      const { store, other } = context;
      const request = given(records(3));
      const transactionId = newId();
      const answer = await produce(store, first, request, { transactionId });
      const later = records(4, "later");
      await produce(other, first, later);
      await produce(other, segment("order-2"), records(1));
      for (const instance of [store, other]) {
        const [again] = await produce(instance, first, request, { transactionId });
        expect(again).toEqual(asDuplicate(answer[0]!));
      }
      expectContent(await segmentEntries(store, first), [...request, ...later]);
    }),

    claim(
      `${way}: asked eight times at once on two instances, it is written once and everyone gets one answer`,
      async (context) => {
        const { store, other } = context;
        const request = given(records(5));
        const transactionId = newId();
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, index) =>
            produce(index % 2 === 0 ? store : other, first, request, { transactionId }),
          ),
        );
        const firsts = answers.filter(([chunk]) => chunk?.transaction?.duplicate === false);
        expect(firsts).toHaveLength(1);
        for (const [chunk] of answers) expect(asDuplicate(chunk!)).toEqual(asDuplicate(firsts[0]![0]!));
        await expectOnce(context, request);
      },
    ),

    ...(["before_commit", "after_commit"] as const).map((when) =>
      claim(
        `${way}: repeated on another instance after a crash ${when.replace("_", " its ")}, it is written once`,
        async (context) => {
          const { store, other, backend } = context;
          await produce(store, first, records(2, "earlier"));
          const request = way === "at the tail" ? records(5) : from(3, records(5));
          const transactionId = newId();
          await backend.faults.crash(when, 0);
          await untilError(store.produce(orders, first, request, { transactionId }));
          const [answer] = await produce(other, first, request, { transactionId });
          const duplicate = when === "after_commit";
          expect(answer?.transaction).toEqual({
            id: transactionId,
            number: 2,
            firstSequence: 3,
            lastSequence: 7,
            duplicate,
          });
          await backend.faults.heal();
          const revived = { ...context, store: backend.store(0, context.id) };
          await expectOnce(revived, [...records(2, "earlier"), ...request]);
          const [again] = await produce(revived.store, first, request, { transactionId });
          expect(again).toEqual(asDuplicate(answer!));
        },
      ),
    ),

    claim(`${way}: the same id with other content is told apart, and nothing is written`, async (context) => {
      const { store, other } = context;
      const request = given(records(3));
      const transactionId = newId();
      await produce(store, first, request, { transactionId });
      const others = [
        given([...records(2), record("another third")]),
        given(records(2)),
        given(records(4)),
        given([...records(2), record("event 3", new Map([["k", "v"]]))]),
      ];
      for (const instance of [store, other]) {
        for (const content of others) {
          const error = await refused(produce(instance, first, content, { transactionId }), "transaction_id_mismatch");
          expect(error.effect).toBe("none");
        }
      }
      await expectOnce(context, request);
    }),

    claim(`${way}: a request of several chunks that was left is completed by its retry`, async (context) => {
      const { store, other } = context;
      const request = given(records(3_500));
      const transactionId = newId();
      for await (const chunk of store.produce(orders, first, request, { transactionId })) {
        expect(chunk.transaction).toMatchObject({ number: 1, duplicate: false });
        break;
      }
      const chunks = await produce(other, first, request, { transactionId });
      expect(chunks.map(({ transaction }) => transaction?.number)).toEqual([1, 2, 3, 4]);
      expect(chunks[0]?.transaction).toMatchObject({ id: transactionId, duplicate: true });
      await expectOnce(context, request);
      const again = await produce(store, first, request, { transactionId });
      expect(again).toEqual(chunks.map((chunk) => asDuplicate(chunk)));
      await expectOnce(context, request);
    }),

    ...(["before_commit", "after_commit"] as const).map((when) =>
      claim(
        `${way}: a request of several chunks that a crash cut ${when.replace("_", " a ")} is completed by its retry`,
        async (context) => {
          const { store, other, backend } = context;
          const request = given(Array.from({ length: 4 }, (_, index) => record(incompressible(500_000, index + 1))));
          const transactionId = newId();
          await backend.faults.crash(when, 1);
          const { read } = await untilError(store.produce(orders, first, request, { transactionId }));
          expect(read.length).toBeLessThanOrEqual(1);
          const chunks = await produce(other, first, request, { transactionId });
          const duplicates = chunks.map(({ transaction }) => transaction?.duplicate);
          expect(duplicates).toEqual([true, when === "after_commit", false, false]);
          await backend.faults.heal();
          await expectOnce({ ...context, store: backend.store(0, context.id) }, request);
        },
      ),
    ),
  ]),

  claim(
    "one id may be used in several segments and spaces, where it means different things",
    async ({ store, other }) => {
      const transactionId = newId();
      const second = segment("order-2");
      await produce(store, first, records(1, "one"), { transactionId });
      const [chunk] = await produce(other, second, records(2, "two"), { transactionId });
      expect(chunk?.transaction).toMatchObject({ number: 1, duplicate: false });
      expectContent(await segmentEntries(store, second), records(2, "two"));
    },
  ),

  claim("requests without an id are never taken for each other", async ({ store, other }) => {
    await produce(store, first, records(2));
    await produce(store, first, records(2));
    await produce(other, first, records(2));
    expectContent(await segmentEntries(store, first), [...records(2), ...records(2), ...records(2)]);
  }),
];

function asDuplicate(chunk: ProducedChunk): ProducedChunk {
  return chunk.transaction === undefined ? chunk : { ...chunk, transaction: { ...chunk.transaction, duplicate: true } };
}

/** All of it and nothing else, in the segment and in the space, for both instances. */
async function expectOnce({ store, other }: Context, given: readonly AppendRecord[]): Promise<void> {
  for (const view of [store, other]) {
    expectContent(await segmentEntries(view, first), given);
    expectContent(await spaceEntries(view), given);
  }
}
