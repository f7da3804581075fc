// Lies about what is there.

import { cursorAfter, encodeCursor } from "../../../src/codec/cursor.ts";
import type { Entry } from "../../../src/core/entry.ts";
import type { StoreError } from "../../../src/core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../../../src/core/ids.ts";
import type { ConsumeSegmentArgs, ConsumeSpaceArgs, Store } from "../../../src/store/store.ts";
import { all } from "../given.ts";
import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";

export const readingLiars: readonly Liar[] = [
  {
    lie: "drops an entry of a space",
    topic: "produce",
    tell: (truth) => ({ consumeSpace: (space, args) => without(3, truth.consumeSpace(space, args)) }),
  },
  {
    lie: "drops the last entry of a long segment",
    topic: "produce",
    tell: (truth) => ({
      consumeSegment: (space, segment, args) => without(999, truth.consumeSegment(space, segment, args)),
    }),
  },
  {
    lie: "shows an entry twice",
    topic: "consume a space",
    tell: (truth) => ({
      consumeSpace: (space, args) =>
        withBefore(truth.consumeSpace(space, args), (entry, index) => (index === 4 ? [entry] : [])),
    }),
  },
  {
    lie: "swaps two entries of a space",
    topic: "consume a space",
    tell: (truth) => ({
      consumeSpace: (space, args) => sortedBy(truth.consumeSpace(space, args), (a, b) => swapped(a) - swapped(b)),
    }),
  },
  {
    lie: "orders segments as UTF-16",
    topic: "consume a space",
    tell: (truth) => ({
      consumeSpace: (space, args) =>
        sortedBy(
          truth.consumeSpace(space, args),
          (a, b) => a.timestamp - b.timestamp || (a.segment < b.segment ? -1 : a.segment > b.segment ? 1 : 0) || a.sequence - b.sequence, // prettier-ignore
        ),
    }),
  },
  {
    lie: "shows different readers different orders",
    topic: "consume a space",
    tell: (truth, memory) => ({
      consumeSpace: (space, args) => {
        memory.set("reads", Number(memory.get("reads") ?? 0) + 1);
        const odd = Number(memory.get("reads")) % 2 === 1;
        return sortedBy(truth.consumeSpace(space, args), (a, b) => (odd && a.timestamp === b.timestamp ? -1 : 0));
      },
    }),
  },
  {
    lie: "lets a segment leak into one whose name begins its own",
    topic: "consume a space",
    tell: (truth) => ({ consumeSegment: (space, segment, args) => withLongerNames(truth, space, segment, args) }),
  },
  {
    lie: "lets a space leak into one whose name begins its own",
    topic: "consume a space",
    tell: (truth) => ({ consumeSpace: (space, args) => withLongerSpaces(truth, space, args) }),
  },
  {
    lie: "peeks into a segment whose name begins alike",
    topic: "peek and status",
    tell: (truth) => ({
      peek: async (space, segment) =>
        (await truth.peek(space, segment)) ?? (await truth.peek(space, `${segment}0` as SegmentName)),
    }),
  },
  {
    lie: "skips an entry after a cursor",
    topic: "consume a space",
    tell: (truth) => ({
      consumeSpace: (space, args) =>
        args?.offset ? without(0, truth.consumeSpace(space, args)) : truth.consumeSpace(space, args),
    }),
  },
  {
    lie: "shows the entry of the cursor again",
    topic: "consume a space",
    tell: (truth) => ({ consumeSpace: (space, args = {}) => fromCursor(truth, space, args, true) }),
  },
  {
    lie: "goes on after the whole commit of a cursor",
    topic: "consume a space",
    tell: (truth) => ({ consumeSpace: (space, args = {}) => fromCursor(truth, space, args, false) }),
  },
  {
    lie: "takes the cursor of another space",
    topic: "consume a space",
    tell: (truth) => ({
      async *consumeSpace(space, args = {}) {
        try {
          yield* truth.consumeSpace(space, args);
        } catch (error) {
          if (args.offset === undefined) throw error;
          yield* truth.consumeSpace(space, { ...args, offset: "" as Cursor });
        }
      },
    }),
  },
  {
    lie: "moves a reader past what is not committed yet",
    topic: "a reader at the tail",
    tell: (truth, memory) => ({
      // As if an entry became visible only after a later one: once, a page lacks its first entry.
      async *consumeSpace(space, args) {
        for await (const entry of truth.consumeSpace(space, args)) {
          if (args?.offset && !memory.has("missed")) memory.set("missed", entry);
          else yield entry;
        }
      },
    }),
  },
  {
    lie: "takes `to` as exclusive",
    topic: "consume a segment",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) =>
        truth.consumeSegment(space, segment, args.to ? { ...args, to: args.to - 1 } : args),
    }),
  },
  {
    lie: "takes `after` as inclusive",
    topic: "consume a segment",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) =>
        truth.consumeSegment(space, segment, args.after ? { ...args, after: args.after - 1 } : args),
    }),
  },
  {
    lie: "begins a read at the block instead of the entry",
    topic: "consume a segment",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) =>
        truth.consumeSegment(
          space,
          segment,
          args.from ? { ...args, from: 1 + 7 * Math.floor((args.from - 1) / 7) } : args,
        ),
    }),
  },
  {
    lie: "counts the limit for each space instead of over all",
    topic: "consume several spaces",
    tell: (truth) => ({
      async *consume({ offsets, ...args }) {
        const found: Entry[] = [];
        for (const [space, offset] of offsets)
          found.push(...(await all(truth.consumeSpace(space, { ...args, offset }))));
        yield* found.sort((a, b) => a.timestamp - b.timestamp);
      },
    }),
  },
  {
    lie: "gives several spaces one after the other",
    topic: "consume several spaces",
    tell: (truth) => ({
      async *consume({ offsets, limit, ...args }) {
        let left = limit || Infinity;
        for (const [space, offset] of offsets) {
          for await (const entry of truth.consumeSpace(space, { ...args, offset })) {
            if (left-- > 0) yield entry;
          }
        }
      },
    }),
  },
  {
    lie: "leaves out the space that fails",
    topic: "consume several spaces",
    tell: (truth) => ({
      async *consume(args) {
        const readable = new Map<SpaceName, Cursor>();
        for (const [space, offset] of args.offsets) {
          const [outcome] = await Promise.allSettled([all(truth.consumeSpace(space, { offset }))]);
          const spoilt = outcome.status === "rejected" && (outcome.reason as StoreError).code === "corrupt_data";
          if (!spoilt) readable.set(space, offset);
        }
        yield* truth.consume({ ...args, offsets: readable });
      },
    }),
  },
  {
    lie: "ends a segment where it fails",
    topic: "errors on the way",
    tell: (truth) => ({
      consumeSegment: (space, segment, args) => untilFailure(truth.consumeSegment(space, segment, args)),
    }),
  },
  {
    lie: "ends a space where it fails",
    topic: "errors on the way",
    tell: (truth) => ({ consumeSpace: (space, args) => untilFailure(truth.consumeSpace(space, args)) }),
  },
  {
    lie: "ends the list of spaces where it fails",
    topic: "errors on the way",
    tell: (truth) => ({ getSpaces: (options) => untilFailure(truth.getSpaces(options)) }),
  },
  {
    lie: "ends the list of segments where it fails",
    topic: "errors on the way",
    tell: (truth) => ({ getSegments: (space, options) => untilFailure(truth.getSegments(space, options)) }),
  },
  {
    lie: "throws an error before what was read",
    topic: "errors on the way",
    tell: (truth) => ({
      async *consumeSegment(space, segment, args) {
        yield* await all(truth.consumeSegment(space, segment, args));
      },
    }),
  },
  {
    lie: "skips what it cannot decode",
    topic: "errors on the way",
    tell: (truth) => ({
      async *consumeSegment(space, segment, args = {}) {
        const { lastSequence } = await truth.getSegmentStatus!(space, segment);
        const to = Math.min(args.to || Infinity, lastSequence);
        for (let sequence = Math.max(args.from ?? 1, 1); sequence <= to; sequence += 1) {
          yield* untilFailure(truth.consumeSegment(space, segment, { ...args, from: sequence, to: sequence }));
        }
      },
    }),
  },
  {
    lie: "reads on after it was left",
    topic: "cancel and close",
    tell: (truth) => ({
      async *consumeSegment(space, segment, args) {
        const whole = all(truth.consumeSegment(space, segment, args));
        whole.catch(() => undefined);
        for await (const entry of truth.consumeSegment(space, segment, { ...args, limit: 1 })) yield entry;
        yield* (await whole).slice(1);
      },
    }),
  },
  {
    lie: "pays no heed to a signal",
    topic: "cancel and close",
    tell: (truth) => ({
      consumeSpace: (space, args = {}) => truth.consumeSpace(space, except(args, "signal")),
    }),
  },
  {
    lie: "peeks at the entry before the last, now and then",
    topic: "peek and status",
    tell: (truth) => ({
      async peek(space, segment, options) {
        const last = await truth.peek(space, segment, options);
        if (last?.sequence !== 7) return last;
        return (await all(truth.consumeSegment(space, segment, { from: 6, to: 6 })))[0];
      },
    }),
  },
  {
    lie: "lets a status go back",
    topic: "peek and status",
    tell: (truth) => ({
      async getSegmentStatus(space, segment, options) {
        const status = await truth.getSegmentStatus!(space, segment, options);
        return status.lastSequence === 9 ? { ...status, lastSequence: 7 } : status;
      },
    }),
  },
  {
    lie: "lists names as UTF-16 sorts them",
    topic: "names",
    tell: (truth) => ({
      async *getSegments(space, options) {
        yield* (await all(truth.getSegments(space, options))).sort();
      },
    }),
  },
  {
    lie: "lists names as of its last look",
    topic: "names",
    tell: (truth, memory) => ({
      async *getSegments(space, options) {
        const key = `${truth.id} ${space} ${JSON.stringify(options)}`;
        const known = memory.get(key) as SegmentName[] | undefined;
        const found = await all(truth.getSegments(space, options));
        memory.set(key, found);
        yield* known ?? found;
      },
    }),
  },
  {
    lie: "tells the end of a space by its first commit only",
    topic: "the end and the newest",
    tell: (truth) => ({
      spaceTail: async (space, count) => {
        if (count > 0) return truth.spaceTail(space, count);
        const [entry] = await all(truth.consumeSpace(space, { limit: 1 }));
        return entry === undefined ? ("" as Cursor) : encodeCursor(entry);
      },
    }),
  },
  {
    lie: "begins the newest entries with the commit they are in",
    topic: "the end and the newest",
    tell: (truth) => ({
      spaceTail: async (space, count) => {
        const offset = await truth.spaceTail(space, count);
        const [entry] = await all(truth.consumeSpace(space, { offset, limit: 1 }));
        return count === 0 || entry === undefined ? offset : cursorAfter(space, entry.timestamp - 1);
      },
    }),
  },
  {
    lie: "says nothing of what after hides",
    topic: "the end and the newest",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) => truth.consumeSegment(space, segment, except(args, "passed")),
    }),
  },
];

