// Reading can be left at any moment and then asks for nothing more; a closed store refuses what is new and ends what
// runs.

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Store } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectContent, expectSame, first, incompressible, orders, produce, record, records, refused, segmentEntries, untilError } from "../given.ts"; // prettier-ignore
import { manyPages } from "./errors.ts";

const reads = [
  {
    what: "a segment",
    read: (store: Store, signal?: AbortSignal) => store.consumeSegment(orders, first, options(signal)),
  },
  { what: "a space", read: (store: Store, signal?: AbortSignal) => store.consumeSpace(orders, options(signal)) },
  {
    what: "several spaces",
    read: (store: Store, signal?: AbortSignal) =>
      store.consume({ offsets: new Map([[orders, "" as never]]), ...options(signal) }),
  },
] as const;

/** 34 MB: what is on its way to a reader that has left fills the buffers of every connection between, and no more. */
const moreBlocksThanBuffers = 48;

export const lifetimeClaims: readonly Claim[] = [
  claim(
    "a consume that is left, or whose signal aborts, stops its requests; the signal's reason is its error",
    async (context) => {
      const { store } = context;
      const entries = await manyPages(context, moreBlocksThanBuffers);
      const whole = await pagesReadBy(context, () => all(store.consumeSegment(orders, first)));
      for (const { what, read } of reads) {
        const left = await pagesReadBy(context, async () => {
          for await (const entry of read(store)) {
            expectSame([entry], entries.slice(0, 1));
            break;
          }
        });
        expect(left, what).toBeGreaterThan(0);
        expect(left, what).toBeLessThan(whole);
        const aborted = await pagesReadBy(context, async () => {
          const controller = new AbortController();
          const reason = new Error("enough");
          const { error } = await untilError(abortAfterFirst(read(store, controller.signal), controller, reason));
          expect(error, what).toBe(reason);
        });
        expect(aborted, what).toBeLessThan(whole);
      }
    },
  ),

  ...reads.map(({ what, read }) =>
    claim(
      `${what}: nothing is requested before the first entry is asked for, nor after an abort before it`,
      async (context) => {
        const { store } = context;
        await produce(store, first, records(3));
        const pages = await pagesReadBy(context, async () => {
          read(store);
          const reason = new Error("never mind");
          const { error } = await untilError(read(store, AbortSignal.abort(reason)));
          expect(error).toBe(reason);
        });
        expect(pages).toBe(0);
      },
    ),
  ),

  claim("an abort before it begins keeps a produce from writing anything", async ({ store, other }) => {
    const reason = new Error("never mind");
    const { error } = await untilError(store.produce(orders, first, records(2), { signal: AbortSignal.abort(reason) }));
    expect(error).toBe(reason);
    expect(await segmentEntries(other, first)).toEqual([]);
  }),

  claim("a closed store refuses what is new and says that nothing happened", async ({ store, other }) => {
    await produce(store, first, records(2));
    await store.close();
    const asked = [
      produce(store, first, records(1)),
      store.produceAll(orders, [{ segment: first, records: records(1) }]),
      segmentEntries(store, first),
      all(store.consumeSpace(orders)),
      all(store.getSpaces()),
      store.peek(orders, first),
    ];
    for (const work of await Promise.allSettled(asked)) {
      expect(work).toMatchObject({ status: "rejected", reason: { code: "storage_unavailable", effect: "none" } });
    }
    expectContent(await segmentEntries(other, first), records(2));
    await store.close();
  }),

  claim("closing lets running work end, and waits for it", async ({ store, other, backend, id }) => {
    const given = Array.from({ length: 6 }, (_, index) => record(incompressible(500_000, index + 1)));
    await produce(store, first, given);
    const producing = produce(store, first, records(2_500, "late"));
    const reading = store.consumeSegment(orders, first)[Symbol.asyncIterator]();
    expect((await reading.next()).done).toBe(false);
    let closed = false;
    const closing = store.close().then(() => (closed = true));
    await refused(segmentEntries(store, first), "storage_unavailable");
    let read = 1;
    while ((await reading.next()).done !== true) {
      expect(closed).toBe(false);
      read += 1;
    }
    expect(read).toBeGreaterThanOrEqual(6);
    expect(await producing).toHaveLength(3);
    await closing;
    expectContent(await segmentEntries(other, first), [...given, ...records(2_500, "late")]);
    // Opened again, the same store is there as if it had never been closed.
    await produce(backend.store(0, id), first, records(1, "later"));
    expect((await other.peek(orders, first))?.sequence).toBe(2_507);
  }),

  claim("closing one instance closes nothing for another", async ({ store, other }) => {
    await other.close();
    await produce(store, first, records(2));
    expectContent(await segmentEntries(store, first), records(2));
    await refused(segmentEntries(other, first), "storage_unavailable");
  }),
];

function options(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

async function* abortAfterFirst<T>(
  items: AsyncIterable<T>,
  controller: AbortController,
  reason: Error,
): AsyncGenerator<T> {
  for await (const item of items) {
    yield item;
    controller.abort(reason);
  }
}

/** What was read by this work, and after it by what it left behind, until nothing has been read for a while. */
async function pagesReadBy({ backend }: Context, work: () => Promise<unknown>): Promise<number> {
  const before = await backend.faults.pagesRead();
  await work();
  let count = -1;
  for (let quiet = 0; quiet < 2;) {
    const now = await backend.faults.pagesRead();
    quiet = now === count ? quiet + 1 : 0;
    count = now;
    await delay(120);
  }
  return count - before;
}
