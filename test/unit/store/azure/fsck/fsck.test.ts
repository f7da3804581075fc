import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";

import { parseTransactionId } from "../../../../../src/core/ids.ts";
import { findingText } from "../../../../../src/store/azure/fsck/finding.ts";
import {
  blockRow,
  nameRow,
  recordRow,
  segmentsPartition,
  transactionRow,
} from "../../../../../src/store/azure/rows/keys.ts";
import { MachineClock, Timeline } from "../../../../simulation/timeline.ts";
import { faults } from "../../../../doubles/fault.ts";
import { hopeless, inAlpha, inOrders, offline, repairable, timestamps } from "./damages.ts";
import {
  all,
  alpha,
  beta,
  filled,
  gamma,
  keyOfAlpha,
  orders,
  readable,
  record,
  registryName,
  storeId,
  Stored,
  tableName,
} from "./stored.ts";

function places(report: Awaited<ReturnType<Stored["fsck"]>>): unknown[] {
  return report.findings.map(({ kind, segment, space }) => [kind, space, segment].filter((part) => part !== undefined));
}

describe("a store that is as it should be", () => {
  test("has nothing to find, and says what it holds", async () => {
    const stored = await filled();
    expect(await stored.fsck()).toEqual({
      store: storeId,
      found: true,
      spaces: 2,
      segments: 3,
      records: 6,
      entries: 9,
      unapplied: 0,
      unnotified: 0,
      oldestPendingMs: 0,
      findings: [],
      repaired: [],
    });
    await stored.close();
  });

  test("is not touched by a repair", async () => {
    const stored = await filled();
    const before = [...stored.account.rows(tableName), ...stored.account.rows(registryName)];
    await stored.fsck("offline");
    expect([...stored.account.rows(tableName), ...stored.account.rows(registryName)]).toEqual(before);
    await stored.close();
  });

  test("may be empty, or not be there at all", async () => {
    expect(await new Stored().fsck()).toMatchObject({ spaces: 0, findings: [] });
  });
});

describe("it is found and repaired beside live writers when", () => {
  test.each(repairable)("$what", async ({ spoil, finds }) => {
    const stored = await filled();
    const before = await readable(stored.instance().store);
    await spoil(stored);
    const broken = await stored.fsck();
    expect(places(broken)).toEqual(finds);
    const repair = await stored.fsck("live");
    expect(repair.findings.map(findingText)).toEqual([]);
    expect(repair.repaired).toHaveLength(finds.length);
    expect((await stored.fsck()).findings).toEqual([]);
    expect(await readable(stored.instance().store)).toEqual(before);
    await stored.close();
  });
});

describe("it is found, left to itself beside live writers, and repaired without them when", () => {
  test.each(offline)("$what", async ({ spoil, finds }) => {
    const stored = await filled();
    const before = await readable(stored.instance().store);
    await spoil(stored);
    const spoilt = [...stored.account.rows(tableName)];
    expect(places(await stored.fsck())).toEqual(finds);
    expect(places(await stored.fsck("live"))).toEqual(finds);
    expect(stored.account.rows(tableName)).toEqual(spoilt);
    expect((await stored.fsck("offline")).findings.map(findingText)).toEqual([]);
    expect((await stored.fsck()).findings).toEqual([]);
    const { store } = stored.instance();
    expect(await readable(store)).toEqual(before);
    const [next] = await all(store.produce(orders, alpha, [record("next")]));
    expect(next?.transaction).toMatchObject({ firstSequence: 7, number: 5 });
    await stored.close();
  });
});

describe("it is found and left alone, as nothing else says what was there, when", () => {
  test.each(hopeless)("$what", async ({ spoil, finds }) => {
    const stored = await filled();
    await spoil(stored);
    const spoilt = [...stored.account.rows(tableName)];
    expect(places(await stored.fsck())).toEqual(finds);
    expect(places(await stored.fsck("offline"))).toEqual(finds);
    expect(stored.account.rows(tableName)).toEqual(spoilt);
    await stored.close();
  });
});

describe("what is pending", () => {
  /** A store whose one instance has died right after its commit, so long ago. */
  async function leftBehind(agoMs: number): Promise<{ stored: Stored; timeline: Timeline }> {
    const timeline = new Timeline();
    const stored = new Stored(new MachineClock(timeline));
    const { client, store } = stored.instance();
    const stop = stored.account.observe((write) => {
      if (write.partition === inOrders) client.crash();
    });
    const keyed = { transactionId: keyOfAlpha };
    void all(store.produce(orders, alpha, [record("a1"), record("a2")], keyed)).catch(() => undefined);
    await timeline.run(() => false, agoMs);
    stop();
    return { stored, timeline };
  }
  const options = { walGraceMs: 30_000 };

  test("is counted and not found, until it is overdue", async () => {
    expect(await (await leftBehind(599_000)).stored.fsck("none", options)).toMatchObject({
      unapplied: 1,
      findings: [],
    });
    const late = await (await leftBehind(601_000)).stored.fsck("none", options);
    expect(late).toMatchObject({ unapplied: 1, oldestPendingMs: 601_000, findings: [{ kind: "apply_overdue" }] });
  });

  test("is left by a repair to those who may be at it", async () => {
    const { stored } = await leftBehind(20_000);
    const before = [...stored.account.rows(tableName)];
    expect(await stored.fsck("live", options)).toMatchObject({ unapplied: 1, findings: [] });
    expect(stored.account.rows(tableName)).toEqual(before);
  });

  test("is applied by a repair after the grace time, with its names and ids", async () => {
    const { stored } = await leftBehind(40_000);
    expect(await stored.fsck("live", options)).toMatchObject({ unapplied: 0, findings: [] });
    const { store } = stored.instance();
    expect(await all(store.getSpaces())).toEqual([orders]);
    expect(await all(store.getSegments(orders))).toEqual([alpha]);
    expect((await store.peek(orders, alpha))?.sequence).toBe(2);
    const again = store.produce(orders, alpha, [record("a1"), record("a2")], { transactionId: keyOfAlpha });
    expect((await all(again))[0]?.transaction).toMatchObject({ duplicate: true, firstSequence: 1 });
  });
});

