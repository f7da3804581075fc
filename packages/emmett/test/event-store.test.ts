// The event store, by what Emmett's users ask of one.

import {
  CommandHandler,
  ExpectedVersionConflictError,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
} from "@event-driven-io/emmett";
import type { Event } from "@event-driven-io/emmett";
import { expect, test } from "vitest";
import { getStreamkitEventStore } from "../src/index.ts";
import type { StreamkitReadEvent } from "../src/index.ts";
import { useLocalServer } from "./given.ts";

type Added = Event<"Added", { count: number }>;

const newStore = useLocalServer();
const carts = () => getStreamkitEventStore(newStore().getSpaceClient("carts"));
const added = (...counts: number[]): Added[] => counts.map((count) => ({ type: "Added", data: { count } }));
const evolve = (sum: number, { data }: Added): number => sum + data.count;
const initialState = (): number => 0;

test("what is appended is read with its positions and its metadata", async () => {
  const store = carts();
  const events = [{ type: "Added" as const, data: { count: 1 }, metadata: { by: "me" } }, ...added(2)];
  const { nextExpectedStreamVersion, createdNewStream, lastEventGlobalPosition } = await store.appendToStream(
    "a",
    events,
  );
  expect([nextExpectedStreamVersion, createdNewStream]).toEqual([2n, true]);
  const read = await store.readStream<Added>("a");
  expect(read).toMatchObject({ currentStreamVersion: 2n, streamExists: true });
  expect(read.events).toMatchObject([
    { kind: "Event", type: "Added", data: { count: 1 }, metadata: { by: "me", streamName: "a", streamPosition: 1n } },
    { data: { count: 2 }, metadata: { streamPosition: 2n, globalPosition: lastEventGlobalPosition } },
  ]);
  expect(new Set(read.events.map(({ metadata }) => metadata.messageId)).size).toBe(2);
  expect((await store.appendToStream("a", added(3))).createdNewStream).toBe(false);
});

test("global positions grow over all streams, as text", async () => {
  const store = carts();
  const positions: string[] = [];
  for (const stream of ["b", "a", "c", "a"])
    positions.push((await store.appendToStream(stream, added(1))).lastEventGlobalPosition);
  expect([...positions].sort()).toEqual(positions);
});

test("a part of a stream is read from and to a position, both inclusive, or up to a number", async () => {
  const store = carts();
  await store.appendToStream("a", added(1, 2, 3, 4, 5));
  const counts = async (options: object) =>
    (await store.readStream<Added>("a", options)).events.map(({ data }) => data.count);
  expect(await counts({ from: 2n, to: 4n })).toEqual([2, 3, 4]);
  expect(await counts({ from: 2n, maxCount: 2n })).toEqual([2, 3]);
  expect(await counts({ to: 1n })).toEqual([1]);
  expect(await counts({ from: 6n })).toEqual([]);
  expect(await store.readStream("a", { from: 6n })).toMatchObject({ streamExists: true, currentStreamVersion: 5n });
});

test("a stream that does not exist is empty, and is told from one that does", async () => {
  const store = carts();
  expect(await store.readStream("a")).toEqual({ events: [], currentStreamVersion: 0n, streamExists: false });
  expect(await store.streamExists("a")).toBe(false);
  await store.appendToStream("a", added(1));
  expect(await store.streamExists("a")).toBe(true);
});

test("a state is built from all events, or from a part", async () => {
  const store = carts();
  await store.appendToStream("a", added(1, 2, 3));
  const whole = await store.aggregateStream<number, Added>("a", { evolve, initialState });
  expect(whole).toEqual({ state: 6, currentStreamVersion: 3n, streamExists: true });
  const part = await store.aggregateStream<number, Added>("a", { evolve, initialState, read: { to: 2n } });
  expect(part).toMatchObject({ state: 3, currentStreamVersion: 2n });
  const none = await store.aggregateStream<number, Added>("b", { evolve, initialState });
  expect(none).toEqual({ state: 0, currentStreamVersion: 0n, streamExists: false });
});

