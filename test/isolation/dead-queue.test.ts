// A queue that takes no notifications: nothing but the notifications waits for it, and they come when it does.

import { describe, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { SpaceName } from "../../src/core/ids.ts";
import { parseSpaceName } from "../../src/core/ids.ts";
import type { StatusNotification, StatusNotifier } from "../../src/store/notifier.ts";
import type { Feeling, Instance } from "./lab.ts";
import { feeling, Lab, neighbours, space, stuck } from "./lab.ts";

const forMs = 20_000;
const settings = { walGraceMs: 1_000 };

/** Fails at once, or after a while; or works, and remembers. */
class Queue implements StatusNotifier {
  /** How long it lets wait before it fails; undefined: it works. */
  failsAfterMs: number | undefined;
  readonly told = new Map<string, number>();
  waiting = 0;
  tries = 0;
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async notify({ space: of, statuses }: StatusNotification): Promise<void> {
    this.tries += 1;
    this.waiting += 1;
    await sleep(this.#lab.clock, this.failsAfterMs ?? 8);
    this.waiting -= 1;
    if (this.failsAfterMs !== undefined) throw new StoreError("storage_unavailable", "The queue is dead.");
    for (const { segment, lastSequence } of statuses) {
      const key = `${of} ${segment}`;
      this.told.set(key, Math.max(lastSequence, this.told.get(key) ?? 0));
    }
  }
}

function begin(seed: string, failsAfterMs: number | undefined): { lab: Lab; queue: Queue; open: () => Instance } {
  const lab = new Lab(seed);
  const queue = new Queue(lab);
  queue.failsAfterMs = failsAfterMs;
  return { lab, queue, open: () => lab.instance({ settings, notifier: queue }) };
}

const deaths = [
  ["refuses", 8],
  ["hangs", 10_000],
] as const;

describe.each(deaths)("a queue that %s", (_, failsAfterMs) => {
  test.each(["warm", "cold"] as const)("costs neither rate nor latency on a %s instance", async (start) => {
    const feel = async (fails: number | undefined): Promise<{ felt: Feeling; queue: Queue; lab: Lab }> => {
      const { lab, queue, open } = begin(`dead queue ${start}`, undefined);
      const warm = open();
      await lab.finish(lab.neighbours(warm.store, 500));
      queue.failsAfterMs = fails;
      const { store } = start === "warm" ? warm : open();
      return { felt: feeling(await lab.finish(lab.neighbours(store, forMs))), queue, lab };
    };
    const usual = await feel(undefined);
    const now = await feel(failsAfterMs);
    expect(now.felt.failed).toEqual([]);
    expect(now.felt).toEqual(usual.felt);
    expect(now.queue.waiting).toBeLessThanOrEqual(16);
    expect((await now.lab.fsck()).findings).toEqual([]);
  });

  test("leaves records unnotified, never unapplied, and all are told of when it works again", async () => {
    const { lab, queue, open } = begin("queue comes back", failsAfterMs);
    const { factory, store } = open();
    await lab.finish(lab.neighbours(store, forMs));
    await lab.pass(15_000);
    const dead = await lab.finish(factory.recover({ deadlineMs: 60_000 }));
    expect(dead).toMatchObject({ complete: true, applied: 0, notified: 0 });
    expect(dead.failed).toBe(1);
    // What an operator is woken by.
    expect(dead.oldestMs).toBeGreaterThan(15_000);
    const before = await lab.fsck();
    expect(before.unapplied).toBe(0);
    expect(before.unnotified).toBeGreaterThan(neighbours.length);
    queue.failsAfterMs = undefined;
    for (let run = 0; (await lab.fsck()).unnotified > 0; run += 1) {
      expect(run).toBeLessThan(5);
      await lab.finish(factory.recover({ deadlineMs: 60_000 }));
      await lab.pass(2_000);
    }
    expect((await lab.finish(factory.recover({ deadlineMs: 60_000 }))).oldestMs).toBe(0);
    const perNeighbour = forMs / 20 / neighbours.length;
    expect([...queue.told].toSorted()).toEqual(neighbours.map((segment) => [`${space} ${segment}`, perNeighbour]));
  });

  test("does not keep the monitor from applying what many logs have left behind", async () => {
    const { lab, queue, open } = begin("queue and monitor", failsAfterMs);
    const spaces = Array.from({ length: 20 }, (_unused, index): SpaceName => parseSpaceName(`space ${index}`));
    for (const of of spaces) await dieAfterCommit(lab, open(), of);
    await lab.pass(5_000);
    const { factory, store } = open();
    const startedAt = lab.clock.elapsed();
    const report = await lab.finish(factory.recover({ deadlineMs: 240_000 }), 300_000);
    expect(report).toMatchObject({ logs: spaces.length, applied: spaces.length, complete: true });
    // The four logs that were visited first have waited for it once, at the most.
    expect(lab.clock.elapsed() - startedAt).toBeLessThan(failsAfterMs + 2_000);
    expect(queue.tries).toBeLessThanOrEqual(4);
    for (const of of spaces) expect((await lab.finish(store.peek(of, stuck)))?.sequence).toBe(1);
  });
});

test("when a queue comes back under a load that goes on, what waited is told, once, and the head lists one by one again", async () => {
  const { lab, queue, open } = begin("overflow", 8);
  const { factory, store } = open();
  // More than the head lists: 40 a second for 30 seconds.
  await lab.finish(lab.load(store, neighbours, { everyMs: 25, forMs: 30_000 }));
  queue.failsAfterMs = undefined;
  const [tries, { unnotified }] = [queue.tries, await lab.fsck()];
  expect(unnotified).toBeGreaterThan(256);
  const load = lab.load(store, neighbours, { everyMs: 25, forMs: 120_000 });
  for (let runs = 0; runs < 2; runs += 1) {
    await lab.pass(50_000);
    expect(await lab.finish(factory.recover({ deadlineMs: 60_000 }))).toMatchObject({ complete: true, failed: 0 });
  }
  await lab.finish(load, 200_000);
  await lab.pass(5_000);
  expect(await lab.fsck()).toMatchObject({ unnotified: 0, findings: [] });
  const records = 120_000 / 25 + unnotified;
  expect(queue.tries - tries).toBeLessThan(1.05 * records);
});

test("a queue that hangs does not fill the memory with what it is to be told", async () => {
  const { lab, queue, open } = begin("hanging queue", 10_000);
  const { store } = open();
  await lab.finish(lab.neighbours(store, forMs));
  const { records } = await lab.fsck();
  await lab.pass(600_000);
  // All that waited has been tried by now; what did not wait is the monitor's.
  expect(queue.waiting).toBe(0);
  expect(queue.tries).toBeLessThan(350);
  expect(records).toBeGreaterThan(2 * queue.tries);
});

/** The instance commits to the space and is gone, before it has applied anything. */
async function dieAfterCommit(lab: Lab, { client, store }: Instance, of: SpaceName): Promise<void> {
  const committed = Promise.withResolvers<undefined>();
  const stop = lab.account.observe((write) => {
    if (write.client !== client.name || write.changes.length < 2) return;
    client.crash();
    committed.resolve(undefined);
  });
  lab.produceTo(store, of, stuck).catch(() => undefined);
  await lab.finish(committed.promise);
  stop();
}
