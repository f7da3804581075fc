// Compaction: many small rows become few large ones, and no answer changes.

import { expect, test, vi } from "vitest";

import { plainCompressor } from "../../../../src/codec/block.ts";
import { cursorAfter, encodeCursor } from "../../../../src/codec/cursor.ts";
import type { Entry } from "../../../../src/core/entry.ts";
import type { Cursor, SegmentName } from "../../../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../src/core/ids.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { compactSpace } from "../../../../src/store/azure/compact/compact.ts";
import type { CompactSpaceDeps } from "../../../../src/store/azure/compact/compact.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { resolveOptions } from "../../../../src/store/azure/instance/options.ts";
import type { AzureStoreSettings } from "../../../../src/store/azure/instance/options.ts";
import { LogReader } from "../../../../src/store/azure/log/log-reader.ts";
import { rows } from "../../../../src/store/azure/read/pages.ts";
import { readTail } from "../../../../src/store/azure/read/tail.ts";
import { blockRow, recordRow, segmentPartition, storeTableName } from "../../../../src/store/azure/rows/keys.ts";
import { decodeLogMarker } from "../../../../src/store/azure/rows/markers.ts";
import { decodeMergedRecords, isMerged } from "../../../../src/store/azure/rows/merged-rows.ts";
import { hasPending } from "../../../../src/store/azure/rows/pending.ts";
import type { Store } from "../../../../src/store/store.ts";
import type { Row, Table } from "../../../../src/table/port.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../../system.ts";

const id = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("orders");
const [one, other] = [parseSegmentName("one"), parseSegmentName("other")];

const short: AzureStoreSettings = { settleDelayMs: 0, compactAfterMs: 0, compactAgainAfterMs: 0, compactRowsMin: 2 };

class World {
  /** The service's clock is a little later when rows are to be old enough: it tells whole seconds. */
  #laterMs = 0;
  readonly account = new SimulatedAccount({ clock: { ...clock, now: () => clock.now() + this.#laterMs } });
  readonly table = this.account.table(storeTableName("streamkit", id));
  readonly reader = new LogReader(this.table, space, plainCompressor);
  merged = 0;

  open(options: AzureStoreSettings = {}): Store {
    return createAzureStoreFactory({
      ...{ account: this.account, notifier: undefined, compressor: plainCompressor, clock, random },
      ...{ logger: silentLogger, options: { ...short, ...options } },
    }).open(id);
  }

  deps(options: AzureStoreSettings = {}): CompactSpaceDeps {
    return {
      ...{ table: this.table, reader: this.reader, compressor: plainCompressor, clock, random },
      options: resolveOptions({ ...short, ...options }),
      isOver: () => false,
      onMerged: (merged) => (this.merged += merged.rows),
    };
  }

  /** Once alone, or until the merged rows are merged again. */
  async compact(options: AzureStoreSettings = {}): Promise<void> {
    await vi.waitFor(async () => {
      const { head } = await this.reader.readHead();
      expect([hasPending(head.unapplied), hasPending(head.unnotified)]).toEqual([false, false]);
    });
    this.#laterMs = 2_000;
    expect(await compactSpace(this.deps(options), space)).toBe("done");
    this.#laterMs = 0;
  }

  async rowsOf(partition: string): Promise<Row[]> {
    const found: Row[] = [];
    const options = {};
    for await (const row of rows(this.table, { partition, from: "0000000000000001", to: "g" }, options)) {
      if (/^[0-9a-f]{16}$/.test(row.row)) found.push(row);
    }
    return found;
  }
}

async function produce(store: Store, segment: SegmentName, count: number, from = 0): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const payload = Buffer.from(`event ${from + index} of ${segment}`);
    const metadata = new Map(index % 3 === 0 ? [["type", "third"]] : []);
    for await (const chunk of store.produce(space, segment, [{ payload, metadata }])) expect(chunk).toBeDefined();
  }
}

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of entries) found.push({ ...entry, payload: Buffer.from(entry.payload) });
  return found;
}

