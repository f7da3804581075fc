// One log record that cannot be decoded: its segments wait for it and then go on without it; nobody else notices.

import { describe, expect, test } from "vitest";
import type { Entry } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { parseSpaceName } from "../../src/core/ids.ts";
import type { SpaceName } from "../../src/core/ids.ts";
import { logPartition, storeTableName, timestampOfRow } from "../../src/store/azure/rows/keys.ts";
import type { Feeling } from "./lab.ts";
import { feeling, Lab, neighbours, space, storeId, stuck } from "./lab.ts";

const forMs = 10_000;
const settings = { walGraceMs: 1_000, tombstoneAfterMs: 60_000, produceTimeoutMs: 5_000 };
const [also = stuck, ...others] = neighbours;
const other = parseSpaceName("other");

/**
 * An instance commits to two segments and dies at once, before it has applied anything. Answers the record's timestamp.
 */
async function dieAfterCommit(lab: Lab, of: SpaceName): Promise<number> {
  const { client, store } = lab.instance({ settings });
  const committed = Promise.withResolvers<undefined>();
  const stop = lab.account.observe((write) => {
    if (write.client !== client.name || write.partition !== logPartition(of)) return;
    client.crash();
    committed.resolve(undefined);
  });
  const segments = [stuck, also].map((segment) => {
    return { segment, records: [{ payload: Buffer.from("left behind"), metadata: noMetadata }] };
  });
  store.produceAll(of, segments).catch(() => undefined);
  await lab.finish(committed.promise);
  stop();
  const rows = lab.account.rows(storeTableName("streamkit", storeId));
  const record = rows.findLast((row) => row.partition === logPartition(of));
  if (record === undefined) throw new Error("Nothing was committed.");
  return timestampOfRow(record.row);
}

async function spoil(lab: Lab, timestamp: number): Promise<void> {
  const partition = logPartition(space);
  const rows = lab.account.rows(storeTableName("streamkit", storeId));
  const record = rows.findLast((row) => row.partition === partition);
  if (record === undefined || timestampOfRow(record.row) !== timestamp) throw new Error("It is not the last record.");
  const properties = { ...record.properties, d00: Buffer.from("nonsense") };
  await lab.finish(lab.table.submit(partition, [{ kind: "upsert", row: record.row, properties }]));
}

async function read(entries: AsyncIterable<Entry>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { payload } of entries) texts.push(Buffer.from(payload).toString());
  return texts;
}

describe.each(["warm", "cold"] as const)("on a %s instance", (start) => {
  async function feel(isLost: boolean): Promise<{ readonly theirs: Feeling; readonly own: Feeling }> {
    const lab = new Lab(`lost ${start}`);
    const warm = lab.instance({ settings });
    await lab.finish(lab.load(warm.store, [stuck, ...neighbours], { everyMs: 20, forMs: 500 }));
    await lab.pass(2_000);
    const left = await dieAfterCommit(lab, space);
    if (isLost) await spoil(lab, left);
    const { store } = start === "warm" ? warm : lab.instance({ settings });
    const own = lab.load(store, [stuck, also], { everyMs: 20, forMs });
    const theirs = lab.load(store, others, { everyMs: 20, forMs });
    return { theirs: feeling(await lab.finish(theirs)), own: feeling(await lab.finish(own)) };
  }

  test("a record that cannot be decoded costs none but its segments rate or latency", async () => {
    const usual = await feel(false);
    const now = await feel(true);
    expect(usual.own.failed).toEqual([]);
    expect(now.own.failed).toContain("corrupt_data");
    expect(now.theirs.failed).toEqual([]);
    expect(now.theirs.count).toBe(usual.theirs.count);
    expect(now.theirs.p50).toBeLessThanOrEqual(usual.theirs.p50);
    // Two requests more at the most, for one in a hundred.
    expect(now.theirs.p99).toBeLessThanOrEqual(usual.theirs.p99 + 16);
  });
});

test("the monitor gives it up after a while: the segments go on, readers are told, and a check names it", async () => {
  const lab = new Lab("buried");
  const { factory, store } = lab.instance({ settings });
  const recover = (): ReturnType<typeof factory.recover> => lab.finish(factory.recover({ deadlineMs: 60_000 }));
  await lab.produce(store, stuck, "first");
  await lab.pass(2_000);
  const lost = await dieAfterCommit(lab, space);
  await spoil(lab, lost);
  await dieAfterCommit(lab, other);
  await lab.pass(5_000);

  // The monitor applies what it can; the rest waits.
  expect(await recover()).toMatchObject({ logs: 2, applied: 1, failed: 1 });
  expect(await lab.finish(read(store.consumeSegment(other, stuck)))).toEqual(["left behind"]);
  expect((await lab.produce(store, stuck, "too early")).outcome).toBe("corrupt_data");
  expect(await lab.finish(read(store.consumeSegment(space, stuck)))).toEqual(["first"]);

  await lab.pass(settings.tombstoneAfterMs);
  // It is old enough; and not given up before it was found damaged three times.
  expect(await recover()).toMatchObject({ applied: 0, failed: 2 });
  // A record that came too early was committed behind it, and comes with it.
  expect(await recover()).toMatchObject({ applied: 2, failed: 0 });
  expect((await lab.produce(store, stuck, "next")).outcome).toBe("ok");
  expect((await lab.produce(store, also, "next")).outcome).toBe("ok");
  expect(await lab.finish(read(store.consumeSegment(space, stuck, { from: 3 })))).toEqual(["too early", "next"]);
  expect(await lab.finish(read(store.consumeSpace(space, { after: lost })))).toEqual(["too early", "next", "next"]);
  for (const reading of [
    store.consumeSegment(space, stuck),
    store.consumeSegment(space, also),
    store.consumeSpace(space),
  ]) {
    await expect(lab.finish(read(reading))).rejects.toMatchObject({ code: "corrupt_data" });
  }
  await lab.pass(2_000);
  const { findings, unapplied } = await lab.fsck();
  expect(unapplied).toBe(0);
  expect(findings).toMatchObject([{ kind: "record_unreadable", space }]);
  expect(findings[0]?.message).toContain(`the entries of the record at ${lost} cannot be read`);
  expect(findings[0]?.message).toContain('it has "neighbour 0" 1, "stuck" 2');
});
