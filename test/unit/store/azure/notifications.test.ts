// Notifications of what was applied: told at least once, whatever becomes of the queue or the instance; never at the
// cost of a produce.

import { setTimeout as delay } from "node:timers/promises";

import { expect, test } from "vitest";

import type { AppendRecord, SegmentStatus } from "../../../../src/core/entry.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../src/core/ids.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { parseMessage } from "../../../../src/notify/message.ts";
import { SimulatedQueues } from "../../../doubles/simulated-queue.ts";
import { createQueueStatusNotifier } from "../../../../src/notify/status-notifier.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { logPartition } from "../../../../src/store/azure/rows/keys.ts";
import type { ProducedChunk, Store } from "../../../../src/store/store.ts";
import { faults } from "../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../../../system.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("orders");
const queueName = "streamkit-status";

function world() {
  const account = new SimulatedAccount({ clock: systemClock });
  const queues = new SimulatedQueues({ clock: systemClock });
  const instance = (name: string, notifies = true) => {
    const tables = account.connect(name);
    const sender = queues.connect(name);
    const factory = createAzureStoreFactory({
      account: tables,
      notifier: notifies ? createQueueStatusNotifier(sender.queue(queueName)) : undefined,
      compressor: plainCompressor,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      options: { walGraceMs: 0, settleDelayMs: 5 },
    });
    return {
      store: factory.open(storeId),
      recover: async () => {
        // The service tells whole seconds: before, a record of this one may be too young.
        await delay(1_050);
        return factory.recover({ deadlineMs: 10_000 });
      },
      crash: () => {
        tables.crash();
        sender.crash();
      },
    };
  };
  /** All that was told, message by message. */
  const told = (): SegmentStatus[][] => queues.messages(queueName).map((text) => [...parseMessage(text).statuses]);
  return { account, queues, instance, told };
}

const record = (text: string): AppendRecord => ({ payload: Buffer.from(text), metadata: noMetadata });

async function produce(store: Store, segment: string, text = "x"): Promise<SegmentStatus> {
  const chunks: ProducedChunk[] = [];
  for await (const chunk of store.produce(space, parseSegmentName(segment), [record(text)])) chunks.push(chunk);
  return chunks[0]!.status;
}

test("an applied record is told in one message, with the statuses of all its segments", async () => {
  const { instance, told } = world();
  const { store } = instance("one");
  const first = await produce(store, "a");
  await expect.poll(told).toEqual([[first]]);
  const segments = ["a", "b"].map((name) => ({ segment: parseSegmentName(name), records: [record("y")] }));
  const chunks = await store.produceAll(space, segments);
  await expect.poll(told).toEqual([[first], chunks.map(({ status }) => status)]);
});

test("a queue that fails costs no produce anything; what it did not get, the monitor tells when it is back", async () => {
  const { instance, queues, told } = world();
  const one = instance("one");
  queues.follow(() => faults.failed({ kind: "unavailable" }, 1));
  const startedAt = performance.now();
  // More than the head of a log can list one by one.
  const statuses: SegmentStatus[] = [];
  for (let index = 0; index < 300; index += 1) statuses.push(await produce(one.store, `s${index % 7}`));
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(told()).toEqual([]);
  await expect(one.recover()).resolves.toMatchObject({ notified: 0 });
  queues.follow(undefined);
  const report = await one.recover();
  expect(report.notified).toBeGreaterThanOrEqual(300);
  expect(told().flat()).toEqual(expect.arrayContaining(statuses));
  // The head says so by now: the next run has nothing to do.
  expect((await one.recover()).notified).toBe(0);
});

test("a queue that is slow holds up neither produces nor what other instances tell", async () => {
  const { instance, queues, told } = world();
  const [one, two] = [instance("one"), instance("two")];
  queues.follow(({ client }) => (client === "one" ? faults.timedOut(400) : undefined));
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 40 }, (_, index) => produce(one.store, `slow-${index}`)));
  const status = await produce(two.store, "quick");
  await expect.poll(() => told().flat()).toContainEqual(status);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("another instance's monitor notifies of records whose instance died after it had applied them", async () => {
  const { instance, queues, told } = world();
  const [one, two] = [instance("one"), instance("two")];
  queues.follow(({ client }) => (client === "one" ? faults.dropped() : undefined));
  const status = await produce(one.store, "a");
  one.crash();
  expect(told()).toEqual([]);
  await two.recover();
  expect(told()).toEqual([[status]]);
});

test("another instance's monitor applies, and notifies of, records whose instance died after it had committed them", async () => {
  const { account, instance, told } = world();
  const [one, two] = [instance("one"), instance("two")];
  await produce(one.store, "a");
  // The instance dies with its next apply: the commit is there, the segment does not have it.
  let died = false;
  account.follow((request) => {
    if (request.client !== "one" || request.kind !== "submit" || request.partition === logPartition(space)) {
      return undefined;
    }
    died = true;
    one.crash();
    return faults.dropped();
  });
  void produce(one.store, "a").catch(() => undefined);
  await expect.poll(() => died).toBe(true);
  await two.recover();
  const sequences = told().flatMap((statuses) => statuses.map(({ lastSequence }) => lastSequence));
  expect(sequences).toContain(2);
  const read: number[] = [];
  for await (const entry of two.store.consumeSegment(space, parseSegmentName("a"), { from: 2 })) {
    read.push(entry.sequence);
  }
  expect(read).toEqual([2]);
});

test("a message whose answer was lost may be told again, and none is missing", async () => {
  const { instance, queues, told } = world();
  const one = instance("one");
  queues.follow(({ number }) => (number % 2 === 1 ? faults.answerLost(1, 2) : undefined));
  const statuses: SegmentStatus[] = [];
  for (let index = 0; index < 10; index += 1) statuses.push(await produce(one.store, `s${index}`));
  for (let run = 0; run < 3; run += 1) await one.recover();
  queues.follow(undefined);
  await one.recover();
  expect(told().flat()).toEqual(expect.arrayContaining(statuses));
});

test("an instance that tells nobody keeps nothing for it, and what it commits is told by no one later", async () => {
  const { instance, told } = world();
  const silent = instance("silent", false);
  await produce(silent.store, "a");
  const telling = instance("telling");
  const status = await produce(telling.store, "a");
  await telling.recover();
  await expect.poll(() => told().flat()).toEqual([status]);
});
