import { expect, test } from "vitest";
import { noMetadata } from "../../../src/core/entry.ts";
import type { Entry } from "../../../src/core/entry.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../../../src/core/ids.ts";
import { mergeSpaces } from "../../../src/store/merge.ts";
import { all, untilError } from "../../contract/given.ts";

const uuid = "00112233-4455-6677-8899-aabbccddeeff";
const trx = { id: parseTransactionId(uuid), node: parseNodeId(uuid), number: 1 };

/** "space timestamp segment sequence" */
function entry(place: string): Entry {
  const [space, timestamp, segment, sequence] = place.split(" ");
  return {
    space: parseSpaceName(space!),
    timestamp: Number(timestamp),
    segment: parseSegmentName(segment!),
    sequence: Number(sequence),
    trx,
    payload: new Uint8Array(),
    metadata: noMetadata,
  };
}

class Stream implements AsyncIterable<Entry> {
  asked = 0;
  left = false;
  readonly #places: readonly (string | Error)[];

  constructor(...places: (string | Error)[]) {
    this.#places = places;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry> {
    try {
      for (const place of this.#places) {
        this.asked += 1;
        await Promise.resolve();
        if (place instanceof Error) throw place;
        yield entry(place);
      }
    } finally {
      this.left = true;
    }
  }
}

/** Each of a space of its own. */
const of = (streams: readonly Stream[]) =>
  streams.map((entries, index) => ({ space: parseSpaceName(`space ${index}`), entries }));

const places = (entries: readonly Entry[]): string[] =>
  entries.map(({ space, timestamp, segment, sequence }) => `${space} ${timestamp} ${segment} ${sequence}`);

test("streams are merged by timestamp, then space, segment and sequence, names as UTF-8", async () => {
  const streams = [
    new Stream("\u{10000} 1 s 1", "\u{10000} 3 s 2"),
    new Stream("\uffff 1 \uffff 1", "\uffff 1 \u{10000} 1", "\uffff 2 s 1", "\uffff 2 s 2"),
    new Stream(),
    new Stream("a 2 s 1", "a 4 s 2"),
  ];
  expect(places(await all(mergeSpaces(of(streams))))).toEqual([
    "\uffff 1 \uffff 1",
    "\uffff 1 \u{10000} 1",
    "\u{10000} 1 s 1",
    "a 2 s 1",
    "\uffff 2 s 1",
    "\uffff 2 s 2",
    "\u{10000} 3 s 2",
    "a 4 s 2",
  ]);
  expect(await all(mergeSpaces(of([])))).toEqual([]);
});

test("no stream is read more than one entry ahead, nor beyond the limit, and all are left at the end", async () => {
  const streams = [new Stream("a 1 s 1", "a 2 s 2", "a 9 s 3", "a 10 s 4"), new Stream("b 5 s 1", "b 6 s 2")];
  const merged = mergeSpaces(of(streams), 2);
  expect(streams.map(({ asked }) => asked)).toEqual([0, 0]);
  expect(places(await all(merged))).toEqual(["a 1 s 1", "a 2 s 2"]);
  expect(streams.map(({ asked }) => asked)).toEqual([2, 1]);
  expect(streams.map(({ left }) => left)).toEqual([true, true]);
});

test("leaving the merged stream leaves all streams", async () => {
  const streams = [new Stream("a 1 s 1", "a 2 s 2"), new Stream("b 5 s 1")];
  for await (const first of mergeSpaces(of(streams))) {
    expect(places([first])).toEqual(["a 1 s 1"]);
    break;
  }
  expect(streams.map(({ left }) => left)).toEqual([true, true]);
});

test("a stream that fails fails the whole, once its turn has come, and the others are left", async () => {
  const failure = new Error("failed");
  const streams = [new Stream("a 1 s 1", "a 2 s 2", failure), new Stream("b 1 s 1", "b 9 s 2", "b 10 s 3")];
  const { read, error } = await untilError(mergeSpaces(of(streams)));
  expect(error).toBe(failure);
  expect(places(read)).toEqual(["a 1 s 1", "b 1 s 1", "a 2 s 2"]);
  const early = [new Stream("a 1 s 1"), new Stream(failure)];
  expect(await untilError(mergeSpaces(of(early)))).toEqual({ read: [], error: failure });
  expect([...streams, ...early].map(({ left }) => left)).toEqual([true, true, true, true]);
});
