// Redacted bytes, and their digests, are in no row; neither a late applier nor a late repair brings them back, and
// whoever dies on the way leaves a redaction that the same call, or a repair, ends.

import { expect, test } from "vitest";

import { contentDigest } from "../../../../../src/codec/transaction.ts";
import type { AppendRecord } from "../../../../../src/core/entry.ts";
import type { SegmentName } from "../../../../../src/core/ids.ts";
import { segmentPartition } from "../../../../../src/store/azure/rows/keys.ts";
import { isMerged } from "../../../../../src/store/azure/rows/merged-rows.ts";
import type { Store } from "../../../../../src/store/store.ts";
import type { Table, TableAccount } from "../../../../../src/table/port.ts";
import { systemClock } from "../../../../system.ts";
import {
  all,
  alpha,
  beta,
  keyOfAll,
  keyOfAlpha,
  orders,
  record as plainRecord,
  Stored,
  tableName,
} from "../fsck/stored.ts";

const ofAlpha = segmentPartition(orders, alpha);

/** Long enough to be found by itself alone among random bytes. */
const content = (name: string): string => `the content of ${name}`;
const record = (name: string): AppendRecord => plainRecord(content(name));

/** Segments of several blocks, with and without keys, and a transaction over two. */
async function filled(stored = new Stored()): Promise<Stored> {
  const { factory, store } = stored.instance();
  await all(store.produce(orders, alpha, [record("a1"), record("a2")], { transactionId: keyOfAlpha }));
  await all(store.produce(orders, alpha, [record("a3")]));
  await all(store.produce(orders, beta, [record("b1")]));
  await store.produceAll(orders, bothRecords, { transactionId: keyOfAll });
  await all(store.produce(orders, alpha, [record("a6")]));
  await factory.recover({ deadlineMs: 10_000 });
  return stored;
}

const bothRecords = [
  { segment: alpha, records: [record("a4"), record("a5")] },
  { segment: beta, records: [record("b2")] },
];

function has(stored: Stored, name: string): boolean {
  return hasBytes(stored, Buffer.from(content(name)));
}

function hasBytes(stored: Stored, bytes: Buffer): boolean {
  const values = stored.account.tables().flatMap((name) => {
    return stored.account.rows(name).flatMap(({ properties }) => Object.values(properties));
  });
  return values.some((value) => value instanceof Uint8Array && Buffer.from(value).includes(bytes));
}

function digestOf(...texts: readonly string[]): Buffer {
  return Buffer.from(contentDigest(texts.map((text) => record(text))), "hex");
}

async function texts(store: Store, segment: SegmentName): Promise<readonly string[]> {
  return (await all(store.consumeSegment(orders, segment))).map(({ payload, redacted }) =>
    redacted === true ? "-" : Buffer.from(payload).toString().slice(content("").length),
  );
}

/** An account whose writes to a partition are first shown to `before`. */
function watched(account: TableAccount, partition: string, before: () => Promise<void>): TableAccount {
  const table = (name: string): Table => {
    const own = account.table(name);
    return {
      get: (...args) => own.get(...args),
      query: (...args) => own.query(...args),
      create: () => own.create(),
      remove: () => own.remove(),
      submit: async (at, writes, options) => {
        if (name === tableName && at === partition) await before();
        return own.submit(at, writes, options);
      },
    };
  };
  return { table, tableNames: (...args) => account.tableNames(...args) };
}

test.each(["as it was written", "compacted", "compacted twice"])(
  "the bytes and the digests of redacted entries are in no row of a store, %s",
  async (how) => {
    let aheadMs = 0;
    const stored = new Stored({ ...systemClock, now: () => systemClock.now() + aheadMs });
    await filled(stored);
    for (const afterMs of how === "as it was written" ? [] : how === "compacted" ? [86_400_000] : [86_400_000, 0]) {
      aheadMs += 5_000;
      const options = { compactAfterMs: 0, compactAgainAfterMs: afterMs, compactRowsMin: 2 };
      await stored.instance(options).factory.recover({ deadlineMs: 10_000 });
    }
    expect(stored.account.rows(tableName).some(isMerged)).toBe(how !== "as it was written");
    expect([has(stored, "a1"), hasBytes(stored, digestOf("a1", "a2"))]).toEqual([true, true]);
    const { store } = stored.instance();
    await store.redact(orders, alpha, [1, 4, 6]);
    await store.redact(orders, beta, [2]);
    for (const text of ["a1", "a4", "a6", "b2"]) expect(has(stored, text), text).toBe(false);
    for (const digest of [digestOf("a1", "a2"), digestOf("a4", "a5"), digestOf("b2"), digestOf("a6")]) {
      expect(hasBytes(stored, digest)).toBe(false);
    }
    const late = stored.instance().store;
    expect(await texts(late, alpha)).toEqual(["-", "a2", "a3", "-", "a5", "-"]);
    expect(await texts(late, beta)).toEqual(["b1", "-"]);
    expect((await stored.fsck()).findings).toEqual([]);
    expect((await stored.fsck("offline")).findings).toEqual([]);
    const again = await all(late.produce(orders, alpha, [record("a1"), record("a2")], { transactionId: keyOfAlpha }));
    expect(again[0]!.transaction?.duplicate).toBe(true);
    const together = await late.produceAll(orders, bothRecords, { transactionId: keyOfAll });
    expect(together.map(({ transaction }) => transaction?.duplicate)).toEqual([true, true]);
    expect(has(stored, "a1")).toBe(false);
    await stored.close();
  },
);

