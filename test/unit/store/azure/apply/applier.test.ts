// What an instance knows of stored heads, where another instance has moved them.

import { expect, test } from "vitest";
import { plainCompressor } from "../../../../../src/codec/block.ts";
import { parseSegmentName, parseSpaceName, parseTransactionId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import { silentTelemetry } from "../../../../../src/core/telemetry.ts";
import { Applier } from "../../../../../src/store/azure/apply/applier.ts";
import { segmentHeadRow, segmentPartition } from "../../../../../src/store/azure/rows/keys.ts";
import type { PhysicalHead } from "../../../../../src/store/azure/apply/segment-queue.ts";
import { LogReader } from "../../../../../src/store/azure/log/log-reader.ts";
import { resolveOptions } from "../../../../../src/store/azure/instance/options.ts";
import { SegmentCache } from "../../../../../src/store/azure/instance/segment-cache.ts";
import { emptySegment, encodeSegmentHead } from "../../../../../src/store/azure/rows/segment-rows.ts";
import { Semaphore } from "../../../../../src/store/azure/instance/semaphore.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../../../../system.ts";

const space = parseSpaceName("orders");
const segment = parseSegmentName("order-1");
const transactionId = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");

test("a head that was seen before the first entry is read again for the first timestamp: a status tells no zero", async () => {
  const table = new SimulatedAccount({ clock }).table("streamkit");
  await table.create();
  const applier = new Applier(space, {
    ...{ table, reader: new LogReader(table, space, plainCompressor), compressor: plainCompressor, clock, random },
    ...{ logger: silentLogger, telemetry: silentTelemetry, workers: new Semaphore(4) },
    heads: new SegmentCache<PhysicalHead>({ segmentsMax: 256 }).forSpace(),
    options: resolveOptions(),
    refreshPending: () => Promise.resolve(),
    onDone: () => undefined,
  });
  applier.observe(segment, { etag: undefined, head: emptySegment });
  const partition = segmentPartition(space, segment);
  const head = {
    ...emptySegment,
    firstTimestamp: 7,
    lastSequence: 1,
    lastTimestamp: 7,
    transactionNumber: 1,
    transactionId,
  };
  await table.submit(partition, [
    { kind: "insert", row: segmentHeadRow(partition), properties: encodeSegmentHead(head, undefined) },
  ]);
  expect((await applier.headOf(segment)).firstTimestamp).toBe(7);
});
