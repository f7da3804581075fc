// Reactors and projectors: where they begin, how they go on, what their failures do.

import { getCheckpoint, MessageProcessor } from "@event-driven-io/emmett";
import type { Event } from "@event-driven-io/emmett";
import { expect, test } from "vitest";
import type { StoreClient } from "streamkit-client";
import { getStreamkitEventStore, streamkitCheckpointer } from "../src/index.ts";
import type { StreamkitConsumer, StreamkitEventStore, StreamkitReadEvent } from "../src/index.ts";
import { useLocalServer } from "./given.ts";

type Added = Event<"Added", { count: number }>;

const newStore = useLocalServer();
const cartsOf = (store: StoreClient): StreamkitEventStore => getStreamkitEventStore(store.getSpaceClient("carts"));
const checkpointsOf = (store: StoreClient) => streamkitCheckpointer<Added>(store.getSpaceClient("checkpoints"));
const add = (carts: StreamkitEventStore, stream: string, count: number) =>
  carts.appendToStream<Added>(stream, [{ type: "Added", data: { count } }]);

/** A reactor that keeps what it is given, and stops after `last`. */
function collect(
  consumer: StreamkitConsumer,
  last: number,
  options: Partial<Parameters<typeof consumer.reactor<Added>>[0]> = {},
): number[] {
  const seen: number[] = [];
  consumer.reactor<Added>({
    processorId: "collector",
    stopAfter: ({ data }) => data.count === last,
    ...options,
    eachMessage: ({ data }) => void seen.push(data.count),
    eachBatch: undefined as never,
  });
  return seen;
}

test("a reactor is given the events of all streams in the order of the space, from the beginning, and those that come", async () => {
  const carts = cartsOf(newStore());
  for (const [index, stream] of ["a", "b", "a"].entries()) await add(carts, stream, index);
  const consumer = carts.consumer();
  const seen = collect(consumer, 3);
  const running = consumer.start();
  expect(consumer.isRunning).toBe(true);
  await add(carts, "c", 3);
  await running;
  expect(seen).toEqual([0, 1, 2, 3]);
  expect(consumer.isRunning).toBe(false);
});

test("it may begin at the end, or behind a position", async () => {
  const carts = cartsOf(newStore());
  await add(carts, "a", 1);
  const { lastEventGlobalPosition } = await add(carts, "b", 2);
  await add(carts, "a", 3);
  const behind = carts.consumer();
  const seen = collect(behind, 3, { startFrom: { lastCheckpoint: lastEventGlobalPosition } });
  await behind.start();
  expect(seen).toEqual([3]);

  const consumer = carts.consumer();
  const [early, late] = [collect(consumer, 4), collect(consumer, 4, { processorId: "late", startFrom: "END" })];
  const running = consumer.start();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await add(carts, "b", 4);
  await running;
  expect(early).toEqual([1, 2, 3, 4]);
  expect(late).toEqual([4]);
});

test("the checkpoint of a message is its offset: with the stream's position new events of other streams would count as handled", async () => {
  const carts = cartsOf(newStore());
  for (const count of [1, 2, 3]) await add(carts, "long", count);
  await add(carts, "new", 4);
  const { events } = await carts.readStream<Added>("new");
  const [event] = events as StreamkitReadEvent<Added>[];
  expect(event).toBeDefined();
  if (event !== undefined) expect(getCheckpoint(event)).toBe(event.metadata.globalPosition);
  const consumer = carts.consumer();
  const seen = collect(consumer, 4);
  await consumer.start();
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("after a restart a processor goes on behind its checkpoint", async () => {
  const store = newStore();
  const carts = cartsOf(store);
  for (const count of [1, 2, 3]) await add(carts, "a", count);
  const first = carts.consumer();
  const seen = collect(first, 2, { checkpoints: checkpointsOf(store) });
  await first.start();
  const second = carts.consumer();
  const later = collect(second, 3, { checkpoints: checkpointsOf(store) });
  await second.start();
  expect([seen, later]).toEqual([[1, 2], [3]]);
});

test("a reactor that throws is closed at its checkpoint, the others go on, and it meets the same event again", async () => {
  const store = newStore();
  const carts = cartsOf(store);
  for (const count of [1, 2, 3]) await add(carts, "a", count);
  const failing = (consumer: StreamkitConsumer, heals: boolean): number[] => {
    const seen: number[] = [];
    consumer.reactor<Added>({
      processorId: "failing",
      checkpoints: checkpointsOf(store),
      stopAfter: ({ data }) => data.count === 3,
      eachMessage: ({ data }) => {
        seen.push(data.count);
        if (data.count === 2 && !heals) throw new Error("of the reactor");
      },
    });
    return seen;
  };
  const first = carts.consumer();
  const [seen, others] = [failing(first, false), collect(first, 3)];
  await expect(first.start()).rejects.toThrow("of the reactor");
  expect([seen, others]).toEqual([
    [1, 2],
    [1, 2, 3],
  ]);
  const second = carts.consumer();
  const again = failing(second, true);
  await second.start();
  expect(again).toEqual([2, 3]);
});

test("a reactor may stop by its answer, and a consumer by its own call", async () => {
  const carts = cartsOf(newStore());
  await add(carts, "a", 1);
  await add(carts, "a", 2);
  const consumer = carts.consumer();
  const seen: number[] = [];
  consumer.reactor<Added>({
    processorId: "stops",
    eachMessage: ({ data }) => {
      seen.push(data.count);
      return MessageProcessor.result.stop({ reason: "enough" });
    },
  });
  await consumer.start();
  expect(seen).toEqual([1]);
  const endless = carts.consumer();
  collect(endless, 99);
  const running = endless.start();
  await endless.stop();
  await running;
  expect(endless.isRunning).toBe(false);
  await endless.close();
  await expect(carts.consumer().start()).rejects.toThrow("needs a reactor or a projector");
});

test("of two processors of one name that race each checkpoint is stored once, and the other is told", async () => {
  const store = newStore();
  const carts = cartsOf(store);
  for (const count of [1, 2, 3]) await add(carts, "a", count);
  const { events } = await carts.readStream<Added>("a");
  const [one, two, three] = events as StreamkitReadEvent<Added>[];
  if (one === undefined || two === undefined || three === undefined) throw new Error("There are three events.");
  const checkpoints = checkpointsOf(store);
  const save = (message: StreamkitReadEvent<Added>, lastCheckpoint: string | null) =>
    checkpoints.store({ message, processorId: "racing", version: 1, lastCheckpoint }, {});
  const raced = await Promise.all([save(one, null), save(one, null), save(one, null)]);
  expect(raced.filter(({ success }) => success)).toHaveLength(1);
  expect(raced.filter((result) => !result.success && result.reason === "IGNORED")).toHaveLength(2);
  expect(await save(three, null)).toEqual({ success: false, reason: "MISMATCH" });
  expect(await save(three, one.metadata.globalPosition)).toMatchObject({ success: true });
  expect(await save(two, one.metadata.globalPosition)).toEqual({ success: false, reason: "CURRENT_AHEAD" });
  expect(await checkpoints.read({ processorId: "racing" }, {})).toEqual({
    lastCheckpoint: three.metadata.globalPosition,
  });
  expect(await checkpoints.read({ processorId: "another" }, {})).toEqual({ lastCheckpoint: null });
});
