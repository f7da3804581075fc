import { afterEach, beforeEach, expect, test } from "vitest";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { parseStoreId } from "../../../../src/core/ids.ts";
import { LevelDatabase } from "../../../doubles/level/database.ts";
import { createLevelStoreFactory } from "../../../doubles/level/factory.ts";
import { inventoryExpiryMs } from "../../../doubles/level/inventory.ts";
import type { KeyValue, Keyspace, Range } from "../../../doubles/level/keyspace.ts";
import { storeKeys } from "../../../doubles/level/keys.ts";
import type { StoreFactory } from "../../../../src/store/store.ts";
import { all, first, orders, produce, record, records, refused, segmentEntries, spaceEntries } from "../../../contract/given.ts"; // prettier-ignore
import { systemRandom } from "../../../system.ts";
import { VirtualClock } from "../../../virtual-clock.ts";

const id = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const keys = storeKeys(id);

let clock: VirtualClock;
let keyspace: KeyspaceInMemory;
let factory: StoreFactory;

beforeEach(() => {
  clock = new VirtualClock();
  keyspace = new KeyspaceInMemory();
  factory = createLevelStoreFactory({ database: new LevelDatabase(keyspace), compressor: plainCompressor, clock, random: systemRandom }); // prettier-ignore
});

afterEach(() => factory.close());

test("a chunk is one write, whatever it touches", async () => {
  const store = factory.open(id);
  await produce(store, first, records(1_000));
  await store.produceAll(orders, [{ segment: first, records: records(2) }]);
  expect(keyspace.writes).toBe(2);
  await produce(store, first, []);
  await refused(produce(store, first, [{ ...record("gap"), sequence: 9_999 }]), "sequence_mismatch");
  expect(keyspace.writes).toBe(2);
});

test("the clock may stand still or step back, timestamps increase all the same", async () => {
  const back = new VirtualClock(clock.now() - 5_000);
  const late = createLevelStoreFactory({ database: new LevelDatabase(keyspace), compressor: plainCompressor, clock: back, random: systemRandom }); // prettier-ignore
  await produce(factory.open(id), first, records(1));
  await produce(factory.open(id), first, records(1));
  await produce(late.open(id), first, records(1));
  const timestamps = (await spaceEntries(late.open(id))).map(({ timestamp }) => timestamp);
  expect(timestamps).toEqual([clock.now(), clock.now() + 1, clock.now() + 2]);
});

test("a name's row is written with its first commit, then not again until 97 s have passed", async () => {
  const store = factory.open(id);
  const writesName = (): boolean => keyspace.lastWrite.has(hex(keys.segment(orders, first)));
  await produce(store, first, records(1));
  expect(writesName()).toBe(true);
  await produce(store, first, records(1));
  expect(writesName()).toBe(false);
  await clock.pass(inventoryExpiryMs + 1);
  await produce(store, first, records(1));
  expect(writesName()).toBe(true);
});

test("a name's row whose commit failed is written with the next", async () => {
  const store = factory.open(id);
  keyspace.failing = "writes";
  expect(await refused(produce(store, first, records(1)), "storage_unavailable")).toMatchObject({ effect: "unknown" });
  keyspace.failing = undefined;
  await produce(store, first, records(1));
  expect(await all(store.getSegments(orders))).toEqual([first]);
});

test("a lost name comes back by itself", async () => {
  const store = factory.open(id);
  await produce(store, first, records(1));
  keyspace.rows.delete(hex(keys.segment(orders, first)));
  await clock.pass(inventoryExpiryMs + 1);
  await produce(store, first, records(1));
  expect(await all(store.getSegments(orders))).toEqual([first]);
});

test("a failing read says that nothing happened", async () => {
  const store = factory.open(id);
  keyspace.failing = "reads";
  for (const work of [
    segmentEntries(store, first),
    spaceEntries(store),
    all(store.getSpaces()),
    store.peek(orders, first),
  ]) {
    expect(await refused(work, "storage_unavailable")).toMatchObject({ effect: "none" });
  }
});

test("a spoilt head is corrupt_data for its segment, and for no other", async () => {
  const store = factory.open(id);
  await produce(store, first, records(1));
  keyspace.rows.set(hex(keys.head(orders, first)), Buffer.from('{"lastSequence":-1}'));
  await refused(produce(store, first, records(1)), "corrupt_data");
  await produce(store, "order-2" as typeof first, records(1));
  expect(await spaceEntries(store)).toHaveLength(2);
});

test("the same store is the same object until it is closed", async () => {
  const store = factory.open(id);
  expect(factory.open(id)).toBe(store);
  await store.close();
  expect(factory.open(id)).not.toBe(store);
});

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}

/** Hex sorts as its bytes do. */
class KeyspaceInMemory implements Keyspace {
  readonly rows = new Map<string, Uint8Array>();
  writes = 0;
  lastWrite = new Set<string>();
  failing: "reads" | "writes" | undefined;

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#answer("reads", () => this.rows.get(hex(key)));
  }

  async *pages(range: Range): AsyncGenerator<readonly KeyValue[]> {
    const rows = await this.#answer("reads", () => this.#within(range));
    if (rows.length > 0) yield rows;
  }

  last(range: Range): Promise<KeyValue | undefined> {
    return this.#answer("reads", () => this.#within(range).at(-1));
  }

  write(rows: readonly KeyValue[]): Promise<void> {
    return this.#answer("writes", () => {
      this.writes += 1;
      this.lastWrite = new Set(rows.map(({ key }) => hex(key)));
      for (const { key, value } of rows) this.rows.set(hex(key), value);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #within({ from, to }: Range): KeyValue[] {
    return [...this.rows]
      .filter(([key]) => key >= hex(from) && key < hex(to))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key: Buffer.from(key, "hex"), value }));
  }

  async #answer<T>(kind: "reads" | "writes", work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.failing === kind) throw new Error("The disk is gone.");
    return work();
  }
}
