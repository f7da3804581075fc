// What compaction makes of single events: stored bytes and requests of a replay, before it, after it, and a day later,
// and what it takes itself. Exact counts, on the simulated table; they depend on no machine.

import { zstdCompressor } from "../src/codec/zstd.ts";
import type { Clock } from "../src/core/clock.ts";
import { parseSegmentName } from "../src/core/ids.ts";
import { silentLogger } from "../src/core/logger.ts";
import { compactSpace } from "../src/store/azure/compact/compact.ts";
import { createAzureStoreFactory } from "../src/store/azure/factory.ts";
import { resolveOptions } from "../src/store/azure/instance/options.ts";
import { LogReader } from "../src/store/azure/log/log-reader.ts";
import { logPartition, segmentPartition, storeTableName } from "../src/store/azure/rows/keys.ts";
import type { Store } from "../src/store/store.ts";
import { entityBytes } from "../src/table/sizes.ts";
import { SimulatedAccount } from "../test/doubles/simulated-table.ts";
import { systemClock, systemRandom as random } from "../test/system.ts";
import { events, smallBytes } from "./events.ts";
import type { Figure, Measure } from "./measure.ts";
import { drain, newStore } from "./storage.ts";
import { space } from "./written.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Longer than a log waits until it writes off what is done. */
const settledMs = 1_500;
/** Between two events, milliseconds, at most: of a space with some ten events a second. */
const pauseMsMax = 200;
const million = 1_000_000;

export const compaction: Measure = {
  name: "compaction",
  about: "Bytes kept an event and requests of a replay, of single events of 115 bytes, before and after compaction.",
  run: async ({ divisor }) => [...(await compacted(40_000 / divisor, 1)), ...(await compacted(40_000 / divisor, 20))],
};

async function compacted(count: number, segments: number): Promise<Figure[]> {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const account = new SimulatedAccount({ clock });
  const options = resolveOptions({});
  const factory = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: zstdCompressor, clock, random, logger: silentLogger },
  });
  const id = newStore();
  const store = factory.open(id);
  const table = account.table(storeTableName(options.tablePrefix, id));
  const names = Array.from({ length: segments }, (_, at) => parseSegmentName(`order-${100_042 + at}`));
  const partitions = [logPartition(space), ...names.map((name) => segmentPartition(space, name))];
  const of = segments === 1 ? "1 segment" : `${segments} segments`;
  const figures: Figure[] = [];

  const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = account.requests;
    await work();
    return account.requests - before;
  };
  const compact = (): Promise<unknown> => {
    const reader = new LogReader(table, space, zstdCompressor);
    const deps = { table, clock, random, options, compressor: zstdCompressor, onMerged: () => undefined };
    return compactSpace({ ...deps, reader, isOver: () => false }, space);
  };
  const look = async (when: string): Promise<void> => {
    const kept = { bytes: 0, rows: 0 };
    for (const partition of partitions) {
      for await (const { row, properties } of rowsOf(table, partition)) {
        kept.bytes += entityBytes(partition, row, properties);
        kept.rows += 1;
      }
    }
    const goal = when === "a day later" ? { goal: { atMost: 110 } } : {};
    figures.push({ what: `${of}, ${when}: bytes kept an event`, value: kept.bytes / count, unit: "bytes", ...goal });
    figures.push({ what: `${of}, ${when}: rows for a million events`, value: scaled(kept.rows), unit: "rows" });
    const replay = await requestsOf(() => replaySpace(store, count));
    figures.push({ what: `${of}, ${when}: replay of the space, a million`, value: scaled(replay), unit: "requests" });
    const segmentsReplay = await requestsOf(async () => {
      let seen = 0;
      for (const name of names) seen += await drain(store.consumeSegment(space, name));
      expectAll(seen, count);
    });
    const what = `${of}, ${when}: replay of its segments, a million`;
    figures.push({ what, value: scaled(segmentsReplay), unit: "requests" });
  };
  const scaled = (value: number): number => (value * million) / count;

  const all = events(count, smallBytes);
  for (const [at, event] of all.entries()) {
    aheadMs += (at * 7_919) % pauseMsMax;
    const name = names[(at * 7_919) % segments];
    if (name !== undefined) await drain(store.produce(space, name, [event]));
  }
  await new Promise((resolve) => {
    setTimeout(resolve, settledMs);
  });
  await look("before");
  aheadMs += options.compactAfterMs + minuteMs;
  const once = await requestsOf(compact);
  figures.push({ what: `${of}: compaction of a million events`, value: scaled(once), unit: "requests" });
  await look("compacted");
  aheadMs += options.compactAgainAfterMs + dayMs;
  const again = await requestsOf(compact);
  figures.push({ what: `${of}: a day later, once more`, value: scaled(again), unit: "requests" });
  await look("a day later");
  await factory.close();
  return figures;
}

async function replaySpace(store: Store, count: number): Promise<void> {
  expectAll(await drain(store.consumeSpace(space)), count);
}

function expectAll(seen: number, count: number): void {
  if (seen !== count) throw new Error(`A replay gave ${seen} of ${count} events.`);
}

async function* rowsOf(
  table: ReturnType<SimulatedAccount["table"]>,
  partition: string,
): AsyncGenerator<Awaited<ReturnType<typeof table.query>>["rows"][number]> {
  let continuation: string | undefined;
  do {
    const page = await table.query({ partition, from: "0", to: "g" }, { continuation });
    yield* page.rows;
    ({ continuation } = page);
  } while (continuation !== undefined);
}
