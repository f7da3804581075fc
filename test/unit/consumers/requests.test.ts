// What a consumer costs at the storage, counted: a batch, a worker that finds nothing, many partitions at once.

import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import { createConsumers } from "../../../src/consumers/consumers.ts";
import type { Fetched } from "../../../src/consumers/consumers.ts";
import { ConsumersInstance } from "../../../src/consumers/known.ts";
import { anyEntry } from "../../../src/core/entry-filter.ts";
import { noMetadata } from "../../../src/core/entry.ts";
import {
  parseConsumerName,
  parseSegmentName,
  parseSpaceName,
  parseStoreId,
  parseWorkerName,
} from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { countingAccount } from "../../doubles/counting.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { clock, random } from "../server/in-process.ts";

const name = parseConsumerName("work");
const orders = parseSpaceName("orders");

async function given(partitions: number) {
  const account = countingAccount(new SimulatedAccount({ clock }));
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
  });
  const id = parseStoreId(randomUUID());
  const store = stores.open(id);
  const parts = { clock, serviceClock: clock, random, logger: silentLogger, telemetry: silentTelemetry };
  const table = account.table("consumers");
  const consumers = createConsumers(new ConsumersInstance(parts), { store, table });
  await consumers.put(name, {
    ...{ spaces: [orders], filter: anyEntry, partitions, from: { kind: "start" }, maxDeliveries: 5 },
    ...{ backoffSeconds: [0], onPoison: "parkSegment", leaseSeconds: 30, maxParked: 10, paused: false },
  });
  const produce = async (segment: string) => {
    const records = [{ payload: Buffer.from(segment), metadata: noMetadata }];
    for await (const { transaction } of store.produce(orders, parseSegmentName(segment), records)) {
      expect(transaction).toBeDefined();
    }
  };
  const fetch = (worker: string, former?: Fetched) =>
    consumers.fetch(name, {
      ...{ worker: parseWorkerName(worker), request: randomUUID(), entriesMax: 100 },
      ...{ signal: new AbortController().signal },
      held: (former?.deliveries ?? []).map(({ claim, entries }) => {
        const last = entries.at(-1)?.entry;
        return { claim, offset: last === undefined ? undefined : encodeCursor(last), release: false };
      }),
    });
  return { account, produce, fetch, close: () => stores.close() };
}

describe("at the storage", () => {
  test("a batch of a steady worker, its acknowledgement riding on the fetch, is one write and one read of the space", async () => {
    const { account, produce, fetch, close } = await given(1);
    await produce("a");
    let fetched = await fetch("w");
    for (let batch = 0; batch < 5; batch += 1) {
      await produce("a");
      account.reset();
      fetched = await fetch("w", fetched);
      expect(fetched.deliveries[0]!.entries).toHaveLength(1);
      const { submit, query, get, requests } = account.counts;
      expect({ submit, query, get, requests }).toEqual({ submit: 1, query: 1, get: 0, requests: 2 });
    }
    await close();
  });

  test("a worker that finds nothing writes nothing while most of its lease is left", async () => {
    const { account, fetch, close } = await given(4);
    let fetched = await fetch("w");
    account.reset();
    for (let turn = 0; turn < 5; turn += 1) fetched = await fetch("w", fetched);
    expect(account.counts).toMatchObject({ submit: 0, get: 0 });
    expect(fetched.deliveries).toHaveLength(4);
    await close();
  });

  test("64 partitions of a worker are delivered with one read of the space", async () => {
    const { account, produce, fetch, close } = await given(64);
    const empty = await fetch("w");
    for (let index = 0; index < 100; index += 1) await produce(`s${index}`);
    account.reset();
    const fetched = await fetch("w", empty);
    expect(fetched.deliveries.flatMap(({ entries }) => entries)).toHaveLength(100);
    expect(account.counts).toMatchObject({ submit: 1, query: 1, get: 0 });
    await close();
  });
});
