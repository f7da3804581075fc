// Lies about what a trim has removed, what it left, and who is told.

import type { Cursor } from "../../../src/core/ids.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Liar } from "./liar.ts";

export const trimmingLiars: readonly Liar[] = [
  {
    lie: "says that a segment is trimmed, and keeps it",
    topic: "trim",
    tell: (truth) => ({
      trimSegment: async (space, segment, before) => {
        const status = await statusOf(truth, space, segment);
        return { ...status, firstSequence: Math.max(status.firstSequence, Math.min(before, status.lastSequence + 1)) };
      },
    }),
  },
  {
    lie: "trims one entry too many",
    topic: "trim",
    tell: (truth) => ({
      trimSegment: (space, segment, before, options) => truth.trimSegment(space, segment, before + 1, options),
    }),
  },
  {
    lie: "lets a segment begin at one again when all of it is trimmed",
    topic: "trim",
    tell: (truth) => ({
      trimSegment: async (space, segment, before, options) => {
        const status = await truth.trimSegment(space, segment, before, options);
        return status.firstSequence > status.lastSequence ? { ...status, firstSequence: 1 } : status;
      },
    }),
  },
  {
    lie: "keeps what is committed but not applied when all is trimmed",
    topic: "trim",
    tell: (truth, memory) => ({
      produce: (space, segment, records, options = {}) => {
        if (options.ack === "committed") memory.set(`${truth.id} ${space} ${segment}`, true);
        return truth.produce(space, segment, records, options);
      },
      trimSegment: async (space, segment, before, options) => {
        const held = memory.has(`${truth.id} ${space} ${segment}`);
        const { lastSequence } = await statusOf(truth, space, segment);
        return truth.trimSegment(space, segment, held ? Math.min(before, lastSequence) : before, options);
      },
    }),
  },
  {
    lie: "shows a trimmed segment from its earliest to who has missed something",
    topic: "trim",
    tell: (truth) => ({
      consumeSegment: (space, segment, args) => truth.consumeSegment(space, segment, { ...args, clamp: true }),
    }),
  },
  {
    lie: "shows a trimmed space from its earliest to who has missed something",
    topic: "trim",
    tell: (truth) => ({ consumeSpace: (space, args) => truth.consumeSpace(space, { ...args, clamp: true }) }),
  },
  {
    lie: "tells also those who asked to go on",
    topic: "trim",
    tell: (truth) => ({
      consumeSpace: (space, args) => truth.consumeSpace(space, { ...args, clamp: false }),
      consumeSegment: (space, segment, args) => truth.consumeSegment(space, segment, { ...args, clamp: false }),
    }),
  },
  {
    lie: "tells a reader who has read all that was trimmed that he has missed something",
    topic: "trim",
    tell: (truth, memory) => ({
      trimSpace: async (space, before, options) => {
        const trim = await truth.trimSpace(space, before, options);
        memory.set(`${truth.id} ${space}`, trim.earliest);
        return trim;
      },
      consumeSpace: (space, args = {}) => {
        const earliest = memory.get(`${truth.id} ${space}`) as Cursor | undefined;
        const { clamp, offset } = args;
        if (clamp !== true && offset !== undefined && offset !== "" && earliest !== undefined && offset < earliest) {
          return failing(new StoreError("trimmed", "It was trimmed.", { details: { earliest } }));
        }
        return truth.consumeSpace(space, args);
      },
    }),
  },
  {
    lie: "trims a space and leaves its segments",
    topic: "trim",
    tell: (truth, memory) => ({
      trimSpace: (space, before) => {
        memory.set(`${truth.id} ${space}`, before);
        return Promise.resolve({ earliest: "" as Cursor, state: "done" });
      },
      consumeSpace: (space, args = {}) => {
        const before = memory.get(`${truth.id} ${space}`) as { readonly timestamp?: number } | undefined;
        const after = Math.max(args.after ?? 0, (before?.timestamp ?? 1) - 1);
        return truth.consumeSpace(space, { ...args, after });
      },
    }),
  },
  {
    lie: "removes parts of a commit",
    topic: "trim",
    tell: (truth) => ({
      trimSpace: (space, before, options) =>
        truth.trimSpace(
          space,
          "offset" in before ? { offset: `${before.offset.slice(0, -16)}${"0".repeat(15)}9` as Cursor } : before,
          options,
        ),
    }),
  },
  {
    lie: "names one of several spaces that were trimmed",
    topic: "trim",
    tell: (truth) => ({
      consume: (args) => ({
        [Symbol.asyncIterator]: async function* () {
          try {
            yield* truth.consume(args);
          } catch (error) {
            if (!(error instanceof StoreError) || error.code !== "trimmed") throw error;
            const { space, earliest } = error.details;
            throw new StoreError("trimmed", error.message, { details: { trimmed: [{ space, earliest }] } });
          }
        },
      }),
    }),
  },
  {
    lie: "begins time anew in a space of which all is gone",
    topic: "trim",
    tell: (truth, memory) => ({
      trimSpace: async (space, before, options) => {
        const trim = await truth.trimSpace(space, before, options);
        memory.set(`${truth.id} ${space}`, true);
        return trim;
      },
      spaceTail: async (space, count, options) => {
        if (!memory.has(`${truth.id} ${space}`)) return truth.spaceTail(space, count, options);
        for await (const _ of truth.consumeSpace(space, { limit: 1 })) return truth.spaceTail(space, count, options);
        return "" as Cursor;
      },
    }),
  },
];

async function statusOf(truth: Store, ...[space, segment]: Parameters<NonNullable<Store["getSegmentStatus"]>>) {
  if (truth.getSegmentStatus === undefined) throw new Error("Liars are made of a store that can tell a status.");
  return truth.getSegmentStatus(space, segment);
}

async function* failing(error: StoreError): AsyncGenerator<never> {
  await Promise.resolve();
  throw error;
}