test("a copy that was torn while writers went on is made whole", async () => {
  const stored = await filled();
  const early = [...stored.account.rows(tableName)];
  const { store, factory } = stored.instance();
  await all(store.produce(orders, alpha, [record("a7")], { transactionId: parseTransactionId(randomUUID()) }));
  await all(store.produce(orders, gamma, [record("new")]));
  await factory.recover({ deadlineMs: 10_000 });
  const whole = await readable(store);
  // Everything but the records is as it was before.
  for (const { partition, row, properties } of [...stored.account.rows(tableName)]) {
    const isRecord = partition === inOrders && row.length === 16;
    const before = early.find((other) => other.partition === partition && other.row === row);
    if (before === undefined && !isRecord) await stored.delete(partition, row);
    else if (before !== undefined && before.properties !== properties) {
      await stored.table.submit(partition, [{ kind: "upsert", row, properties: before.properties }]);
    }
  }
  expect((await stored.fsck()).findings.map(({ kind }) => kind)).toEqual(["log_head_differs"]);
  expect((await stored.fsck("offline")).findings.map(findingText)).toEqual([]);
  expect(await readable(stored.instance().store)).toEqual(whole);
  await stored.close();
});

test("entries that neither log nor segment can give back become a tombstone", async () => {
  const stored = await filled();
  const [, second = 0] = await timestamps(stored);
  await stored.change(inOrders, recordRow(second), { d00: Buffer.from("nonsense") });
  await stored.delete(inAlpha, blockRow(3));
  const report = await stored.fsck("live");
  expect(places(report)).toEqual([["record_unreadable", orders]]);
  const { store } = stored.instance();
  const entries = await all(store.consumeSegment(orders, alpha, { from: 4 }));
  expect(entries.map(({ sequence }) => sequence)).toEqual([4, 5, 6]);
  await expect(all(store.consumeSegment(orders, alpha, { from: 3, to: 3 }))).rejects.toMatchObject({
    code: "corrupt_data",
  });
  await stored.close();
});

describe("beside live writers", () => {
  const segments = [alpha, beta, gamma];

  /** Writers of two instances, until `stop`; what they throw is thrown by it. */
  function writers(stored: Stored): { readonly stop: () => Promise<void> } {
    let isOver = false;
    const write = async (party: number): Promise<void> => {
      const { store } = stored.instance({ settleDelayMs: 5 });
      for (let count = 0; !isOver; count += 1) {
        const segment = segments[count % segments.length] ?? alpha;
        const keyed = count % 2 === 0 ? { transactionId: parseTransactionId(randomUUID()) } : {};
        await all(store.produce(orders, segment, [record(`${party}.${count}`)], keyed));
      }
    };
    const written = Promise.all([write(0), write(1)]);
    return {
      stop: async () => {
        isOver = true;
        await written;
      },
    };
  }

  function slowly(stored: Stored): void {
    const short = (): boolean => Math.random() < 0.2;
    stored.account.follow(({ kind }) =>
      kind === "query" && short() ? faults.cut(1, 1, 1) : faults.answered(Math.random() * 2, Math.random() * 2),
    );
  }

  test("a check finds nothing that is only on its way", async () => {
    const stored = await filled();
    slowly(stored);
    const running = writers(stored);
    for (let check = 0; check < 10; check += 1) expect((await stored.fsck()).findings.map(findingText)).toEqual([]);
    await running.stop();
    expect((await stored.fsck()).findings).toEqual([]);
    await stored.close();
  });

  test("a repair rebuilds what is gone, and no write of theirs is lost", async () => {
    const stored = await filled();
    slowly(stored);
    const running = writers(stored);
    await stored.delete(inAlpha, blockRow(3));
    await stored.delete(inAlpha, transactionRow(keyOfAlpha));
    await stored.delete(segmentsPartition(orders), nameRow(beta));
    expect((await stored.fsck("live")).findings.map(findingText)).toEqual([]);
    await running.stop();
    expect((await stored.fsck()).findings.map(findingText)).toEqual([]);
    const { store } = stored.instance();
    const entries = await all(store.consumeSpace(orders));
    for (const segment of segments) {
      const inSegment = await all(store.consumeSegment(orders, segment));
      expect(inSegment).toEqual(entries.filter((entry) => entry.segment === segment));
    }
    await stored.close();
  });
});
