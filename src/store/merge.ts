// Several spaces read as one: merged by (timestamp, space, segment, sequence).
//
// Promise: a stream is begun when the merge comes near its first entry, a few at a time, so that what is read is about
// what is wanted; each is read one entry ahead at most; one that fails fails the whole, and the error names its space;
// leaving leaves all of them.

import type { Entry } from "../core/entry.ts";
import { inSpace } from "../core/errors.ts";
import type { SpaceName } from "../core/ids.ts";
import { compareUtf8 } from "../codec/lexkey.ts";

/** The entries of one space, in its order. */
export interface SpaceStream {
  readonly space: SpaceName;
  /** A cheap look: no entry has an earlier timestamp. Infinity: there is none. Absent: nothing is known. */
  readonly from?: () => Promise<number>;
  /** Requests nothing before its first `next`. */
  readonly entries: AsyncIterable<Entry>;
}

/** Looks, or streams begun, at the same time. */
const togetherMax = 8;

/** `limit`: over all of them; 0 or absent: all. */
export async function* mergeSpaces(streams: Iterable<SpaceStream>, limit = 0): AsyncGenerator<Entry> {
  const sources = [...streams].map(({ space, from, entries }) => ({
    space,
    from,
    iterator: entries[Symbol.asyncIterator](),
  }));
  let left = limit === 0 ? Infinity : limit;
  let together = 1;
  const heads: Head[] = [];
  try {
    const waiting = await inOrder(sources);
    for (;;) {
      let first = earliest(heads);
      for (let due = dueOf(waiting, first, together); due > 0; due = dueOf(waiting, first, together)) {
        const begun = await endOf(waiting.splice(0, due).map(({ source }) => nextOf(source)));
        heads.push(...begun.filter((head) => head !== undefined));
        together = Math.min(togetherMax, 2 * together);
        first = earliest(heads);
      }
      if (first === undefined) return;
      yield first.entry;
      left -= 1;
      if (left === 0) return;
      const next = await nextOf(first.source);
      heads.splice(heads.indexOf(first), 1, ...(next === undefined ? [] : [next]));
    }
  } finally {
    await Promise.allSettled(sources.map(async ({ iterator }) => iterator.return?.()));
  }
}

interface Source {
  readonly space: SpaceName;
  readonly from: (() => Promise<number>) | undefined;
  readonly iterator: AsyncIterator<Entry>;
}

/** A stream that was not begun. */
interface Waiting {
  readonly source: Source;
  readonly from: number;
}

interface Head {
  readonly entry: Entry;
  readonly source: Source;
}

/** By where they may begin; those that are known to be empty are left out. */
async function inOrder(sources: readonly Source[]): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  for (let at = 0; at < sources.length; at += togetherMax) {
    const some = sources.slice(at, at + togetherMax);
    waiting.push(
      ...(await endOf(
        some.map(async (source) => ({
          source,
          from: sources.length > 1 ? ((await named(source.space, async () => source.from?.())) ?? 0) : 0,
        })),
      )),
    );
  }
  return waiting.filter(({ from }) => from < Infinity).sort((a, b) => a.from - b.from);
}

/** How many of those that wait are to be begun before the first of the heads is known to be the first of all. */
function dueOf(waiting: readonly Waiting[], first: Head | undefined, together: number): number {
  const last = first?.entry.timestamp ?? Infinity;
  return waiting.slice(0, together).filter(({ from }) => from <= last).length;
}

/** All have answered before one of them is given up. */
async function endOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  return (await Promise.allSettled(promises)).map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}

async function nextOf(source: Source): Promise<Head | undefined> {
  return named(source.space, async () => {
    const result = await source.iterator.next();
    return result.done === true ? undefined : { entry: result.value, source };
  });
}

async function named<T>(space: SpaceName, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inSpace(space, error);
  }
}

function earliest(heads: readonly Head[]): Head | undefined {
  return heads.reduce<Head | undefined>(
    (best, head) => (best === undefined || isBefore(head, best) ? head : best),
    undefined,
  );
}

function isBefore(a: Head, b: Head): boolean {
  return (
    (a.entry.timestamp - b.entry.timestamp ||
      compareUtf8(a.entry.space, b.entry.space) ||
      compareUtf8(a.entry.segment, b.entry.segment) ||
      a.entry.sequence - b.entry.sequence) < 0
  );
}
