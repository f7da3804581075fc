// What is produced comes back as it was, chunk by chunk, or is refused by name before anything is written.

import { expect } from "vitest";
import { emptyStatus } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import type { ProducedChunk } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  all,
  at,
  eventually,
  expectContent,
  first,
  incompressible,
  orders,
  produce,
  record,
  records,
  refused,
  segmentEntries,
  spaceEntries,
  untilError,
} from "../given.ts";

const sizes = [1, 2, 1_000, 65_535, 65_536, 65_537, 262_144, limits.recordBytesMax - 1, limits.recordBytesMax];

export const produceClaims: readonly Claim[] = [
  ...[1, 5, 1_000, 12_345].map((count) =>
    claim(`${count} records come back in order, with one status for each chunk of at most 1,000`, async (context) => {
      const { store, other } = context;
      const given = records(count);
      const chunks = await produce(store, first, given);
      expectStatuses(chunks, count);
      expectContent(await segmentEntries(other, first), given);
      expectContent(await spaceEntries(other), given);
    }),
  ),

  claim("records may arrive one by one, from a source that is only read as far as it is needed", async ({ store }) => {
    const given = records(1_500);
    let taken = 0;
    async function* arriving(): AsyncGenerator<(typeof given)[number]> {
      for (const one of given) {
        if (taken % 100 === 0) await Promise.resolve();
        taken += 1;
        yield one;
      }
    }
    const stream = store.produce(orders, first, arriving());
    expect(taken).toBe(0);
    expectStatuses(await all(stream), 1_500);
    expectContent(await segmentEntries(store, first), given);
  }),

  claim(
    "payload and metadata come back byte for byte: every byte, several keys, Unicode, empty texts",
    async (context) => {
      const { store, other } = context;
      const given = [
        record(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
        record("plain", new Map([["content-type", "text/plain"]])),
        record("several", new Map([["b", "2"], ["a", "1"], ["a b", "3"], ["A", "4"], ["__proto__", "5"], ["length", "6"]])), // prettier-ignore
        record(
          "unicode",
          new Map([
            ["ключ 🗝", "значение 🚀 \u{1F469}\u200D\u{1F680}"],
            ["\uffff", "\u{10000}"],
          ]),
        ),
        record("empty", new Map([["", ""], ["empty", ""]])), // prettier-ignore
        record("controls", new Map([["line\nbreak\ttab", 'quote" back\\slash \u0000 \u007f \u2028']])),
      ];
      await produce(store, first, given);
      expectContent(await segmentEntries(other, first), given);
      expectContent(await spaceEntries(other), given);
    },
  ),

  claim("an empty payload is an entry like any other", async ({ store, other }) => {
    const given = [record(""), record("", new Map([["k", "v"]])), record("")];
    await produce(store, first, given);
    expectContent(await segmentEntries(other, first), given);
  }),

  claim("zero records give the status and write nothing", async ({ store, other }) => {
    expect(await produce(store, first, [])).toEqual([{ status: emptyStatus(orders, first) }]);
    expect(await all(other.getSpaces())).toEqual([]);
    expect(await all(other.getSegments(orders))).toEqual([]);
    const status = (await produce(store, first, records(3)))[0]?.status;
    const end = await store.spaceTail(orders, 0);
    expect(await produce(store, first, [])).toEqual([{ status }]);
    expect(await store.spaceTail(orders, 0)).toBe(end);
    expect(await segmentEntries(other, first)).toHaveLength(3);
  }),

  claim("payloads of 1 byte to 768 KiB that do not compress come back", async ({ store, other }) => {
    const given = sizes.map((bytes, index) => record(incompressible(bytes, index + 1)));
    await produce(store, first, given);
    expectContent(await segmentEntries(other, first), given);
    expectContent(await spaceEntries(other), given);
  }),

  claim(
    "a record that is one byte too large is refused by name, and nothing of its request is written",
    async (context) => {
      const { store } = context;
      const limit = limits.recordBytesMax;
      const metadata = new Map([["k", "v"]]);
      const tooLarge = [record(incompressible(limit + 1)), record(incompressible(limit - 9), metadata)];
      for (const large of tooLarge) {
        const error = await refused(produce(store, first, [record("small"), large]), "record_too_large");
        expect(error.details).toMatchObject({ limit, size: limit + 1 });
      }
      await expectNothing(context);
      await produce(store, first, [record(incompressible(limit - 10), metadata)]);
    },
  ),

  claim("metadata that is not valid Unicode is refused, and nothing is written", async (context) => {
    const { store } = context;
    await refused(produce(store, first, [record("a", new Map([["key", "\ud800"]]))]), "invalid_argument");
    await refused(produce(store, first, [record("a", new Map([["\udc00", "value"]]))]), "invalid_argument");
    await expectNothing(context);
  }),

  claim(
    "when a later chunk holds a record that is too large, what was committed before is said and stays",
    async (context) => {
      const { store, other } = context;
      const given = [...records(1_500), record(incompressible(limits.recordBytesMax + 1)), ...records(600, "after")];
      const { read, error } = await untilError(store.produce(orders, first, given));
      expect(error).toMatchObject({ code: "record_too_large", effect: "none" });
      expectStatuses(read, 1_000);
      expectContent(await segmentEntries(other, first), given.slice(0, 1_000));
      expectContent(await spaceEntries(other), given.slice(0, 1_000));
    },
  ),

  claim(
    "when a later chunk does not continue the segment, what was committed before is said and stays",
    async (context) => {
      const { store, other } = context;
      const given = at([...Array.from({ length: 2_200 }, (_, index) => index + 1), 2_202, 2_203]);
      const { read, error } = await untilError(store.produce(orders, first, given));
      expect(error).toMatchObject({ code: "sequence_mismatch", details: { expected: 2_201, received: 2_202 } });
      expectStatuses(read, 2_000);
      expectContent(await segmentEntries(other, first), given.slice(0, 2_000));
    },
  ),

  claim("acknowledged as committed, it is in its space at once and in its segment soon", async ({ store, other }) => {
    const given = records(3);
    await produce(store, first, given, { ack: "committed" });
    expectContent(await spaceEntries(other), given);
    const applied = async (): Promise<boolean> => (await segmentEntries(other, first)).length === 3;
    await eventually("the segment follows its space", applied);
    expectContent(await segmentEntries(other, first), given);
  }),

  claim(
    "a commit wakes who listens to its space, and nobody who has stopped or listens to another",
    async (context) => {
      const { store } = context;
      const calls = { here: 0, stopped: 0 };
      const stop = store.onCommit(orders, () => (calls.here += 1));
      store.onCommit(orders, () => (calls.stopped += 1))();
      await produce(store, first, records(1));
      await eventually("the listener is called", () => Promise.resolve(calls.here > 0), 3_000);
      stop();
      expect(calls.stopped).toBe(0);
    },
  ),
];

/** One status for each thousand, each as of its chunk. */
function expectStatuses(chunks: readonly ProducedChunk[], count: number): void {
  expect(chunks.length).toBe(Math.ceil(count / 1_000));
  const firstTimestamp = chunks[0]?.status.lastTimestamp ?? 0;
  expect(firstTimestamp).toBeGreaterThan(0);
  let before = 0;
  for (const [index, { status, transaction }] of chunks.entries()) {
    const lastSequence = Math.min((index + 1) * 1_000, count);
    expect(status).toMatchObject({ space: orders, segment: first, firstSequence: 1, firstTimestamp, lastSequence });
    expect(status.lastTimestamp).toBeGreaterThan(before);
    before = status.lastTimestamp;
    const expected = { number: index + 1, firstSequence: index * 1_000 + 1, lastSequence, duplicate: false };
    expect(transaction).toMatchObject(expected);
  }
}

async function expectNothing({ store, other }: Context): Promise<void> {
  for (const view of [store, other]) {
    expect(await segmentEntries(view, first)).toEqual([]);
    expect(await spaceEntries(view)).toEqual([]);
    expect(await view.peek(orders, first)).toBeUndefined();
    expect(await all(view.getSpaces())).toEqual([]);
  }
}
