// Several spaces read as one: merged by (timestamp, space, segment, sequence).
//
// Promise: each stream is read one entry ahead at most; one that fails fails the whole; leaving leaves all of them.

import type { Entry } from "../core/entry.ts";
import { compareUtf8 } from "../codec/lexkey.ts";

/** `streams`: the entries of one space each, in its order. `limit`: over all of them; 0 or absent: all. */
export async function* mergeSpaces(streams: Iterable<AsyncIterable<Entry>>, limit = 0): AsyncGenerator<Entry> {
  const sources = [...streams].map((stream) => stream[Symbol.asyncIterator]());
  let left = limit === 0 ? Infinity : limit;
  try {
    // All are asked at once; all have answered before one of them is given up.
    const first = await Promise.allSettled(sources.map((source) => nextOf(source)));
    const heads = first.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
    for (;;) {
      const head = heads.reduce((best, other) => (isBefore(other, best) ? other : best), undefined);
      if (head === undefined) return;
      yield head.entry;
      left -= 1;
      if (left === 0) return;
      heads[heads.indexOf(head)] = await nextOf(head.source);
    }
  } finally {
    await Promise.allSettled(sources.map(async (source) => source.return?.()));
  }
}

interface Head {
  readonly entry: Entry;
  readonly source: AsyncIterator<Entry>;
}

async function nextOf(source: AsyncIterator<Entry>): Promise<Head | undefined> {
  const result = await source.next();
  return result.done === true ? undefined : { entry: result.value, source };
}

function isBefore(a: Head | undefined, b: Head | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  return (
    (a.entry.timestamp - b.entry.timestamp ||
      compareUtf8(a.entry.space, b.entry.space) ||
      compareUtf8(a.entry.segment, b.entry.segment) ||
      a.entry.sequence - b.entry.sequence) < 0
  );
}
