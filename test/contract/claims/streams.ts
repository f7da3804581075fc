// Streams: what a segment is beside its entries, decided once for all instances.

import { setTimeout as delay } from "node:timers/promises";

import { expect } from "vitest";

import { limits } from "../../../src/core/limits.ts";
import type { ProducerStep, StreamState } from "../../../src/core/stream.ts";
import type { StreamOutcome, Store } from "../../../src/store/store.ts";
import type { StreamAnswer, StreamWish } from "../../../src/store/stream-rules.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, first, incompressible, orders, produce, record, records, refused, segment, segmentEntries, spaceEntries } from "../given.ts"; // prettier-ignore

const text = "text/plain";
const json = "application/json";

/** The parts of an append that a test does not speak of. */
type Append = Partial<Extract<StreamWish, { kind: "append" }>>;

function make(store: Store, wish: Partial<Extract<StreamWish, { kind: "make" }>> = {}): Promise<StreamOutcome> {
  return store.changeStream(orders, first, {
    wish: { kind: "make", contentType: text, closed: false, ...wish },
    records: [],
  });
}

function append(store: Store, payloads: readonly (string | Uint8Array)[], wish: Append = {}): Promise<StreamOutcome> {
  const given = payloads.map((payload) => record(payload));
  const contentType = given.length === 0 ? undefined : text;
  return store.changeStream(orders, first, {
    wish: { kind: "append", contentType, closes: false, ...wish },
    records: given,
  });
}

function step(sequence: number, epoch = 0, id = "p"): { readonly producer: ProducerStep } {
  return { producer: { id, epoch, sequence } };
}

function answerOf(outcome: StreamOutcome): StreamAnswer {
  if (outcome.kind !== "answered") expect.fail("it was written");
  return outcome.answer;
}

function streamOf(outcome: StreamOutcome): StreamState {
  if (outcome.kind !== "written") expect.fail(`it was answered: ${outcome.answer.kind}`);
  return outcome.stream;
}

async function texts(store: Store): Promise<string[]> {
  return (await segmentEntries(store, first)).map(({ payload }) => Buffer.from(payload).toString());
}

