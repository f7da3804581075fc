// How long calls take when the storage is some way off: a proxy adds 5 ms each way. In round trips: one entity-group
// transaction of the floor through the same proxy is 1.
//
// The instances share this process, and so its processor: what they add to each other's times is part of the figures.

import { parseSegmentName } from "../src/core/ids.ts";
import type { Store } from "../src/store/store.ts";
import { storeTableName } from "../src/store/azure/rows/keys.ts";
import { startDelayProxy } from "./delay-proxy.ts";
import { events, smallBytes } from "./events.ts";
import { LeanClient, LeanSegment } from "./floor.ts";
import type { Figure, Measure, RunSize } from "./measure.ts";
import { durations, median, quantile } from "./measure.ts";
import { connect, drain, newStore, startInstance, withStorage } from "./storage.ts";
import { space, writtenBy } from "./written.ts";

const oneWayMs = 5;
/** Callers of each of several instances. */
const callersEach = 4;

export const latency: Measure = {
  name: "latency",
  about: `Times of calls with ${oneWayMs} ms each way to the storage.`,
  run: (size) =>
    withStorage(async (direct) => {
      const proxy = await startDelayProxy(Number(new URL(connect(direct).tableEndpoint).port), oneWayMs);
      try {
        const far = direct.replace(/(TableEndpoint=http:\/\/127\.0\.0\.1:)\d+/, `$1${proxy.port}`);
        const roundTripMs = await measureRoundTrip(far, size.roundMs);
        return [
          { what: "round trip: the floor's p50", value: roundTripMs, unit: "ms" },
          ...(await alone(far, size, roundTripMs)),
          ...(await several(far, size, roundTripMs)),
        ];
      } finally {
        await proxy.close();
      }
    }),
};

async function measureRoundTrip(storage: string, ms: number): Promise<number> {
  const client = new LeanClient(connect(storage), 1);
  const table = storeTableName("floor", newStore());
  const [head, block] = (await writtenBy(events(1, smallBytes))).segment;
  if (head === undefined || block === undefined) throw new Error("A produce wrote no head and block.");
  await client.createTable(table);
  const segment = new LeanSegment(client, table, block.partition, head.properties, block.properties);
  const times = await durations(1, ms, () => segment.produce());
  client.close();
  return median(times);
}

async function alone(storage: string, size: RunSize, roundTripMs: number): Promise<Figure[]> {
  const factory = startInstance(storage);
  const figures: Figure[] = [];
  for (const [ack, goal] of [
    ["committed", 1.3],
    ["applied", 2.5],
  ] as const) {
    const store = factory.open(newStore());
    await write(store, 0, ack);
    const times = await durations(1, size.roundMs, () => write(store, 0, ack));
    figures.push(...inRoundTrips(`1 instance: produce, ack=${ack}`, times, roundTripMs, { p50: goal }));
  }
  const store = factory.open(newStore());
  await drain(store.produce(space, segmentOf(0), events(100, smallBytes)));
  const times = await durations(1, size.roundMs, () => drain(store.consumeSegment(space, segmentOf(0))));
  await factory.close();
  return [...figures, ...inRoundTrips("1 instance: consume 100 entries", times, roundTripMs, {})];
}

/** Four instances that write one space, each for several callers, each with a segment of its own. */
async function several(storage: string, size: RunSize, roundTripMs: number): Promise<Figure[]> {
  const factories = Array.from({ length: 4 }, () => startInstance(storage));
  const id = newStore();
  const stores = factories.map((factory) => factory.open(id));
  const storeOf = (worker: number): Store => {
    const store = stores[worker % stores.length];
    if (store === undefined) throw new RangeError(`There is no worker ${worker}.`);
    return store;
  };
  const callers = callersEach * stores.length;
  for (let worker = 0; worker < callers; worker += 1) await write(storeOf(worker), worker, "applied");
  const ms = size.roundMs * size.rounds;
  const produced = await durations(callers, ms, (worker) => write(storeOf(worker), worker, "applied"));
  const consumed = await durations(callers, size.roundMs, (worker) =>
    drain(storeOf(worker).consumeSegment(space, segmentOf(worker), { limit: 100 })),
  );
  await Promise.all(factories.map((factory) => factory.close()));
  const what = `4 instances, ${callersEach} callers each`;
  return [
    ...inRoundTrips(`${what}: produce to one space`, produced, roundTripMs, { p99: 15 }),
    { what: `${what}: produce to one space`, value: (produced.length / ms) * 1_000, unit: "produces/s" },
    ...inRoundTrips(`${what}: consume 100 entries`, consumed, roundTripMs, {}),
  ];
}

function write(store: Store, worker: number, ack: "applied" | "committed"): Promise<number> {
  return drain(store.produce(space, segmentOf(worker), events(1, smallBytes), { ack }));
}

function segmentOf(worker: number): ReturnType<typeof parseSegmentName> {
  return parseSegmentName(`order-${100_000 + worker}`);
}

function inRoundTrips(
  what: string,
  times: readonly number[],
  roundTripMs: number,
  goals: { readonly p50?: number; readonly p99?: number },
): Figure[] {
  return (
    [
      ["p50", 0.5],
      ["p99", 0.99],
    ] as const
  ).map(([name, share]) => {
    const goal = goals[name];
    const value = quantile(times, share) / roundTripMs;
    return {
      what: `${what}, ${name}`,
      value,
      unit: "round trips",
      ...(goal === undefined ? {} : { goal: { atMost: goal } }),
    };
  });
}
