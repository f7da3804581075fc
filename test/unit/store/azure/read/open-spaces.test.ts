// The list of a store's open logs, as live readers ask for it.

import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { plainCompressor } from "../../../../../src/codec/block.ts";
import { noMetadata } from "../../../../../src/core/entry.ts";
import type { StoreId } from "../../../../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import type { AzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { formatFirst } from "../../../../../src/store/azure/rows/format.ts";
import { openLogRow, openLogsPartition, registryTableName } from "../../../../../src/store/azure/rows/keys.ts";
import { faults } from "../../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import { Chance } from "../../../../simulation/chance.ts";
import { VirtualClock } from "../../../../virtual-clock.ts";

const names = ["a", "a/b", "", "é"].map((name) => parseSpaceName(`s${name}`));
const logIdleMs = 60_000;

interface Given {
  readonly account: SimulatedAccount;
  readonly clock: VirtualClock;
  readonly factory: AzureStoreFactory;
  readonly store: StoreId;
  /** Writes an entry to each space of a store. */
  readonly produce: (store: StoreId) => Promise<void>;
  readonly spaces: (max?: number) => Promise<readonly string[] | undefined>;
}

function given(): Given {
  const clock = new VirtualClock();
  const account = new SimulatedAccount({ clock });
  const factory = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random: new Chance("list") },
    ...{ logger: silentLogger, options: { logIdleMs } },
  });
  const store = parseStoreId(randomUUID());
  return {
    ...{ account, clock, factory, store },
    produce: async (id) => {
      for (const name of names) {
        const records = [{ payload: Buffer.from("1"), metadata: noMetadata }];
        await factory.open(id).produceAll(name, [{ segment: parseSegmentName("g"), records }]);
      }
    },
    spaces: async (max = 100) => {
      const found = await factory.open(store).recent?.list(max);
      return found === undefined ? undefined : [...found].sort();
    },
  };
}

describe("the list of spaces with news", () => {
  test("is empty where nothing was ever written", async () => {
    expect(await given().spaces()).toEqual([]);
  });

  test("has the spaces of one store, from their first commit until they have rested", async () => {
    const { clock, factory, produce, spaces, store } = given();
    await produce(parseStoreId(randomUUID()));
    expect(await spaces()).toEqual([]);
    await produce(store);
    expect(await spaces()).toEqual([...names].sort());
    await clock.pass(logIdleMs - 5_000);
    await factory.recover({ deadlineMs: 60_000 });
    expect(await spaces()).toEqual([...names].sort());
    await clock.pass(10_000);
    await factory.recover({ deadlineMs: 60_000 });
    expect(await spaces()).toEqual([]);
  });

  test("vouches for half of the time that a log stays in it", () => {
    const { factory, store } = given();
    expect(factory.open(store).recent?.ms).toBe(logIdleMs / 2);
  });

  test("is none when there are more than are wanted", async () => {
    const { produce, spaces, store } = given();
    await produce(store);
    expect(await spaces(names.length - 1)).toBeUndefined();
    expect(await spaces(names.length)).toHaveLength(names.length);
  });

  test("is whole when the service ends its pages early", async () => {
    const { account, produce, spaces, store } = given();
    await produce(store);
    account.follow((request) => (request.kind === "query" ? faults.cut(1, 0, 0) : undefined));
    const listed = spaces();
    expect(await listed).toEqual([...names].sort());
  });

  test("leaves out a row whose key nobody can have written", async () => {
    const { account, produce, spaces, store } = given();
    await produce(store);
    const row = `${openLogRow(store, names[0]!).slice(0, 34)}ff`;
    const registry = account.table(registryTableName("streamkit"));
    await registry.submit(openLogsPartition, [{ kind: "insert", row, properties: { v: formatFirst } }]);
    expect(await spaces()).toEqual([...names].sort());
  });
});
