// A store that was compacted is in order, beside a compaction too, and its segments are rebuilt from merged rows as
// from single ones.

import { describe, expect, test } from "vitest";

import type { SegmentName } from "../../../../../src/core/ids.ts";
import {
  logHeadRow,
  logPartition,
  segmentHeadRow,
  segmentPartition,
} from "../../../../../src/store/azure/rows/keys.ts";
import { isMerged } from "../../../../../src/store/azure/rows/merged-rows.ts";
import type { Row, Table, TableAccount } from "../../../../../src/table/port.ts";
import { systemClock } from "../../../../system.ts";
import { all, alpha, beta, filled, keyOfAlpha, orders, readable, record, Stored, tableName } from "./stored.ts";

/** Longer than a second, in which the service tells its time. */
const laterMs = 5_000;

class Later {
  aheadMs = 0;
  readonly stored = new Stored({ ...systemClock, now: () => systemClock.now() + this.aheadMs });

  /** What `filled` has, and more, so that both segments of it have something to merge. */
  async fill(): Promise<Stored> {
    await filled(this.stored);
    const { factory, store } = this.stored.instance();
    for (const segment of [alpha, beta, alpha, beta]) await all(store.produce(orders, segment, [record("more")]));
    await factory.recover({ deadlineMs: 10_000 });
    return this.stored;
  }

  async compact(compactAgainAfterMs = 86_400_000): Promise<void> {
    this.aheadMs += laterMs;
    const { factory } = this.stored.instance({ compactAfterMs: 0, compactAgainAfterMs, compactRowsMin: 2 });
    await factory.recover({ deadlineMs: 10_000 });
  }

  async compacted(): Promise<Stored> {
    const stored = await this.fill();
    await this.compact();
    expect(mergedIn(stored, logPartition(orders)).length).toBeGreaterThan(0);
    expect(mergedIn(stored, segmentPartition(orders, alpha)).length).toBeGreaterThan(0);
    return stored;
  }
}

function mergedIn(stored: Stored, partition: string): readonly Row[] {
  return stored.account.rows(tableName).filter((row) => row.partition === partition && isMerged(row));
}

const partitionOf = (segment: SegmentName): string => segmentPartition(orders, segment);

describe("a store that was compacted", () => {
  test.each([
    ["once", 86_400_000],
    ["again, so that its rows have lost the ids of their records", 0],
  ])("%s is in order, and stays as it is when it is repaired", async (_, compactAgainAfterMs) => {
    const later = new Later();
    const stored = await later.compacted();
    await later.compact(compactAgainAfterMs);
    const before = await readable(stored.instance().store);
    expect((await stored.fsck()).findings).toEqual([]);
    expect((await stored.fsck("offline")).findings).toEqual([]);
    expect(await readable(stored.instance().store)).toEqual(before);
    await stored.close();
  });

  test.each([
    ["a merged block", (stored: Stored) => mergedIn(stored, partitionOf(alpha)).map(({ row }) => row)],
    ["the head of a segment", () => [segmentHeadRow(partitionOf(alpha))]],
    [
      "all of a segment",
      ({ account }: Stored) =>
        account.rows(tableName).flatMap(({ partition, row }) => (partition === partitionOf(alpha) ? [row] : [])),
    ],
  ])("gets back %s", async (_, rowsOf) => {
    const later = new Later();
    const stored = await later.compacted();
    const before = await readable(stored.instance().store);
    const rows = rowsOf(stored);
    for (const row of rows) await stored.delete(partitionOf(alpha), row);
    expect((await stored.fsck()).findings.length > 0).toBe(rows.length > 0);
    await stored.fsck("offline");
    expect((await stored.fsck()).findings).toEqual([]);
    const { store } = stored.instance();
    expect(await readable(store)).toEqual(before);
    const repeated = store.produce(orders, alpha, [record("a1"), record("a2")], { transactionId: keyOfAlpha });
    expect((await all(repeated)).map(({ transaction }) => transaction?.duplicate)).toEqual([true]);
    await stored.close();
  });

  test("gets back the head of its log, and is written on", async () => {
    const stored = await new Later().compacted();
    const before = await readable(stored.instance().store);
    await stored.delete(logPartition(orders), logHeadRow(orders));
    expect((await stored.fsck()).findings.map(({ kind }) => kind)).toContain("log_head_missing");
    await stored.fsck("offline");
    expect((await stored.fsck()).findings).toEqual([]);
    const { store } = stored.instance();
    expect(await readable(store)).toEqual(before);
    const [chunk] = await all(store.produce(orders, alpha, [record("after")]));
    expect(chunk?.status.lastSequence).toBe(9);
    await stored.close();
  });

  test.each([
    ["cannot be read", { d00: Buffer.from("spoilt") }, "record_unreadable"],
    ["says other numbers than it has", { n: 99n, mc: 1n }, "record_unreadable"],
    ["has another place in the log", { n: 99n }, "record_missing"],
  ] as const)("whose merged row of the log %s is told so, and its segments are left alone", async (_, spoilt, kind) => {
    const stored = await new Later().compacted();
    const partition = logPartition(orders);
    const [row] = mergedIn(stored, partition);
    const before = await all(stored.instance().store.consumeSegment(orders, alpha));
    await stored.change(partition, row!.row, spoilt);
    expect((await stored.fsck()).findings.map((finding) => finding.kind)).toContain(kind);
    await stored.fsck("offline");
    expect(await all(stored.instance().store.consumeSegment(orders, alpha))).toEqual(before);
    await stored.close();
  });

  test("is in order at whatever request of the check the compaction comes", async () => {
    for (let at = 1; ; at += 1) {
      const later = new Later();
      const stored = await later.fill();
      let asked = 0;
      const through = interrupted(stored.account, async () => {
        asked += 1;
        if (asked === at) await later.compact();
      });
      const { findings } = await stored.fsck("none", {}, through);
      expect([at, findings]).toEqual([at, []]);
      await stored.close();
      if (asked < at) break;
    }
  });
});

/** The same account; `before` runs before each read. */
function interrupted(account: TableAccount, before: () => Promise<void>): TableAccount {
  return {
    tableNames: (after, before) => account.tableNames(after, before),
    table: (name) => {
      const table = account.table(name);
      return {
        get: async (...args: Parameters<Table["get"]>) => {
          await before();
          return table.get(...args);
        },
        // One row at a time, so that the compaction comes between rows.
        query: async (range, options) => {
          await before();
          return table.query(range, { ...options, top: 1 });
        },
        submit: (...args: Parameters<Table["submit"]>) => table.submit(...args),
        create: () => table.create(),
        remove: () => table.remove(),
      };
    },
  };
}
