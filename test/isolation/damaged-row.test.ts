// Rows that say what cannot be: a segment's that speak of a commit that its log does not have, heads and names that are
// no such thing. Those who need them are told that stored data is damaged, everyone else does not notice, and the log
// stays whole.

import { expect, test } from "vitest";
import { hexKey } from "../../src/codec/lexkey.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { parseSpaceName, parseTransactionId } from "../../src/core/ids.ts";
import { segmentsWanted } from "../../src/core/segments-wanted.ts";
import { StatusReading } from "../../src/server/status-reading.ts";
import {
  logHeadRow,
  logPartition,
  segmentHeadRow,
  segmentPartition,
  segmentsPartition,
  transactionRow,
} from "../../src/store/azure/rows/keys.ts";
import { emptySegment, encodeSegmentHead, encodeTransactionRow } from "../../src/store/azure/rows/segment-rows.ts";
import { feeling, Lab, neighbours, space, storeId, stuck } from "./lab.ts";

const partition = segmentPartition(space, stuck);
const transactionId = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");

async function written(seed: string): Promise<Lab> {
  const lab = new Lab(seed);
  const { store } = lab.instance();
  await lab.produce(store, stuck);
  await lab.finish(lab.neighbours(store, 500));
  await lab.pass(5_000);
  return lab;
}

test("a head from after the log is an error, and never a gap in the log", async () => {
  const lab = await written("head ahead");
  const now = lab.clock.now();
  const head = {
    ...emptySegment,
    ...{ firstTimestamp: now - 9_000, lastSequence: 10, lastTimestamp: now + 60_000 },
    ...{ transactionNumber: 10, transactionId },
  };
  const properties = encodeSegmentHead(head, undefined);
  await lab.finish(lab.table.submit(partition, [{ kind: "upsert", row: segmentHeadRow(partition), properties }]));
  const { store } = lab.instance();
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "corrupt_data" });
  const { findings } = await lab.fsck();
  expect(findings.map(({ kind }) => kind)).not.toContain("sequence_fork");
  expect(findings.map(({ segment }) => segment)).toEqual([stuck]);
});

test("an id from after the log costs its own caller alone", async () => {
  const lab = await written("id ahead");
  const place = {
    ...{ id: transactionId, number: 1, firstSequence: 1, lastSequence: 1, timestamp: lab.clock.now() + 86_400_000 },
    ...{ digest: "00".repeat(16), segments: 1 },
  };
  await lab.finish(
    lab.table.submit(partition, [
      { kind: "upsert", row: transactionRow(transactionId), properties: encodeTransactionRow(place) },
    ]),
  );
  const { store } = lab.instance();
  await lab.finish(lab.neighbours(store, 200));
  const records = [{ payload: Buffer.from("y"), metadata: noMetadata }];
  const own = (async () => {
    for await (const { status } of store.produce(space, stuck, records, { transactionId })) return status;
    return undefined;
  })().catch((error: unknown) => error);
  const felt = feeling(await lab.finish(lab.load(store, neighbours, { everyMs: 20, forMs: 5_000 })));
  expect(await lab.finish(own)).toMatchObject({ code: "corrupt_data", effect: "none" });
  expect(felt.failed).toEqual([]);
  expect(felt.p99).toBeLessThan(50);
  // Without the id the segment is as good as before.
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "ok" });
});

const most = BigInt(Number.MAX_SAFE_INTEGER);

test.each([
  ["a list of pending records that is no list", { apply: Buffer.from("spoilt") }],
  ["a pending record of a time that cannot be", { apply: Buffer.alloc(24, 0xff) }],
  ["the last possible timestamp", { ts: most }],
  ["the last possible count", { n: most }],
  ["no records and a last one", { n: 0n }],
  ["lease tokens that are none", { fences: '[["writer","1"]]' }],
])("a log's head with %s is damage to its space alone, and never the caller's mistake", async (_, damage) => {
  const lab = await written("head of a log");
  const partitionOfLog = logPartition(space);
  const { row } = await lab.finish(lab.table.get(partitionOfLog, logHeadRow(space)));
  const properties = { ...row?.properties, ...damage };
  await lab.finish(lab.table.submit(partitionOfLog, [{ kind: "upsert", row: logHeadRow(space), properties }]));
  const { store } = lab.instance();
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "corrupt_data" });
  expect(await lab.finish(lab.produceTo(store, parseSpaceName("other"), stuck))).toBe(1);
  expect((await lab.fsck()).findings.map(({ kind }) => kind)).toEqual(["log_head_differs"]);
});

test("a segment whose head has the last possible sequence is damage to those who produce to it alone", async () => {
  const lab = await written("last sequence");
  const { row } = await lab.finish(lab.table.get(partition, segmentHeadRow(partition)));
  const properties = { ...row?.properties, l: most, lt: most };
  await lab.finish(lab.table.submit(partition, [{ kind: "upsert", row: segmentHeadRow(partition), properties }]));
  const { store } = lab.instance();
  expect(await lab.produce(store, stuck)).toMatchObject({ outcome: "corrupt_data" });
  const felt = feeling(await lab.finish(lab.load(store, neighbours, { everyMs: 20, forMs: 500 })));
  expect(felt.failed).toEqual([]);
});

test("the statuses of a space are told without a segment whose head is damaged, and that one is named", async () => {
  const lab = await written("statuses");
  const { row } = await lab.finish(lab.table.get(partition, segmentHeadRow(partition)));
  const properties = { ...row?.properties, l: 0n };
  await lab.finish(lab.table.submit(partition, [{ kind: "upsert", row: segmentHeadRow(partition), properties }]));
  const { store } = lab.instance();
  const { signal } = new AbortController();
  const reading = new StatusReading(store, { space, ...segmentsWanted(undefined, undefined) }, "");
  const told: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { segment } of reading.snapshot(0, signal)) told.push(segment);
  };
  await lab.finish(read());
  expect(told).toEqual(neighbours.toSorted());
  expect(reading.takeUnreadable()).toMatchObject([{ segment: stuck, error: { code: "corrupt_data" } }]);
  expect(reading.takeUnreadable()).toEqual([]);
});

test("a name that cannot be read is logged and left out, and the others are all there, page by page", async () => {
  const lab = await written("names");
  const rowsOfNames = segmentsPartition(space);
  const insert = (row: string) =>
    lab.finish(lab.table.submit(rowsOfNames, [{ kind: "insert", row, properties: { v: 1n } }]));
  // Before all, between two, and after all that are names.
  for (const row of ["00", `${hexKey(stuck)}01`, "f", "ff"]) await insert(row);
  const logged: unknown[] = [];
  const { store } = lab.instance({ logger: { ...silentLogger, error: (_, fields) => void logged.push(fields) } });
  const names = [stuck, ...neighbours].toSorted();
  for (const limit of [0, 1, 2, names.length, 50]) {
    const found: string[] = [];
    let after = "";
    for (;;) {
      const page: string[] = [];
      const read = (async () => {
        for await (const name of store.getSegments(space, { after, limit })) page.push(name);
      })();
      await lab.finish(read);
      found.push(...page);
      if (limit === 0 || page.length < limit) break;
      after = page.at(-1) ?? "";
    }
    expect(found, `limit ${limit}`).toEqual(names);
  }
  expect(logged).toContainEqual(expect.objectContaining({ store: storeId, space, row: "ff" }));
});