export const streamClaims: readonly Claim[] = [
  claim("a stream is made without entries, listed, and known to all instances", async ({ store, other }) => {
    expect(await other.streamOf(orders, first)).toBeUndefined();
    const made = await make(store, { contentType: json, ttlSeconds: 60 });
    const stream = streamOf(made);
    expect(stream).toMatchObject({ contentType: json, closed: false, ttlSeconds: 60, firstSequence: 1 });
    expect(made.lastSequence).toBe(0);
    for (const view of [store, other]) {
      expect(await view.streamOf(orders, first)).toEqual({ stream, firstSequence: 1, lastSequence: 0 });
      expect(await all(view.getSegments(orders))).toEqual([first]);
      expect(await all(view.getSpaces())).toEqual([orders]);
      expect(await segmentEntries(view, first)).toEqual([]);
      expect(await spaceEntries(view)).toEqual([]);
      expect(await view.peek(orders, first)).toBeUndefined();
    }
  }),

  claim("one that is there as it is wanted is not made again; another one has the name", async ({ store, other }) => {
    const stream = streamOf(await make(store));
    expect(answerOf(await make(other, { contentType: "TEXT/plain; charset=utf-8" }))).toEqual({
      kind: "as_wanted",
      stream,
    });
    expect(answerOf(await make(other, { contentType: json }))).toEqual({ kind: "taken", stream });
    expect(answerOf(await make(other, { ttlSeconds: 5 }))).toEqual({ kind: "taken", stream });
    expect(answerOf(await make(other, { closed: true }))).toEqual({ kind: "taken", stream });
  }),

  claim("of many who make it at once one does, and all know the same", async ({ store, other }) => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, index) => make(index % 2 === 0 ? store : other)));
    const written = outcomes.filter(({ kind }) => kind === "written");
    expect(written).toHaveLength(1);
    const lives = outcomes
      .map((one) => (one.kind === "written" ? one.stream : answerOf(one)))
      .map((one) => {
        return "stream" in one ? one.stream.life : "life" in one ? one.life : undefined;
      });
    expect(new Set(lives).size).toBe(1);
  }),

  claim("what is appended is an entry, and a segment with entries becomes a stream that has them", async (context) => {
    const { store, other } = context;
    await produce(store, first, [record("a")]);
    expect(answerOf(await append(store, ["b"]))).toEqual({ kind: "no_stream" });
    const stream = streamOf(await make(other));
    expect(stream.firstSequence).toBe(1);
    expect(await append(store, ["b", "c"])).toEqual({ kind: "written", stream, lastSequence: 3 });
    await produce(other, first, [record("d")]);
    for (const view of [store, other]) {
      expect(await texts(view)).toEqual(["a", "b", "c", "d"]);
      expect((await spaceEntries(view)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
      expect(await view.streamOf(orders, first)).toEqual({ stream, firstSequence: 1, lastSequence: 4 });
    }
  }),

  claim("a producer's appends are made once, in order, whichever instance they come to", async ({ store, other }) => {
    await make(store);
    expect((await append(store, ["0"], step(0))).kind).toBe("written");
    expect(answerOf(await append(other, ["0"], step(0)))).toMatchObject({
      kind: "repeated",
      producer: { epoch: 0, sequence: 0 },
    });
    expect(answerOf(await append(store, ["2"], step(2)))).toMatchObject({ kind: "gap", expected: 1, received: 2 });
    expect((await append(other, ["1"], step(1))).kind).toBe("written");
    expect((await append(store, ["2"], step(2))).kind).toBe("written");
    expect(answerOf(await append(store, ["0"], step(0)))).toMatchObject({
      kind: "repeated",
      producer: { sequence: 2 },
    });
    expect((await append(other, ["q"], step(0, 7, "q"))).kind).toBe("written");
    expect(await texts(other)).toEqual(["0", "1", "2", "q"]);
  }),

  claim("a new epoch of a producer begins with 0, and its former one is refused", async ({ store, other }) => {
    await make(store);
    await append(store, ["a"], step(0, 3));
    expect(answerOf(await append(other, ["b"], step(1, 4))).kind).toBe("epoch_begins_at_0");
    expect((await append(other, ["b"], step(0, 4))).kind).toBe("written");
    expect(answerOf(await append(store, ["zombie"], step(1, 3)))).toMatchObject({ kind: "old_epoch", epoch: 4 });
    expect(await texts(store)).toEqual(["a", "b"]);
  }),

  claim("of many who append the same at once one does", async ({ store, other }) => {
    await make(store);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) => append(index % 2 === 0 ? store : other, ["same"], step(0))),
    );
    expect(outcomes.filter(({ kind }) => kind === "written")).toHaveLength(1);
    expect(await texts(store)).toEqual(["same"]);
  }),

  claim("a sequence of the caller's own only grows, compared as text", async ({ store, other }) => {
    await make(store);
    await append(store, ["a"], { seq: "2" });
    expect(answerOf(await append(other, ["b"], { seq: "2" }))).toMatchObject({ kind: "seq_not_greater", last: "2" });
    expect(answerOf(await append(other, ["b"], { seq: "10" })).kind).toBe("seq_not_greater");
    expect((await append(other, ["b"], { seq: "3" })).kind).toBe("written");
    expect((await append(other, ["c"])).kind).toBe("written");
    expect(answerOf(await append(store, ["d"], { seq: "3" })).kind).toBe("seq_not_greater");
  }),

  claim("a closed stream takes nothing more, from nobody", async ({ store, other }) => {
    await make(store);
    const closed = streamOf(await append(store, ["last"], { closes: true, ...step(0) }));
    expect(closed.closed).toBe(true);
    expect(answerOf(await append(other, ["more"])).kind).toBe("closed");
    expect(answerOf(await append(other, ["more"], step(1))).kind).toBe("closed");
    expect(answerOf(await append(other, [], { closes: true }))).toEqual({ kind: "as_wanted", stream: closed });
    expect(answerOf(await append(other, ["last"], { closes: true, ...step(0) })).kind).toBe("repeated");
    await refused(produce(other, first, records(1)), "stream_closed");
    const together = [segment("beside"), first].map((to) => ({ segment: to, records: records(1) }));
    await refused(store.produceAll(orders, together), "stream_closed");
    expect(await texts(store)).toEqual(["last"]);
    expect(await segmentEntries(store, segment("beside"))).toEqual([]);
  }),

  claim("closing alone writes no entry", async ({ store, other }) => {
    await make(store);
    await append(store, ["a"]);
    expect(streamOf(await append(other, [], { closes: true })).closed).toBe(true);
    expect((await store.peek(orders, first))?.sequence).toBe(1);
    expect((await store.streamOf(orders, first))?.stream.closed).toBe(true);
  }),

  claim("a stream of JSON takes nothing else, from nobody", async ({ store, other }) => {
    await make(store, { contentType: json });
    expect(answerOf(await append(store, ["{"], { contentType: json })).kind).toBe("not_json");
    expect(answerOf(await append(store, ["1"], { contentType: text })).kind).toBe("other_content_type");
    await refused(produce(other, first, [record("1"), record("no")]), "invalid_argument");
    await refused(other.produceAll(orders, [{ segment: first, records: [record("no")] }]), "invalid_argument");
    await produce(other, first, [record('{"a":1}')]);
    expect((await append(store, ["[2]"], { contentType: json })).kind).toBe("written");
    expect(await texts(store)).toEqual(['{"a":1}', "[2]"]);
  }),

  claim("what is more than a chunk is appended in several, and closes with the last", async ({ store, other }) => {
    await make(store);
    const parts = [1, 2, 3].map((seed) => incompressible(limits.chunkBytesMax - 100, seed));
    const outcome = await append(store, parts, { closes: true, ...step(0) });
    expect(outcome).toMatchObject({ kind: "written", lastSequence: 3, stream: { closed: true } });
    expect(answerOf(await append(other, parts, { closes: true, ...step(0) })).kind).toBe("repeated");
    const entries = await segmentEntries(other, first);
    expect(entries.map(({ payload }) => Buffer.compare(payload, parts[0]!))).toContain(0);
    expect(entries).toHaveLength(3);
  }),

  claim("a producer's repeat completes the append that a crash has cut", async ({ backend, store, other }) => {
    await make(store);
    const parts = [1, 2, 3].map((seed) => incompressible(limits.chunkBytesMax - 100, seed));
    for (const when of ["before_commit", "after_commit"] as const) {
      const sequence = when === "before_commit" ? 0 : 1;
      await backend.faults.crash(when, 1);
      await expect(append(store, parts, step(sequence))).rejects.toThrow();
      expect((await append(other, parts, step(sequence))).kind).toBe("written");
      await backend.faults.heal();
    }
    expect(await segmentEntries(other, first)).toHaveLength(6);
  }),

  claim("a stream ends by itself, is not there for its callers then, and another begins behind it", async (context) => {
    const { store, other } = context;
    const stream = streamOf(await make(store, { ttlSeconds: 1 }));
    await append(store, ["old"], step(0));
    const left = (stream.expiresAt ?? 0) - Date.now();
    expect(left).toBeGreaterThan(500);
    await delay(left + 600);
    expect(answerOf(await append(other, ["late"], step(1)))).toEqual({ kind: "no_stream" });
    const next = streamOf(await make(other, { contentType: json }));
    expect(next.life).toBeGreaterThan(stream.life);
    expect(next.firstSequence).toBe(2);
    expect((await append(store, ["0"], { contentType: json, ...step(0) })).kind).toBe("written");
  }),

  claim("a stream that is used goes on, and the one that is meant may be named", async ({ store, other }) => {
    const stream = streamOf(await make(store, { ttlSeconds: 20 }));
    expect(answerOf(await other.changeStream(orders, first, use(stream.life))).kind).toBe("as_wanted");
    await delay(2_100);
    const used = streamOf(await other.changeStream(orders, first, use(stream.life)));
    expect(used.expiresAt).toBeGreaterThan(stream.expiresAt ?? Infinity);
    expect(answerOf(await other.changeStream(orders, first, use(stream.life - 1))).kind).toBe("no_stream");
    expect(answerOf(await append(store, ["x"], { life: stream.life - 1 })).kind).toBe("no_stream");
  }),
];

function use(life: number): { readonly wish: StreamWish; readonly records: [] } {
  return { wish: { kind: "use", life }, records: [] };
}
