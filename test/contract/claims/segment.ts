// A segment is read by sequence: every bound, alone and together, gives what a filter over all of it gives.

import { expect } from "vitest";
import type { Entry } from "../../../src/core/entry.ts";
import type { ConsumeSegmentArgs } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectSame, first, incompressible, orders, produce, record, records, segment, segmentEntries, space } from "../given.ts"; // prettier-ignore

const sequences = [0, 1, 2, 7, 8, 15, 21, 22, 100, Number.MAX_SAFE_INTEGER];

export const segmentClaims: readonly Claim[] = [
  claim(
    "from and to are inclusive, 0 or absent is open, to below from or beyond the tail is empty",
    async (context) => {
      const entries = await given(context);
      for (const from of [undefined, ...sequences]) {
        for (const to of [undefined, ...sequences]) {
          await expectModel(context, entries, {
            ...(from === undefined ? {} : { from }),
            ...(to === undefined ? {} : { to }),
          });
        }
      }
    },
  ),

  claim("after is exclusive and until inclusive, by timestamp, 0 or absent is open", async (context) => {
    const entries = await given(context);
    const times = [0, ...new Set(entries.map(({ timestamp }) => timestamp))];
    for (const time of [...times, times.at(-1)! + 1]) {
      for (const edge of [time - 1, time, time + 1].filter((ms) => ms >= 0)) {
        await expectModel(context, entries, { after: edge });
        await expectModel(context, entries, { until: edge });
      }
    }
    const [, second, third] = times;
    await expectModel(context, entries, { after: second!, until: third! });
    await expectModel(context, entries, { after: third!, until: second! });
  }),

  claim("limit 0 or absent is all, any other is the most that comes, from wherever reading starts", async (context) => {
    const entries = await given(context);
    for (const limit of [0, 1, 2, 7, 8, 21, 22, 1_000_000]) {
      for (const from of [0, 1, 5, 8, 21]) await expectModel(context, entries, { from, limit });
      await expectModel(context, entries, { after: entries[9]!.timestamp, limit });
    }
  }),

  claim("all bounds hold together", async (context) => {
    const entries = await given(context);
    const times = entries.map(({ timestamp }) => timestamp);
    await expectModel(context, entries, { from: 2, to: 20, after: times[6]!, until: times[13]!, limit: 3 });
    await expectModel(context, entries, { from: 10, to: 12, after: times[0]! });
    await expectModel(context, entries, { from: 10, until: times[0]! });
    await expectModel(context, entries, { to: 3, after: times[20]! });
  }),

  claim("reading may start in the middle of a block, also of a large one", async ({ store, other }) => {
    const large = Array.from({ length: 40 }, (_, index) => record(incompressible(19_000, index + 1)));
    await produce(store, first, records(1_000));
    await produce(store, first, large);
    await produce(store, first, records(10));
    const entries = await segmentEntries(store, first);
    expect(entries).toHaveLength(1_050);
    for (const from of [1, 500, 1_000, 1_001, 1_020, 1_040, 1_041, 1_050]) {
      expectSame(await all(other.consumeSegment(orders, first, { from, limit: 3 })), entries.slice(from - 1, from + 2));
    }
  }),

  claim("a segment or a space that does not exist is empty", async ({ store }) => {
    expect(await segmentEntries(store, first)).toEqual([]);
    await produce(store, first, records(1));
    expect(await segmentEntries(store, segment("order-2"))).toEqual([]);
    expect(await segmentEntries(store, first, space("other"))).toEqual([]);
  }),

  claim("one stream can be read once more, and several at once", async ({ store }) => {
    const entries = await given({ store, other: store });
    const readers = Array.from({ length: 5 }, () => segmentEntries(store, first));
    for (const read of await Promise.all(readers)) expectSame(read, entries);
  }),
];

/** Three chunks of seven entries, so that every bound can fall between blocks and inside them. */
async function given({ store, other }: Pick<Context, "store" | "other">): Promise<Entry[]> {
  await produce(store, first, records(7, "a"));
  await produce(other, first, records(7, "b"));
  await produce(store, first, records(7, "c"));
  const entries = await segmentEntries(store, first);
  expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
  return entries;
}

async function expectModel({ other }: Context, entries: readonly Entry[], args: ConsumeSegmentArgs): Promise<void> {
  const { from = 0, to, after = 0, until, limit } = args;
  const expected = entries
    .filter(({ sequence }) => sequence >= from && sequence <= (to || Infinity))
    .filter(({ timestamp }) => timestamp > after && timestamp <= (until || Infinity))
    .slice(0, limit || Infinity);
  const found = await all(other.consumeSegment(orders, first, args));
  const told = (all: readonly Entry[]): number[] => all.map(({ sequence }) => sequence);
  expect(told(found), JSON.stringify(args)).toEqual(told(expected));
  expectSame(found, expected);
}
