// What the store writes for a produce: taken from a produce on the simulated table, so that the floor writes the same
// bytes.

import { zstdCompressor } from "../src/codec/zstd.ts";
import type { AppendRecord } from "../src/core/entry.ts";
import { parseSegmentName, parseSpaceName } from "../src/core/ids.ts";
import { silentLogger } from "../src/core/logger.ts";
import { createAzureStoreFactory } from "../src/store/azure/factory.ts";
import { logPartition, segmentPartition } from "../src/store/azure/rows/keys.ts";
import type { EffectiveWrite } from "../test/doubles/simulated-service.ts";
import { SimulatedAccount } from "../test/doubles/simulated-table.ts";
import type { Row } from "../src/table/port.ts";
import { systemClock as clock, systemRandom as random } from "../test/system.ts";
import { drain, newStore } from "./storage.ts";

export const space = parseSpaceName("orders");
export const segment = parseSegmentName("order-100042");

export interface Written {
  /** The log: its head, and the record. */
  readonly log: readonly Row[];
  /** The segment: its head, and the block. */
  readonly segment: readonly Row[];
}

/** The rows of the second of two such produces: the first of a segment writes more. */
export async function writtenBy(records: readonly AppendRecord[]): Promise<Written> {
  const account = new SimulatedAccount({ clock });
  const factory = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: zstdCompressor, clock, random, logger: silentLogger },
  });
  const store = factory.open(newStore());
  await drain(store.produce(space, segment, records));
  const writes: EffectiveWrite[] = [];
  account.observe((write) => writes.push(write));
  await drain(store.produce(space, segment, records));
  await factory.close();
  const rows = (partition: string): Row[] =>
    writes
      .filter((write) => write.partition === partition)
      .flatMap(({ changes }) => changes.flatMap(({ after }) => (after === undefined ? [] : [after])));
  return { log: rows(logPartition(space)), segment: rows(segmentPartition(space, segment)) };
}
