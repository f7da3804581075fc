// An instance keeps nothing of a call that is over.

import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import { noMetadata } from "../../../../src/core/entry.ts";
import type { TransactionId } from "../../../../src/core/ids.ts";
import { parseSegmentName, parseTransactionId } from "../../../../src/core/ids.ts";
import { SegmentQueue } from "../../../../src/store/azure/apply/segment-queue.ts";
import type { ProduceOptions, Store } from "../../../../src/store/store.ts";
import { Lab, space, stuck } from "../../../isolation/lab.ts";
import { Chance } from "../../../simulation/chance.ts";
import { MachineClock } from "../../../simulation/timeline.ts";

const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];

async function produce(store: Store, segment = stuck, options: ProduceOptions = {}): Promise<boolean> {
  for await (const { transaction } of store.produce(space, segment, records, options)) {
    return transaction?.duplicate === true;
  }
  return false;
}

/** The types know no other answer than the objects' summaries. */
const queues = (): number =>
  (queryObjects as unknown as (of: unknown, how: object) => number)(SegmentQueue, { format: "count" });

test("a produce, and its repeat, leave nothing to be applied", async () => {
  const lab = new Lab("lanes");
  const chance = new Chance("ids");
  const { store } = lab.instance();
  const ids = Array.from({ length: 50 }, (): TransactionId => parseTransactionId(chance.uuid()));
  for (const isRepeat of [false, true]) {
    for (const [index, transactionId] of ids.entries()) {
      const segment = parseSegmentName(`order-${index}`);
      expect(await lab.finish(produce(store, segment, { transactionId }))).toBe(isRepeat);
    }
    await lab.pass(60_000);
    expect(queues()).toBe(0);
  }
});

test("closed, it waits for nothing more", async () => {
  const lab = new Lab("close");
  let timers = 0;
  const inner = new MachineClock(lab.timeline);
  const clock = {
    now: () => inner.now(),
    elapsed: () => inner.elapsed(),
    after: (ms: number, callback: () => void): (() => void) => {
      let isOn = true;
      const off = (): void => {
        if (isOn) timers -= 1;
        isOn = false;
      };
      timers += 1;
      const cancel = inner.after(ms, () => {
        off();
        callback();
      });
      return () => {
        off();
        cancel();
      };
    },
  };
  const { factory, store } = lab.instance({ clock });
  await lab.finish(produce(store));
  await lab.pass(5_000);
  expect(timers).toBe(0);
  // Its apply goes on when it is acknowledged, and ends after the close.
  await lab.finish(produce(store, stuck, { ack: "committed" }));
  await lab.finish(factory.close());
  await lab.pass(100);
  expect(timers).toBe(0);
});