test("a segment that is rebuilt, trimmed and merged after a redaction stays redacted", async () => {
  let aheadMs = 0;
  const stored = new Stored({ ...systemClock, now: () => systemClock.now() + aheadMs });
  await filled(stored);
  const { store } = stored.instance();
  await store.redact(orders, alpha, [2, 3]);
  for (const { partition, row } of stored.account.rows(tableName)) {
    if (partition === ofAlpha) await stored.delete(partition, row);
  }
  expect((await stored.fsck("offline")).findings).toEqual([]);
  expect(await texts(stored.instance().store, alpha)).toEqual(["a1", "-", "-", "a4", "a5", "a6"]);
  await stored.instance().store.trimSegment(orders, alpha, 2);
  aheadMs += 5_000;
  await stored.instance({ compactAfterMs: 0, compactRowsMin: 2 }).factory.recover({ deadlineMs: 10_000 });
  expect(stored.account.rows(tableName).some(isMerged)).toBe(true);
  expect(await texts(stored.instance().store, alpha)).toEqual(["-", "-", "a4", "a5", "a6"]);
  expect((await stored.fsck()).findings).toEqual([]);
  for (const text of ["a2", "a3"]) expect(has(stored, text)).toBe(false);
  await stored.close();
});

test("an applier that is late brings nothing back", async () => {
  const stored = await filled();
  const held = Promise.withResolvers<undefined>();
  const reached = Promise.withResolvers<undefined>();
  const account = watched(stored.account.connect("late"), ofAlpha, async () => {
    reached.resolve(undefined);
    await held.promise;
  });
  const late = stored.instance({}, account).store;
  await all(late.produce(orders, alpha, [record("secret")], { ack: "committed" }));
  await reached.promise;
  const { store } = stored.instance();
  await store.redact(orders, alpha, [7]);
  expect(has(stored, "secret")).toBe(false);
  held.resolve(undefined);
  await all(late.produce(orders, alpha, [record("next")]));
  expect(await texts(store, alpha)).toEqual(["a1", "a2", "a3", "a4", "a5", "a6", "-", "next"]);
  expect(has(stored, "secret")).toBe(false);
  await stored.close();
});

test("a repair that has read the log before the redaction brings nothing back", async () => {
  const stored = await filled();
  await spoil(stored);
  expect((await stored.fsck()).findings.map(({ kind }) => kind)).toEqual(
    Array.from({ length: 4 }, () => "block_differs"),
  );
  // The repair puts all of it into one block, and removes the others in further transactions.
  let writes = 0;
  const account = watched(stored.account, ofAlpha, async () => {
    writes += 1;
    if (writes === 1) await stored.instance().store.redact(orders, alpha, [4]);
    expect(has(stored, "a4")).toBe(false);
  });
  await stored.fsck("live", { batchOperations: 4 }, account);
  expect(writes).toBeGreaterThan(1);
  expect((await stored.fsck()).findings).toEqual([]);
  expect(await texts(stored.instance().store, alpha)).toEqual(["a1", "a2", "a3", "-", "a5", "a6"]);
  expect(has(stored, "a4")).toBe(false);
  await stored.close();
});

test("entries that a repair has put into two blocks are not said to be redacted before it has ended", async () => {
  const stored = await filled();
  await spoil(stored);
  let writes = 0;
  const account = watched(stored.account, ofAlpha, async () => {
    writes += 1;
    if (writes !== 2) return;
    const redacting = stored.instance().store.redact(orders, alpha, [4]);
    await expect(redacting).rejects.toMatchObject({ code: "corrupt_data", effect: "unknown" });
  });
  await stored.fsck("live", { batchOperations: 4 }, account);
  await stored.fsck("live");
  await stored.instance().store.redact(orders, alpha, [4]);
  expect(has(stored, "a4")).toBe(false);
  expect((await stored.fsck()).findings).toEqual([]);
  await stored.close();
});

/** Every block of alpha has other entries than the log. */
async function spoil(stored: Stored): Promise<void> {
  for (const { partition, row, properties } of stored.account.rows(tableName)) {
    const { d00 } = properties;
    if (partition !== ofAlpha || !(d00 instanceof Uint8Array)) continue;
    for (const text of ["a1", "a3", "a4", "a6"]) {
      const at = Buffer.from(d00).indexOf(content(text));
      if (at === -1) continue;
      const spoilt = Buffer.from(d00);
      spoilt.write("zz", at);
      await stored.change(partition, row, { d00: spoilt });
    }
  }
}

test.each(["the same call", "a repair"])(
  "a redaction that dies before any of its requests, or after it, is ended by %s",
  async (who) => {
    const state = { isDone: false };
    for (let request = 0; !state.isDone; request += 1) {
      const stored = await filled();
      const { client, store } = stored.instance();
      // It knows the store before.
      await texts(store, alpha);
      let seen = 0;
      stored.account.follow((asked) => {
        if (asked.client !== "instance 1" || seen++ !== request) return undefined;
        client.crash();
        return undefined;
      });
      const died = store.redact(orders, alpha, [1, 6]).then(() => (state.isDone = true));
      await Promise.race([died.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 60))]);
      stored.account.follow(undefined);
      if (who === "the same call") await stored.instance().store.redact(orders, alpha, [1, 6]);
      else expect((await stored.fsck("live")).findings).toEqual([]);
      const left = await texts(stored.instance().store, alpha);
      const wanted = who === "the same call" ? ["-", "a2", "a3", "a4", "a5", "-"] : left;
      expect(left, `request ${request}`).toEqual(wanted);
      expect(has(stored, "a1")).toBe(left.includes("a1"));
      expect(has(stored, "a6")).toBe(left.includes("a6"));
      expect((await stored.fsck()).findings).toEqual([]);
      expect(request).toBeLessThan(60);
    }
  },
  60_000,
);
