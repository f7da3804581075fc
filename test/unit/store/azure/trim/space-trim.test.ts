// What becomes of an attempt whose place was trimmed before its writer has looked: nobody commits it again.

import { expect, test } from "vitest";

import { plainCompressor } from "../../../../../src/codec/block.ts";
import { StoreError } from "../../../../../src/core/errors.ts";
import type { Effect } from "../../../../../src/core/errors.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../../src/core/ids.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { LogReader } from "../../../../../src/store/azure/log/log-reader.ts";
import { storeTableName } from "../../../../../src/store/azure/rows/keys.ts";
import type { AzureStoreSettings } from "../../../../../src/store/azure/instance/options.ts";
import type { Store } from "../../../../../src/store/store.ts";
import { systemClock as clock, systemRandom as random } from "../../../../system.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import { answerUnknown } from "../../../../../src/store/azure/append/answers.ts";
import type { WaitingAppend } from "../../../../../src/store/azure/append/queue.ts";
import type { Attempt } from "../../../../../src/store/azure/append/log-state.ts";

const id = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("orders");
const segment = parseSegmentName("order-1");

function opened(options: AzureStoreSettings = {}): { readonly account: SimulatedAccount; readonly store: Store } {
  const account = new SimulatedAccount({ clock });
  const store = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
    options: { settleDelayMs: 0, ...options },
  }).open(id);
  return { account, store };
}

async function produce(store: Store, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const records = [{ payload: Buffer.from(`event ${index}`), metadata: new Map<string, string>() }];
    for await (const chunk of store.produce(space, segment, records)) expect(chunk.transaction).toBeDefined();
  }
}

async function timestamps(store: Store): Promise<number[]> {
  const found: number[] = [];
  for await (const { timestamp } of store.consumeSpace(space)) found.push(timestamp);
  return found;
}

/** Until nothing before the time is left. */
async function trimmed(store: Store, timestamp: number): Promise<void> {
  while ((await store.trimSpace(space, { timestamp })).state !== "done");
}

test("the first row at or above its place tells the fate of an attempt", async () => {
  const { account, store } = opened();
  await produce(store, 4);
  const times = await timestamps(store);
  const reader = new LogReader(account.table(storeTableName("streamkit", id)), space, plainCompressor);
  const ids: string[] = [];
  for (const time of times) ids.push((await reader.readRecordAt(time))!.summary.recordId);
  const fates = (): Promise<readonly string[]> =>
    Promise.all(times.map((time, index) => reader.fateOf(time, ids[index]!)));
  expect(await fates()).toEqual(["landed", "landed", "landed", "landed"]);
  expect(await reader.fateOf(times[1]!, random.uuid())).toBe("never");
  expect(await reader.fateOf(times[3]! + 1, random.uuid())).toBe("never");
  await trimmed(store, times[2]!);
  // The marker names the last that went; of what was before it nothing is known, nor of what never was.
  expect(await fates()).toEqual(["unknown", "landed", "landed", "landed"]);
  expect(await reader.fateOf(times[0]!, random.uuid())).toBe("unknown");
  expect(await reader.fateOf(times[2]!, random.uuid())).toBe("never");
});

test("a caller without an id gets an unknown outcome; one with an id is looked up by it", () => {
  const failed: { readonly request: unknown; readonly effect: Effect }[] = [];
  const queue = {
    resolve: () => undefined,
    fail: (request: unknown, error: unknown) => {
      if (error instanceof StoreError) failed.push({ request, effect: error.effect });
    },
  };
  const [keyed, keyless] = [{ keyed: true }, { keyed: false }] as unknown as [WaitingAppend, WaitingAppend];
  const attempt = { members: new Map([keyed, keyless].map((request) => [request, []])) } as unknown as Attempt;
  answerUnknown({ queue }, [attempt]);
  expect(failed).toEqual([{ request: keyless, effect: "unknown" }]);
});

test("a call removes no more than its bound, says how far it has come, and the next goes on", async () => {
  const { store } = opened({ batchOperations: 5, trimTransactionsMax: 2 });
  await produce(store, 9);
  const begins: number[] = [];
  for (let last = 0; last < 9; last = begins.at(-1)!) {
    begins.push((await store.trimSegment(space, segment, 9)).firstSequence);
    expect(begins.at(-1)).toBeGreaterThan(last);
  }
  expect(begins.length).toBeGreaterThan(2);
  const times = await timestamps(store);
  const states: string[] = [];
  let state: string;
  do {
    ({ state } = await store.trimSpace(space, { timestamp: times.at(-1)! }));
    if (state !== "pending") states.push(state);
  } while (state !== "done");
  expect(states).toEqual(["more", "done"]);
  expect(await timestamps(store)).toEqual(times.slice(-1));
});

test("a deployment that keeps to the first format refuses trims, and says what to set", async () => {
  const { store } = opened({ formatVersion: 1 });
  await produce(store, 2);
  for (const refused of [store.trimSegment(space, segment, 2), store.trimSpace(space, { timestamp: 9 })]) {
    await expect(refused).rejects.toMatchObject({ code: "format_not_enabled", effect: "none" });
    await expect(refused).rejects.toThrow("STREAMKIT_FORMAT");
  }
  expect((await timestamps(store)).length).toBe(2);
});
