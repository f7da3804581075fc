// Produces a second against the floor's writes, on the same emulator, in turns.
//
// One record a produce: the floor writes the same bytes as one entity-group transaction of two operations, where the
// store needs two, one after the other. Batches: the floor is the leanest client that writes an entity for each record
// into both views.

import { parseSegmentName } from "../src/core/ids.ts";
import { storeTableName } from "../src/store/azure/rows/keys.ts";
import type { Store } from "../src/store/store.ts";
import { events, eventText, smallBytes } from "./events.ts";
import { LeanClient, LeanSegment, writeOneByOne } from "./floor.ts";
import type { Figure, Measure, RunSize } from "./measure.ts";
import { rate, ratesInTurns } from "./measure.ts";
import { connect, drain, newStore, startInstance, withStorage } from "./storage.ts";
import { space, writtenBy } from "./written.ts";

export const produce: Measure = {
  name: "produce",
  about: "Rates of produces, as a share of the floor's.",
  run: async (size) => [
    ...(await withStorage((storage) => single(storage, size, 1, 0.4))),
    ...(await withStorage((storage) => single(storage, size, 32, 0.7))),
    ...(await withStorage((storage) => batches(storage, size, 100, 4))),
    ...(await withStorage((storage) => batches(storage, size, 1_000, 25))),
  ],
};

/** So many callers, each with a segment of its own. */
async function single(storage: string, size: RunSize, callers: number, goal: number): Promise<Figure[]> {
  const written = await writtenBy(events(1, smallBytes));
  const [head, block] = written.segment;
  if (head === undefined || block === undefined) throw new Error("A produce wrote no head and block.");
  const client = new LeanClient(connect(storage), callers);
  const [silent, notifying] = [startInstance(storage), startInstance(storage, { notifications: "on" })];
  try {
    const rates = await ratesInTurns(size, {
      floor: async (ms) => {
        const table = storeTableName("floor", newStore());
        await client.createTable(table);
        const partition = (worker: number): string =>
          `${block.partition.slice(0, -4)}${String(worker).padStart(4, "0")}`;
        const segments = Array.from({ length: callers }, (_, worker) => {
          return new LeanSegment(client, table, partition(worker), head.properties, block.properties);
        });
        return rate(callers, ms, async (worker) => segments[worker]?.produce());
      },
      ours: (ms) => produceRate(silent.open(newStore()), callers, ms, 1),
      notified: (ms) => produceRate(notifying.open(newStore()), callers, ms, 1),
    });
    const what = `1 record, ${callers} at a time`;
    return [
      { what: `${what}: the floor`, value: rates.floor, unit: "produces/s" },
      { what, value: rates.ours, unit: "produces/s" },
      { what: `${what}: share of the floor`, value: rates.ours / rates.floor, unit: "", goal: { atLeast: goal } },
      { what: `${what}: the same with notifications`, value: rates.notified / rates.floor, unit: "" },
    ];
  } finally {
    client.close();
    await Promise.all([silent.close(), notifying.close()]);
  }
}

/** One caller. */
async function batches(storage: string, size: RunSize, batch: number, goal: number): Promise<Figure[]> {
  const client = new LeanClient(connect(storage), 64);
  const texts = Array.from({ length: batch }, (_, index) => eventText(index, smallBytes));
  const [silent, notifying] = [startInstance(storage), startInstance(storage, { notifications: "on" })];
  let place = 0;
  try {
    const rates = await ratesInTurns(size, {
      floor: async (ms) => {
        const table = storeTableName("floor", newStore());
        await client.createTable(table);
        const writes = await rate(1, ms, () => writeOneByOne(client, table, String((place += 1)), texts));
        return writes * batch;
      },
      ours: async (ms) => (await produceRate(silent.open(newStore()), 1, ms, batch)) * batch,
      notified: async (ms) => (await produceRate(notifying.open(newStore()), 1, ms, batch)) * batch,
    });
    const what = `batches of ${batch}`;
    return [
      { what: `${what}: one entity a record`, value: rates.floor, unit: "records/s" },
      { what, value: rates.ours, unit: "records/s" },
      {
        what: `${what}: times that of one entity a record`,
        value: rates.ours / rates.floor,
        unit: "",
        goal: { atLeast: goal },
      },
      { what: `${what}: the same with notifications`, value: rates.notified / rates.floor, unit: "" },
    ];
  } finally {
    client.close();
    await Promise.all([silent.close(), notifying.close()]);
  }
}

/** Produces a second, after the first of each segment. */
async function produceRate(store: Store, callers: number, ms: number, batch: number): Promise<number> {
  const records = events(batch, smallBytes);
  const one = (worker: number): Promise<number> => {
    return drain(store.produce(space, parseSegmentName(`order-${100_000 + worker}`), records));
  };
  await Promise.all(Array.from({ length: callers }, (_, worker) => one(worker)));
  return rate(callers, ms, one);
}