/** Everything that callers can learn, in one value. */
async function answers(store: Store): Promise<unknown> {
  const entries = await all(store.consumeSpace(space));
  const from = [undefined, ...entries.map((entry): Cursor => encodeCursor(entry))];
  const resumed: number[] = [];
  for (const offset of from) resumed.push((await all(store.consumeSpace(space, { offset }))).length);
  const tails: unknown[] = [];
  for (const count of [0, 1, 2, 5, 40]) tails.push(await store.spaceTail(space, count));
  const timed: number[] = [];
  for (const { timestamp } of entries) {
    timed.push((await all(store.consumeSpace(space, { after: timestamp }))).length);
    timed.push((await all(store.consumeSpace(space, { until: timestamp }))).length);
  }
  const segments: unknown[] = [];
  for (const segment of [one, other]) {
    const read = await all(store.consumeSegment(space, segment));
    segments.push(read, await store.getSegmentStatus!(space, segment), await store.peek(space, segment));
    for (const { sequence } of read) {
      segments.push(
        (await all(store.consumeSegment(space, segment, { from: sequence, limit: 3 }))).map((e) => e.sequence),
      );
    }
  }
  return { entries, resumed, tails, timed, segments };
}

test("no answer changes when rows are merged once, and again", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 40);
  await produce(store, other, 20);
  await produce(store, one, 10, 40);
  const before = await answers(store);
  await world.compact({ compactAgainAfterMs: 86_400_000, batchOperations: 12 });
  const once = await world.rowsOf(world.reader.partition);
  expect(once.length).toBeLessThan(10);
  expect(once.filter(isMerged).map((row) => decodeMergedRecords(row).recordIds?.length)).not.toContain(undefined);
  expect((await world.rowsOf(segmentPartition(space, one))).length).toBeLessThan(50);
  expect(await answers(store)).toEqual(before);
  expect(await answers(world.open())).toEqual(before);
  await world.compact();
  const again = await world.rowsOf(world.reader.partition);
  expect(again.length).toBeLessThan(once.length);
  expect(again.filter(isMerged).map((row) => decodeMergedRecords(row).recordIds)).toContain(undefined);
  expect(await answers(store)).toEqual(before);
  await produce(store, one, 3, 50);
  await produce(world.open(), one, 3, 53);
  expect((await store.getSegmentStatus!(space, one)).lastSequence).toBe(56);
});

test("a trim that ends within a merged row removes what it said, and tells those who come from before", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 12);
  await produce(store, other, 12);
  const entries = await all(store.consumeSpace(space));
  await world.compact();
  const [gone, kept] = [entries.slice(0, 17), entries.slice(17)];
  const trim = await store.trimSpace(space, { timestamp: kept[0]!.timestamp });
  expect(trim).toEqual({ earliest: cursorAfter(space, gone.at(-1)!.timestamp), state: "done" });
  expect(await all(store.consumeSpace(space))).toEqual(kept);
  expect(await all(store.consumeSegment(space, one))).toEqual([]);
  expect((await all(store.consumeSegment(space, other))).map(({ sequence }) => sequence)).toEqual([
    6, 7, 8, 9, 10, 11, 12,
  ]);
  const resumed = (entry: Entry): Promise<Entry[]> => all(store.consumeSpace(space, { offset: encodeCursor(entry) }));
  await expect(resumed(gone[3]!)).rejects.toMatchObject({ code: "trimmed", details: { earliest: trim.earliest } });
  expect(await resumed(gone.at(-1)!)).toEqual(kept);
  // The marker has the counts there, so that what is left is known.
  const { row } = await world.table.get(world.reader.partition, recordRow(gone.at(-1)!.timestamp));
  expect(decodeLogMarker(row!)).toMatchObject({ position: 17, counts: { entries: 17 } });
  expect((await world.reader.readHead()).head.counts?.entries).toBe(24);
});

test("the fate of an attempt is known by the merged row, until that has lost its ids", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 20);
  const times = (await all(store.consumeSpace(space))).map(({ timestamp }) => timestamp);
  const ids: string[] = [];
  for (const time of times) ids.push((await world.reader.readRecordAt(time))!.summary.recordId);
  const fates = async (): Promise<string[]> => [
    ...new Set(await Promise.all(times.map((time, index) => world.reader.fateOf(time, ids[index]!)))),
  ];
  const neverThere = (): Promise<string> => world.reader.fateOf(times[5]!, random.uuid());
  await world.compact({ compactAgainAfterMs: 86_400_000, batchOperations: 12 });
  expect([await fates(), await neverThere()]).toEqual([["landed"], "never"]);
  expect(await world.reader.readRecordAt(times[5]!)).toBeUndefined();
  await world.compact();
  expect([await fates(), await neverThere()]).toEqual([["unknown"], "unknown"]);
});

