// Reading a segment and a space, against a client that takes the same rows from the socket and looks at none of them.

import { logPartition, recordRow, segmentPartition, blockRow, storeTableName } from "../src/store/azure/rows/keys.ts";
import { dataPropertyNames } from "../src/codec/block.ts";
import { limits } from "../src/core/limits.ts";
import type { Store } from "../src/store/store.ts";
import { events, largeBytes, smallBytes } from "./events.ts";
import { LeanClient, readAll } from "./floor.ts";
import type { Figure, Measure, RunSize } from "./measure.ts";
import { rate, ratesInTurns } from "./measure.ts";
import { connect, drain, newStore, startInstance, withStorage } from "./storage.ts";
import { segment, space } from "./written.ts";

const entriesMax = 20_000;
const batch = 100;
/** The prefix that deployments have unless it is set. */
const prefix = "streamkit";

export const consume: Measure = {
  name: "consume",
  about: "Rates of reading all entries, as a share of the floor's rate on the same rows.",
  run: (size) =>
    withStorage(async (storage) => {
      const figures: Figure[] = [];
      for (const bytes of [smallBytes, largeBytes]) figures.push(...(await ofSize(storage, size, bytes)));
      return figures;
    }),
};

async function ofSize(storage: string, size: RunSize, bytes: number): Promise<Figure[]> {
  const factory = startInstance(storage);
  const client = new LeanClient(connect(storage), 1);
  const id = newStore();
  const store = factory.open(id);
  const count = entriesMax / size.divisor;
  await fill(store, count, bytes);
  const table = storeTableName(prefix, id);
  const filter = (partition: string, from: string, to: string): string =>
    `PartitionKey eq '${partition}' and RowKey ge '${from}' and RowKey le '${to}'`;
  const [first, last] = [1, limits.sequenceMax];
  const select = ["PartitionKey", "RowKey", "Timestamp", "v", ...dataPropertyNames].join(",");
  const views = {
    segment: {
      filter: filter(segmentPartition(space, segment), blockRow(first), blockRow(last)),
      ours: () => drain(store.consumeSegment(space, segment)),
    },
    space: {
      filter: filter(logPartition(space), recordRow(first), recordRow(last)),
      ours: () => drain(store.consumeSpace(space)),
    },
  };
  const figures: Figure[] = [];
  try {
    for (const [view, { filter: rows, ours }] of Object.entries(views)) {
      const read = await readAll(client, table, rows, select);
      const rates = await ratesInTurns(size, {
        floor: (ms) => rate(1, ms, () => readAll(client, table, rows, select)),
        ours: (ms) => rate(1, ms, ours),
      });
      const what = `${view} of events of ${bytes} bytes in blocks of ${batch}`;
      figures.push(
        { what, value: rates.ours * count, unit: "entries/s" },
        { what: `${what}: the floor`, value: (rates.floor * read) / 1e6, unit: "MB/s" },
        { what: `${what}: share of the floor`, value: rates.ours / rates.floor, unit: "", goal: { atLeast: 0.7 } },
      );
    }
    return figures;
  } finally {
    client.close();
    await factory.close();
  }
}

async function fill(store: Store, count: number, bytes: number): Promise<void> {
  for (let from = 0; from < count; from += batch) {
    await drain(store.produce(space, segment, events(Math.min(batch, count - from), bytes, from)));
  }
}
