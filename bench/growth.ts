// What becomes slower or larger as stores grow: on the simulated table, because the emulator's queries take longer the
// more rows there are, whatever is asked. So times here are the processor's alone.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { zstdCompressor } from "../src/codec/zstd.ts";
import { parseSegmentName, parseSpaceName } from "../src/core/ids.ts";
import { silentLogger } from "../src/core/logger.ts";
import type { AzureStoreFactory } from "../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../src/store/azure/factory.ts";
import type { Store } from "../src/store/store.ts";
import type { TableAccount } from "../src/table/port.ts";
import { SimulatedAccount } from "../test/doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../test/system.ts";
import { events, smallBytes } from "./events.ts";
import { forgetfulAccount } from "./forgetful-table.ts";
import type { Figure, Measure } from "./measure.ts";
import { median, quantile } from "./measure.ts";
import { drain, newStore } from "./storage.ts";
import { segment, space } from "./written.ts";

/** Produces at the same time where many places are touched. */
const callers = 64;

export const growth: Measure = {
  name: "growth",
  about: "Rates, times and memory as segments, spaces and what an instance has touched grow; without a network.",
  run: async ({ divisor }) => [
    ...(await growingSegment(100_000 / divisor)),
    ...(await growingSpace(10_000 / divisor)),
    ...(await touched("in one space", 100_000 / divisor, 1)),
    ...(await touched("over many spaces", 100_000 / divisor, 100_000 / divisor / 10)),
    ...(await longRead(1_000_000 / divisor)),
  ],
};

/** In batches of 10; looked at in ten parts. */
async function growingSegment(entries: number): Promise<Figure[]> {
  const factory = instanceOver(new SimulatedAccount({ clock }));
  const store = factory.open(newStore());
  const batch = events(10, smallBytes);
  const parts: number[][] = [];
  for (let part = 0; part < 10; part += 1) {
    const times: number[] = [];
    for (let at = 0; at < entries / 100; at += 1) {
      times.push(await timeOf(() => drain(store.produce(space, segment, batch))));
    }
    parts.push(times);
  }
  await factory.close();
  return between("produce of 10 to a segment", entries, "entries", parts);
}

/** Each produce opens a segment; then produces to segments known and forgotten, wherever. */
async function growingSpace(segments: number): Promise<Figure[]> {
  const factory = instanceOver(new SimulatedAccount({ clock }));
  const store = factory.open(newStore());
  const parts: number[][] = [];
  for (let part = 0; part < 10; part += 1) {
    const times: number[] = [];
    for (let at = 0; at < segments / 10; at += 1) {
      const name = `order-${part * (segments / 10) + at}`;
      times.push(await timeOf(() => produceTo(store, "orders", name)));
    }
    parts.push(times);
  }
  const again: number[] = [];
  for (let at = 0; at < segments; at += 1) {
    again.push(await timeOf(() => produceTo(store, "orders", `order-${(at * 7_919) % segments}`)));
  }
  await factory.close();
  const what = `produce to one of ${segments.toLocaleString("en")} segments`;
  return [
    ...between("produce to a new segment of a space", segments, "segments", parts),
    { what: `${what}, p50`, value: median(again), unit: "ms" },
    { what: `${what}, p99`, value: quantile(again, 0.99), unit: "ms" },
  ];
}

/** With a table that keeps nothing: all that is held is the instance's. */
async function touched(where: string, segments: number, spaces: number): Promise<Figure[]> {
  const factory = instanceOver(forgetfulAccount());
  const store = factory.open(newStore());
  const before = heapMiB();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < segments) {
        const at = next;
        next += 1;
        await produceTo(store, `space-${at % spaces}`, `order-${at}`);
      }
    }),
  );
  const what = `memory of an instance that has touched ${segments.toLocaleString("en")} segments ${where}`;
  const figure = { what, value: heapMiB() - before, unit: "MiB" };
  await factory.close();
  return [figure];
}

async function longRead(entries: number): Promise<Figure[]> {
  const factory = instanceOver(new SimulatedAccount({ clock }));
  const store = factory.open(newStore());
  for (let at = 0; at < entries; at += 1_000) {
    await drain(store.produce(space, segment, events(1_000, smallBytes, at)));
  }
  const before = heapMiB();
  const atTenths: number[] = [];
  let count = 0;
  const startedAt = performance.now();
  for await (const { sequence } of store.consumeSegment(space, segment)) {
    count = sequence;
    if (count % (entries / 10) === 0) atTenths.push(heapMiB() - before);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await factory.close();
  const what = `consume of ${count.toLocaleString("en")} entries`;
  return [
    { what, value: count / seconds, unit: "entries/s" },
    { what: `${what}: memory taken meanwhile, most`, value: Math.max(...atTenths), unit: "MiB" },
  ];
}

function instanceOver(account: TableAccount): AzureStoreFactory {
  return createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: zstdCompressor, clock, random, logger: silentLogger },
  });
}

function produceTo(store: Store, inSpace: string, name: string): Promise<number> {
  return drain(store.produce(parseSpaceName(inSpace), parseSegmentName(name), one));
}

const one = events(1, smallBytes);

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** The second of ten parts, when everything is compiled, and the last. */
function between(what: string, count: number, unit: string, parts: readonly number[][]): Figure[] {
  return (
    [
      ["early", 1],
      ["at the end", 9],
    ] as const
  ).flatMap(([when, part]) => {
    const times = parts[part] ?? [];
    const of = `${what} that grows to ${count.toLocaleString("en")} ${unit}, ${when}`;
    return [
      { what: `${of}, p50`, value: median(times), unit: "ms" },
      { what: `${of}, p99`, value: quantile(times, 0.99), unit: "ms" },
    ];
  });
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What is still held after garbage was collected, buffers included. */
function heapMiB(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 ** 2;
}
