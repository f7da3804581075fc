// A segment's rows that speak of a commit that its log does not have: those who need them are told, everyone else does not notice,
// and the log stays whole.

import { expect, test } from "vitest";
import { noMetadata } from "../../src/core/entry.ts";
import { parseTransactionId } from "../../src/core/ids.ts";
import { segmentHeadRow, segmentPartition, transactionRow } from "../../src/store/azure/rows/keys.ts";
import { encodeSegmentHead, encodeTransactionRow } from "../../src/store/azure/rows/segment-rows.ts";
import { feeling, Lab, neighbours, space, stuck } from "./lab.ts";

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
