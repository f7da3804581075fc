import { expect, test } from "vitest";

import type { AppendRecord, Entry } from "../../../../src/core/entry.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../../../src/core/ids.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { plainCompressor } from "../../../../src/codec/block.ts";
import type { AzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import type { AzureStoreSettings } from "../../../../src/store/azure/instance/options.ts";
import { countingAccount } from "../../../doubles/counting.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../../../system.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("orders");
const segment = parseSegmentName("order-1");

function instances(count: number, options: AzureStoreSettings = {}) {
  const account = new SimulatedAccount({ clock: systemClock });
  return Array.from({ length: count }, () => {
    const counting = countingAccount(account);
    const factory: AzureStoreFactory = createAzureStoreFactory({
      account: counting,
      notifier: undefined,
      compressor: plainCompressor,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      options,
    });
    return { factory, store: factory.open(storeId), counting };
  });
}

function record(text: string, sequence?: number): AppendRecord {
  return { payload: Buffer.from(text), metadata: noMetadata, ...(sequence === undefined ? {} : { sequence }) };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const texts = (entries: readonly Entry[]): string[] => entries.map(({ payload }) => Buffer.from(payload).toString());

test("records at the tail are read back by sequence, by space, as last entry and as status", async () => {
  const [one] = instances(1);
  const { store } = one!;
  const [first] = await all(store.produce(space, segment, [record("a"), record("b")]));
  const [second] = await all(store.produce(space, segment, [record("c")]));
  expect(first?.transaction).toMatchObject({ number: 1, firstSequence: 1, lastSequence: 2, duplicate: false });
  expect(second?.status).toMatchObject({ firstSequence: 1, lastSequence: 3 });
  expect(texts(await all(store.consumeSegment(space, segment)))).toEqual(["a", "b", "c"]);
  expect(texts(await all(store.consumeSpace(space)))).toEqual(["a", "b", "c"]);
  expect((await store.peek(space, segment))?.sequence).toBe(3);
  expect(await store.getSegmentStatus?.(space, segment)).toEqual(second?.status);
  expect(await all(store.getSpaces())).toEqual([space]);
  expect(await all(store.getSegments(space))).toEqual([segment]);
});

test("a warm produce is two requests, one to commit and one to apply", async () => {
  const [one] = instances(1, { settleDelayMs: 60_000 });
  const { store, counting } = one!;
  await all(store.produce(space, segment, [record("a")]));
  const before = counting.counts.requests;
  await all(store.produce(space, segment, [record("b")]));
  expect(counting.counts.requests - before).toBe(2);
});

test("one of several racing producers of the same sequences wins, and the others are told which", async () => {
  const parties = instances(4);
  const results = await Promise.allSettled(
    parties.map(({ store }, index) => all(store.produce(space, segment, [record(`from ${index}`, 1), record("x", 2)]))),
  );
  const won = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  expect(won).toHaveLength(1);
  for (const result of results) {
    if (result.status === "rejected") {
      expect(result.reason).toMatchObject({
        code: "sequence_mismatch",
        effect: "none",
        details: { expected: 3, received: 1, lastSequence: 2, winner: won[0]?.transaction?.id },
      });
    }
  }
});

test("a repeated transaction id gets the first answer, on the same instance and on another", async () => {
  const [one, two] = instances(2);
  const transactionId = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
  const [first] = await all(one!.store.produce(space, segment, [record("a")], { transactionId }));
  await all(one!.store.produce(space, segment, [record("b")]));
  for (const { store } of [one!, two!]) {
    const [again] = await all(store.produce(space, segment, [record("a")], { transactionId }));
    expect(again).toEqual({ status: first?.status, transaction: { ...first?.transaction, duplicate: true } });
  }
  await expect(all(two!.store.produce(space, segment, [record("z")], { transactionId }))).rejects.toMatchObject({
    code: "transaction_id_mismatch",
  });
});

test("a gap is refused with what was expected", async () => {
  const [one] = instances(1);
  await all(one!.store.produce(space, segment, [record("a", 1)]));
  await expect(all(one!.store.produce(space, segment, [record("b", 3)]))).rejects.toMatchObject({
    details: { expected: 2, received: 3, lastSequence: 1 },
  });
});

test("hundreds of concurrent produces of several instances all land, in one order", async () => {
  const parties = instances(3);
  const produced = parties.flatMap(({ store }, party) =>
    Array.from({ length: 100 }, (_, index) =>
      all(store.produce(space, parseSegmentName(`s${index % 7}`), [record(`${party}-${index}`)])),
    ),
  );
  await Promise.all(produced);
  const entries = await all(parties[0]!.store.consumeSpace(space));
  expect(new Set(texts(entries)).size).toBe(300);
  expect(entries).toHaveLength(300);
  for (let index = 0; index < 7; index += 1) {
    const inSegment = await all(parties[1]!.store.consumeSegment(space, parseSegmentName(`s${index}`)));
    expect(inSegment.map(({ sequence }) => sequence)).toEqual(inSegment.map((_, at) => at + 1));
    expect(inSegment).toEqual(entries.filter((entry) => entry.segment === `s${index}`));
  }
});
