// Records with sequences continue their segment exactly, or are told what would have, and nothing of them is written.

import { expect } from "vitest";
import type { AppendRecord } from "../../../src/core/entry.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  at,
  expectContent,
  expectSame,
  first,
  from,
  orders,
  produce,
  record,
  records,
  refused,
  segment,
  segmentEntries,
  spaceEntries,
} from "../given.ts";

/** To a segment that ends at 5. */
const misfits = [
  { what: "a gap", sequences: [7, 8], expected: 6, received: 7 },
  {
    what: "a gap of one far away",
    sequences: [Number.MAX_SAFE_INTEGER],
    expected: 6,
    received: Number.MAX_SAFE_INTEGER,
  },
  { what: "a repeat of all of it", sequences: [1, 2, 3, 4, 5], expected: 6, received: 1 },
  { what: "a repeat of the last", sequences: [5], expected: 6, received: 5 },
  { what: "an overlap", sequences: [4, 5, 6, 7], expected: 6, received: 4 },
  { what: "a stale start", sequences: [3], expected: 6, received: 3 },
  { what: "a gap inside", sequences: [6, 7, 9], expected: 8, received: 9 },
  { what: "a repeat inside", sequences: [6, 6], expected: 7, received: 6 },
  { what: "a step back inside", sequences: [6, 7, 6], expected: 8, received: 6 },
] as const;

const noSequences = [0, -1, 1.5, 0.1, 2 ** 53, 2 ** 53 + 2, 1e300, -(2 ** 53)];

export const sequenceClaims: readonly Claim[] = [
  claim("sequences that continue the segment are accepted and kept", async ({ store, other }) => {
    const given = records(9);
    await produce(store, first, from(1, given.slice(0, 4)));
    await produce(other, first, from(5, given.slice(4, 5)));
    await produce(store, first, from(6, given.slice(5)));
    expectContent(await segmentEntries(other, first), given);
  }),

  claim("with sequences and without them, the one goes on where the other ended", async ({ store, other }) => {
    const given = records(7);
    await produce(store, first, given.slice(0, 2));
    await produce(store, first, from(3, given.slice(2, 4)));
    await produce(other, first, given.slice(4, 5));
    await produce(store, first, from(6, given.slice(5)));
    expectContent(await segmentEntries(other, first), given);
  }),

  ...misfits.map(({ what, sequences, expected, received }) =>
    claim(
      `${what} is refused with what was expected and received, and nothing is written`,
      async ({ store, other }) => {
        const [chunk] = await produce(store, first, records(5));
        const before = await spaceEntries(other);
        for (const instance of [store, other]) {
          const error = await refused(produce(instance, first, at(sequences)), "sequence_mismatch");
          expect(error.details).toMatchObject({ expected, received, lastSequence: 5 });
          expect(error.details.winner).toBe(received <= 5 ? chunk?.transaction?.id : undefined);
          expect(error.effect).toBe("none");
        }
        expectSame(await segmentEntries(store, first), before);
        expectSame(await spaceEntries(other), before);
      },
    ),
  ),

  claim("a segment begins with sequence 1 and nothing else", async ({ store, other }) => {
    for (const sequence of [2, 7]) {
      const error = await refused(produce(store, first, at([sequence])), "sequence_mismatch");
      expect(error.details).toMatchObject({ expected: 1, received: sequence, lastSequence: 0 });
    }
    expect(await spaceEntries(other)).toEqual([]);
    await produce(other, first, at([1, 2]));
    expect(await segmentEntries(store, first)).toHaveLength(2);
  }),

  claim("each segment counts for itself", async ({ store, other }) => {
    const second = segment("order-2");
    await produce(store, first, from(1, records(3)));
    await produce(store, second, from(1, records(2)));
    await refused(produce(other, second, from(4, records(1))), "sequence_mismatch");
    await produce(other, second, from(3, records(1)));
    expect((await segmentEntries(store, second)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  }),

  claim(
    "what is no sequence (zero, negative, a fraction, above 2^53 - 1) is invalid, and nothing is written",
    async (context) => {
      const { store, other } = context;
      for (const sequence of noSequences) await refused(produce(store, first, at([sequence])), "invalid_argument");
      await refused(produce(store, first, at([1, 2, 2.5])), "invalid_argument");
      expect(await spaceEntries(other)).toEqual([]);
    },
  ),

  claim("a request in which only some records have a sequence is invalid, and nothing is written", async (context) => {
    const { store, other } = context;
    const mixed: readonly (readonly AppendRecord[])[] = [
      [...at([1]), record("no sequence")],
      [record("no sequence"), ...at([2])],
    ];
    for (const given of mixed) await refused(produce(store, first, given), "invalid_argument");
    expect(await spaceEntries(other, orders)).toEqual([]);
  }),
];