test("an instance goes on whose knowledge of the log is of before its rows were merged", async () => {
  const world = new World();
  const [early, busy] = [world.open(), world.open()];
  await produce(early, one, 1);
  await produce(busy, one, 40, 1);
  await world.compact();
  await produce(early, one, 2, 41);
  expect((await all(early.consumeSegment(space, one))).map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 43 }, (_, index) => index + 1),
  );
});

test("a compaction that loses a race to another, or to a trim, changes nothing and is done again", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 60);
  const before = await answers(store);
  await world.compact({ compactAgainAfterMs: 86_400_000, compactRowsMin: 100 });
  await Promise.all([world.compact({ batchOperations: 20 }), world.compact({ batchOperations: 30 })]);
  expect(await answers(store)).toEqual(before);
});

test("what cannot be read stays as it is, and what comes after it is merged all the same", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 40);
  const times = (await all(store.consumeSpace(space))).map(({ timestamp }) => timestamp);
  const spoil = async (partition: string, row: string): Promise<void> => {
    const { row: stored } = await world.table.get(partition, row);
    const properties = { ...stored!.properties, d00: Buffer.from("spoilt") };
    await world.table.submit(partition, [{ kind: "upsert", row, properties }]);
  };
  const blocks = segmentPartition(space, one);
  for (const index of [0, 20]) await spoil(world.reader.partition, recordRow(times[index]!));
  await spoil(blocks, blockRow(30));
  await world.compact();
  const left = (await world.rowsOf(world.reader.partition)).filter((row) => !isMerged(row)).map(({ row }) => row);
  expect(left).toEqual([recordRow(times[0]!), recordRow(times[20]!)]);
  expect((await world.rowsOf(blocks)).filter((row) => !isMerged(row)).map(({ row }) => row)).toContain(blockRow(30));
  expect((await all(store.consumeSpace(space, { after: times[20]! }))).length).toBe(19);
  expect((await all(store.consumeSegment(space, one, { from: 31 }))).length).toBe(10);
  await expect(all(store.consumeSegment(space, one, { from: 30 }))).rejects.toMatchObject({ code: "corrupt_data" });
});

test("a log that lacks a record is not merged over it, so that a check still finds what is missing", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 40);
  const times = (await all(store.consumeSpace(space))).map(({ timestamp }) => timestamp);
  await world.table.submit(world.reader.partition, [{ kind: "delete", row: recordRow(times[20]!), ifMatch: "*" }]);
  await world.compact();
  const merged = (await world.rowsOf(world.reader.partition)).map((row) => decodeMergedRecords(row));
  expect(merged.map(({ count, position }) => [position - count + 1, position])).toEqual([
    [1, 20],
    [22, 40],
  ]);
});

test("rows that are merged between two windows of a search for the newest entries are not passed over", async () => {
  const world = new World();
  const store = world.open();
  await produce(store, one, 6);
  const [gone, ...kept] = await all(store.consumeSpace(space));
  await store.trimSpace(space, { timestamp: kept[0]!.timestamp });
  const { head } = await world.reader.readHead();
  const end = { timestamp: head.timestamp, records: head.count };
  // What was seen of the log is the last record alone; all before it stands in one row, whose key is the last record's.
  await world.compact();
  const table = { ...bound(world.table), query: onlyMarkers(world.table, gone!.timestamp) };
  expect(await readTail({ table, compressor: plainCompressor }, space, end, 2)).toBeUndefined();
  expect(await all(store.consumeSpace(space, { offset: await store.spaceTail(space, 2) }))).toEqual(kept.slice(-2));
});

function bound(table: Table): Table {
  return { get: table.get.bind(table), query: table.query.bind(table) } as unknown as Table;
}

/** As a search sees it whose earlier window had the rows that are merged now. */
function onlyMarkers(table: Table, through: number): Table["query"] {
  return (range, options) => table.query({ ...range, from: recordRow(1), to: recordRow(through) }, options);
}