export async function* without<T>(index: number, items: AsyncIterable<T>): AsyncGenerator<T> {
  let at = 0;
  for await (const item of items) {
    if (at !== index) yield item;
    at += 1;
  }
}

async function* withBefore<T>(items: AsyncIterable<T>, extra: (item: T, index: number) => T[]): AsyncGenerator<T> {
  let index = 0;
  for await (const item of items) {
    yield* extra(item, index);
    yield item;
    index += 1;
  }
}

async function* sortedBy(items: AsyncIterable<Entry>, compare: (a: Entry, b: Entry) => number): AsyncGenerator<Entry> {
  yield* (await all(items)).sort(compare);
}

function swapped({ timestamp, sequence }: Entry): number {
  return sequence === 2 ? timestamp - 0.5 : timestamp;
}

async function* untilFailure<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    for await (const item of items) yield item;
  } catch {
    // This is the lie.
  }
}

async function* withLongerNames(
  truth: Store,
  space: SpaceName,
  segment: SegmentName,
  args?: ConsumeSegmentArgs,
): AsyncGenerator<Entry> {
  for (const name of await all(truth.getSegments(space))) {
    if (name.startsWith(segment)) yield* truth.consumeSegment(space, name, args);
  }
}

async function* withLongerSpaces(truth: Store, space: SpaceName, args?: ConsumeSpaceArgs): AsyncGenerator<Entry> {
  for (const name of await all(truth.getSpaces())) if (name.startsWith(space)) yield* truth.consumeSpace(name, args);
}

/** From a cursor: with its own entry (inclusive), or without the rest of its commit. */
async function* fromCursor(
  truth: Store,
  space: SpaceName,
  args: ConsumeSpaceArgs,
  inclusive: boolean,
): AsyncGenerator<Entry> {
  const { offset, ...rest } = args;
  const entries = await all(truth.consumeSpace(space));
  const place = entries.find((entry) => encodeCursor(entry) === offset);
  if (place === undefined) {
    yield* truth.consumeSpace(space, args);
    return;
  }
  if (inclusive) yield place;
  yield* truth.consumeSpace(space, inclusive ? args : { ...rest, after: Math.max(place.timestamp, rest.after ?? 0) });
}