test("an append that expects another version is refused, and nothing of it is there", async () => {
  const store = carts();
  const conflict = expect.any(ExpectedVersionConflictError) as Error;
  const refused = (stream: string, expectedStreamVersion: bigint | typeof STREAM_EXISTS) =>
    store.appendToStream(stream, added(9), { expectedStreamVersion }).catch((error: unknown) => error);
  expect(await refused("a", STREAM_EXISTS)).toEqual(conflict);
  expect(await refused("a", 1n)).toEqual(conflict);
  await store.appendToStream("a", added(1), { expectedStreamVersion: STREAM_DOES_NOT_EXIST });
  expect(await refused("a", STREAM_DOES_NOT_EXIST)).toEqual(conflict);
  expect(await refused("a", 0n)).toMatchObject({ current: "1", expected: "0" });
  await store.appendToStream("a", added(2), { expectedStreamVersion: 1n });
  await store.appendToStream("a", added(3), { expectedStreamVersion: STREAM_EXISTS });
  await expect(store.readStream("a", { expectedStreamVersion: 2n })).rejects.toEqual(conflict);
  await expect(store.readStream("a", { expectedStreamVersion: 2n, maxCount: 2n })).rejects.toEqual(conflict);
  expect(
    (await store.readStream<Added>("a", { expectedStreamVersion: 3n })).events.map(({ data }) => data.count),
  ).toEqual([1, 2, 3]);
});

test("an append of nothing changes nothing, and still says when the version is another", async () => {
  const store = carts();
  await store.appendToStream("a", added(1));
  expect(await store.appendToStream("a", [])).toMatchObject({ nextExpectedStreamVersion: 1n, createdNewStream: false });
  await expect(store.appendToStream("a", [], { expectedStreamVersion: 5n })).rejects.toThrow(
    ExpectedVersionConflictError,
  );
});

test("of commands that race each is handled once: the losers are retried on the new state", async () => {
  const store = carts();
  const handle = CommandHandler<number, Added>({
    evolve,
    initialState,
    retry: { retries: 10, minTimeout: 1, factor: 1 },
  });
  await Promise.all(Array.from({ length: 4 }, () => handle(store, "a", (sum) => added(sum + 1))));
  const { events } = await store.readStream<Added>("a");
  expect(events.map(({ data }) => data.count)).toEqual([1, 2, 4, 8]);
});

test("a stream that is begun while it is read is not told with the state of nothing and the version of something", async () => {
  const space = newStore().getSpaceClient("carts");
  const segment = space.getSegmentClient("a");
  let overtaken = 0;
  const getStatus = async () => {
    if (overtaken++ === 0) await getStreamkitEventStore(space).appendToStream("a", added(1));
    return segment.getStatus();
  };
  const store = getStreamkitEventStore(replacing(space, { getSegmentClient: () => replacing(segment, { getStatus }) }));
  const { state, currentStreamVersion } = await store.aggregateStream<number, Added>("a", { evolve, initialState });
  expect(overtaken).toBe(1);
  expect([state, currentStreamVersion]).toEqual([1, 1n]);
});

/** The same object, with these methods in the place of its own. */
function replacing<T extends object>(object: T, methods: Partial<T>): T {
  const valueOf = (key: string | symbol): unknown => Reflect.get(object, key, object);
  return new Proxy(object, {
    get: (_, key) => {
      const value = key in methods ? methods[key as keyof T] : valueOf(key);
      return typeof value === "function" ? (value.bind(object) as unknown) : value;
    },
  });
}

test("events are stored in the form of the downcaster and read in that of the upcaster", async () => {
  type Big = Event<"Added", { count: bigint }>;
  type Stored = Event<"Added", { count: string }>;
  const store = carts();
  const schema = {
    versioning: {
      downcast: ({ type, data }: Big): Stored => ({ type, data: { count: String(data.count) } }),
      upcast: ({ type, data }: Stored): Big => ({ type, data: { count: BigInt(data.count) } }),
    },
  };
  await store.appendToStream<Big, Stored>("a", [{ type: "Added", data: { count: 2n ** 60n } }], { schema });
  expect((await store.readStream<Stored>("a")).events[0]?.data.count).toBe("1152921504606846976");
  const { events } = await store.readStream<Big, Stored>("a", { schema });
  expect(events).toMatchObject([{ data: { count: 2n ** 60n }, metadata: { streamPosition: 1n } }]);
});

test("the hook is told what was committed, with its positions, and its failure is not the append's", async () => {
  const told: StreamkitReadEvent[][] = [];
  const store = getStreamkitEventStore(newStore().getSpaceClient("carts"), {
    hooks: {
      onAfterCommit: (events) => {
        told.push(events);
        throw new Error("of the hook");
      },
    },
  });
  const { lastEventGlobalPosition } = await store.appendToStream("a", added(1, 2));
  await expect(store.appendToStream("a", added(3), { expectedStreamVersion: 9n })).rejects.toThrow();
  expect(told).toMatchObject([
    [
      { metadata: { streamPosition: 1n } },
      { metadata: { streamPosition: 2n, globalPosition: lastEventGlobalPosition } },
    ],
  ]);
});
