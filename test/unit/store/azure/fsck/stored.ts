// A store with something of everything in it, on the simulated table, and ways to look at it and to spoil it.

import { Readable } from "node:stream";

import type { Clock } from "../../../../../src/core/clock.ts";
import type { AppendRecord, Entry } from "../../../../../src/core/entry.ts";
import { noMetadata } from "../../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import { plainCompressor } from "../../../../../src/codec/block.ts";
import type { AzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import type { FsckReport, RepairMode } from "../../../../../src/store/azure/fsck/fsck.ts";
import { fsck } from "../../../../../src/store/azure/fsck/fsck.ts";
import { registryTableName, storeTableName } from "../../../../../src/store/azure/rows/keys.ts";
import type { AzureStoreSettings } from "../../../../../src/store/azure/instance/options.ts";
import type { Store } from "../../../../../src/store/store.ts";
import type { Properties, Table, TableAccount, Write } from "../../../../../src/table/port.ts";
import type { SimulatedClient } from "../../../../doubles/simulated-table.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../../../../system.ts";

export const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
export const orders = parseSpaceName("orders");
export const users = parseSpaceName("users");
export const alpha = parseSegmentName("alpha");
export const beta = parseSegmentName("b/ä 🙂");
export const gamma = parseSegmentName("gamma");
export const tableName = storeTableName("streamkit", storeId);
export const registryName = registryTableName("streamkit");
export const keyOfAlpha = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
export const keyOfAll = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4e");

interface Instance {
  readonly store: Store;
  readonly factory: AzureStoreFactory;
  readonly client: SimulatedClient;
}

export class Stored {
  readonly account: SimulatedAccount;
  readonly table: Table;
  readonly registry: Table;
  readonly #clock: Clock;
  readonly #factories: AzureStoreFactory[] = [];

  constructor(clock: Clock = systemClock) {
    this.account = new SimulatedAccount({ clock });
    this.table = this.account.table(tableName);
    this.registry = this.account.table(registryName);
    this.#clock = clock;
  }

  /** A further instance of the application; `through`: how it reaches the account. */
  instance(options: AzureStoreSettings = {}, through?: TableAccount): Instance {
    const client = this.account.connect(`instance ${this.#factories.length}`);
    const factory = createAzureStoreFactory({
      account: through ?? client,
      notifier: undefined,
      compressor: plainCompressor,
      clock: this.#clock,
      random: systemRandom,
      logger: silentLogger,
      // With counts, so that they can be damaged.
      options: { walGraceMs: 0, settleDelayMs: 0, formatVersion: 2, ...options },
    });
    this.#factories.push(factory);
    return { client, factory, store: factory.open(storeId) };
  }

  async close(): Promise<void> {
    for (const factory of this.#factories) await factory.close();
  }

  /** `through`: how it reaches the account. */
  fsck(
    repair: RepairMode = "none",
    options: AzureStoreSettings = {},
    through: TableAccount = this.account,
  ): Promise<FsckReport> {
    const { account } = this;
    return fsck(
      {
        account: through,
        scan: (name) => partitionsOf(account, name),
        compressor: plainCompressor,
        store: storeId,
        options,
      },
      repair,
    );
  }

  async delete(partition: string, row: string, table = this.table): Promise<void> {
    await done(table, partition, { kind: "delete", row, ifMatch: "*" });
  }

  /** Changes some properties of a row that is there; undefined takes one away. */
  async change(
    partition: string,
    row: string,
    changes: Readonly<Record<string, Properties[string] | undefined>>,
  ): Promise<void> {
    const { row: stored } = await this.table.get(partition, row);
    if (stored === undefined) throw new Error(`There is no row ${row} to spoil.`);
    const properties: Record<string, Properties[string]> = {};
    for (const [name, value] of Object.entries({ ...stored.properties, ...changes })) {
      if (value !== undefined) properties[name] = value;
    }
    await done(this.table, partition, { kind: "upsert", row, properties });
  }
}

/** Two spaces; segments of one and of several blocks, with and without keys, one transaction over two segments. */
export async function filled(stored = new Stored()): Promise<Stored> {
  const { factory, store } = stored.instance();
  await all(store.produce(orders, alpha, [record("a1"), record("a2")], { transactionId: keyOfAlpha }));
  await all(store.produce(orders, alpha, [record("a3")]));
  await all(store.produce(orders, beta, [record("b1")]));
  const both = [
    { segment: alpha, records: [record("a4"), record("a5")] },
    { segment: beta, records: [record("b2")] },
  ];
  await store.produceAll(orders, both, { transactionId: keyOfAll });
  await all(store.produce(orders, alpha, [record("a6")]));
  await all(store.produce(users, gamma, [record("g1")]));
  await factory.recover({ deadlineMs: 10_000 });
  return stored;
}

export function record(text: string, sequence?: number): AppendRecord {
  return { payload: Buffer.from(text), metadata: noMetadata, ...(sequence === undefined ? {} : { sequence }) };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Everything that a caller can read of the store. */
export async function readable(store: Store): Promise<unknown> {
  const spaces: unknown[] = [];
  for await (const space of store.getSpaces()) {
    const segments: unknown[] = [];
    for await (const segment of store.getSegments(space)) {
      const entries = await all(store.consumeSegment(space, segment));
      const last = await store.peek(space, segment);
      segments.push({ segment, entries: entries.map(shown), last: last === undefined ? undefined : shown(last) });
    }
    spaces.push({ space, segments, entries: (await all(store.consumeSpace(space))).map(shown) });
  }
  return spaces;
}

function shown({ payload, ...entry }: Entry): unknown {
  return { ...entry, metadata: [...entry.metadata], payload: Buffer.from(payload).toString() };
}

async function done(table: Table, partition: string, write: Write): Promise<void> {
  const result = await table.submit(partition, [write]);
  if (result.kind === "refused") throw new Error(`Not spoilt: ${result.reason}.`);
}

function partitionsOf(account: SimulatedAccount, name: string): AsyncIterable<string> {
  return Readable.from(new Set(account.rows(name).map(({ partition }) => partition)));
}
