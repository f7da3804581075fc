// What an instance knows of stored heads, where another instance has moved them.

import { expect, test } from "vitest";
import { plainCompressor } from "../../../../../src/codec/block.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import { silentTelemetry } from "../../../../../src/core/telemetry.ts";
import { Applier } from "../../../../../src/store/azure/apply/applier.ts";
import { segmentHeadRow, segmentPartition } from "../../../../../src/store/azure/rows/keys.ts";
import type { PendingRecord, PhysicalHead } from "../../../../../src/store/azure/apply/segment-queue.ts";
import { LogReader } from "../../../../../src/store/azure/log/log-reader.ts";
import type { AzureStoreSettings } from "../../../../../src/store/azure/instance/options.ts";
import { resolveOptions } from "../../../../../src/store/azure/instance/options.ts";
import { SegmentCache } from "../../../../../src/store/azure/instance/segment-cache.ts";
import { emptySegment, encodeSegmentHead } from "../../../../../src/store/azure/rows/segment-rows.ts";
import { Semaphore } from "../../../../../src/store/azure/instance/semaphore.ts";
import { faults } from "../../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../../../system.ts";

const space = parseSpaceName("orders");
const segment = parseSegmentName("order-1");
const partition = segmentPartition(space, segment);
const transactionId = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");

/** A segment with one entry, of the timestamp 7. */
const head = {
  ...emptySegment,
  ...{ firstTimestamp: 7, lastSequence: 1, lastTimestamp: 7, transactionNumber: 1, transactionId },
};

interface Changes {
  readonly plan?: FaultPlan;
  readonly options?: AzureStoreSettings;
  readonly onDone?: (record: PendingRecord) => void;
}

async function world({ plan, options, onDone = () => undefined }: Changes = {}) {
  const table = new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) }).table("streamkit");
  await table.create();
  const applier = new Applier(space, {
    ...{ table, reader: new LogReader(table, space, plainCompressor), compressor: plainCompressor, clock, random },
    ...{ logger: silentLogger, telemetry: silentTelemetry, workers: new Semaphore(4), onDone },
    heads: new SegmentCache<PhysicalHead>({ segmentsMax: 256 }).forSpace(),
    options: resolveOptions(options),
    refreshPending: () => Promise.resolve(),
  });
  const writeHead = () =>
    table.submit(partition, [
      { kind: "insert", row: segmentHeadRow(partition), properties: encodeSegmentHead(head, undefined) },
    ]);
  return { applier, writeHead };
}

test("a head that was seen before the first entry is read again for the first timestamp: a status tells no zero", async () => {
  const { applier, writeHead } = await world();
  applier.observe(segment, { etag: undefined, head: emptySegment });
  await writeHead();
  expect((await applier.headOf(segment)).firstTimestamp).toBe(7);
});

test("a record is done with the last that it needs, also when who waited for more of its segment is told that it failed", async () => {
  const done: number[] = [];
  const { applier, writeHead } = await world({
    plan: ({ kind, ...rest }) =>
      faults.answered(kind === "submit" && "partition" in rest && rest.partition !== partition ? 100 : 1, 1),
    options: { applyAttemptsMax: 1 },
    onDone: ({ summary }) => done.push(summary.timestamp),
  });
  const place = {
    firstSequence: 1,
    lastSequence: 1,
    number: 1,
    id: transactionId,
    digest: "0".repeat(32),
    segments: 1,
  };
  await writeHead();
  const node = parseNodeId("6f9619ff-8b86-d011-b42d-00c04fc964ff");
  const summary = { timestamp: 7, recordId: transactionId, node, position: 1, counts: undefined };
  applier.add({ ...summary, transactions: [{ ...place, segment, keyed: false }] }, 7);
  // Its log no longer exists: the segment never comes so far.
  await expect(applier.ensure(segment, 99)).rejects.toMatchObject({ code: "overloaded" });
  expect(done).toEqual([]);
  await expect.poll(() => done).toEqual([7]);
});
