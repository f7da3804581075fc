// Schedules that seeds meet seldom, each played on purpose.

import { expect, test } from "vitest";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { SegmentName } from "../../src/core/ids.ts";
import { parseSegmentName } from "../../src/core/ids.ts";
import { logPartition, segmentHeadRow, segmentPartition } from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { faults } from "../doubles/fault.ts";
import type { SimulatedRequest } from "../doubles/simulated-table.ts";
import { Lab, space, stuck } from "../isolation/lab.ts";
import { crowd } from "./crowd.ts";
import { streams } from "./streams.ts";
import { laterView } from "./later-view.ts";

const other = parseSegmentName("other");

const isCommit = (request: SimulatedRequest): boolean =>
  request.kind === "submit" && request.partition === logPartition(space) && request.writes.length === 2;

/** One record at this sequence, or at the tail. Gives the sequence that it got, or the error. */
async function produceAt(
  store: Store,
  segment: SegmentName,
  sequence: number | undefined,
  text = "x",
): Promise<number | StoreError> {
  const records = [
    { payload: Buffer.from(text), metadata: noMetadata, ...(sequence === undefined ? {} : { sequence }) },
  ];
  try {
    for await (const { status } of store.produce(space, segment, records)) return status.lastSequence;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  return 0;
}

async function texts(lab: Lab, store: Store, segment: SegmentName): Promise<string[]> {
  const found: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { payload } of store.consumeSegment(space, segment)) found.push(Buffer.from(payload).toString());
  };
  await lab.finish(read());
  return found;
}

test("a commit that was given up and lands at any moment of the attempts after it is found, and not made twice", async () => {
  const wrong: string[] = [];
  for (let landsAt = 90; landsAt <= 320; landsAt += 1) {
    const lab = new Lab("late");
    const { store } = lab.instance();
    await lab.produce(store, stuck, "first");
    await lab.pass(5_000);
    let commits = 0;
    lab.fault = (request) => {
      if (!isCommit(request)) return undefined;
      commits += 1;
      return commits === 1 ? faults.timedOut(100, landsAt) : undefined;
    };
    const { outcome } = await lab.produce(store, stuck, "second");
    await lab.pass(2_000);
    const stored = await texts(lab, store, stuck);
    if (outcome !== "ok" || stored.join() !== "first,second") wrong.push(`at ${landsAt}: ${outcome} ${stored.join()}`);
  }
  expect(wrong).toEqual([]);
});

test("a request that was right after one lost race is validated again after the next", async () => {
  const lab = new Lab("validated again");
  const [one, two] = [lab.instance(), lab.instance()];
  await lab.produce(one.store, stuck);
  await lab.produce(two.store, other);
  await lab.pass(10_000);
  let races = 0;
  lab.fault = (request) => {
    if (request.client !== one.client.name || !isCommit(request) || races === 2) return undefined;
    // The other one's commit comes first: to another segment, and then to this.
    races += 1;
    void produceAt(two.store, races === 1 ? other : stuck, undefined, "two");
    return faults.answered(60, 4);
  };
  const outcome = await lab.finish(produceAt(one.store, stuck, 2, "one"));
  expect(races).toBe(2);
  expect(outcome).toMatchObject({ code: "sequence_mismatch", details: { expected: 3, received: 2, lastSequence: 2 } });
  expect(await texts(lab, one.store, stuck)).toEqual(["x", "two"]);
});

test("nobody is refused on a group-mate before its commit has succeeded", async () => {
  const lab = new Lab("group-mates");
  const { store } = lab.instance();
  await lab.produce(store, stuck);
  lab.fault = (request) => (isCommit(request) ? faults.failed({ kind: "unavailable" }, 8) : undefined);
  const answered: unknown[] = [];
  const both = ["a", "b"].map(async (text) => {
    const outcome = await produceAt(store, stuck, 2, text);
    answered.push(outcome);
    return outcome;
  });
  await lab.pass(3_000);
  expect(answered).toEqual([]);
  lab.fault = () => undefined;
  const outcomes = await lab.finish(Promise.all(both));
  expect(outcomes.filter((outcome) => outcome === 2)).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome instanceof StoreError)).toHaveLength(1);
  expect(await texts(lab, store, stuck)).toHaveLength(2);
});

test("a head that was read before a commit and arrives after it is known by what came since", async () => {
  const lab = new Lab("prefetch");
  const [one, two] = [lab.instance(), lab.instance()];
  await lab.produce(two.store, stuck);
  await lab.produce(one.store, other);
  await lab.pass(10_000);
  const partition = segmentPartition(space, stuck);
  let isFirst = true;
  lab.fault = (request) => {
    const isHead =
      request.kind === "get" && request.partition === partition && request.row === segmentHeadRow(partition);
    if (!isHead || !isFirst || request.client !== one.client.name) return undefined;
    isFirst = false;
    return faults.answered(4, 300);
  };
  const late = produceAt(one.store, stuck, undefined, "late");
  await lab.pass(30);
  expect(await lab.finish(produceAt(two.store, stuck, undefined, "between"))).toBe(2);
  // It learns of that commit while its own read is still on its way.
  expect(await lab.finish(produceAt(one.store, other, undefined))).toBe(2);
  expect(isFirst).toBe(false);
  expect(await lab.finish(late)).toBe(3);
  expect(await texts(lab, one.store, stuck)).toEqual(["x", "between", "late"]);
  expect((await lab.fsck()).findings).toEqual([]);
});

test("a log that the monitor closes as soon as it rests is written all the same", async () => {
  const lab = new Lab("open and closed");
  const settings = { logIdleMs: 0, walGraceMs: 0, settleDelayMs: 5 };
  const [writer, monitor] = [lab.instance({ settings }), lab.instance({ settings })];
  const state = { isOver: false, closed: 0 };
  const closing = (async () => {
    while (!state.isOver) {
      const { closed } = await monitor.factory.recover({ deadlineMs: 1_000 });
      state.closed += closed;
    }
  })();
  for (let turn = 1; turn <= 50; turn += 1) {
    expect(await lab.finish(produceAt(writer.store, stuck, turn), 5_000)).toBe(turn);
    // The service's seconds are whole: only after one is a log seen to rest.
    await lab.pass((turn % 4) * 333 + (turn % 7));
  }
  state.isOver = true;
  await lab.finish(closing);
  expect(state.closed).toBeGreaterThan(5);
  await lab.pass(5_000);
  await lab.finish(monitor.factory.recover({ deadlineMs: 1_000 }));
  expect(await lab.fsck()).toMatchObject({ findings: [], entries: 50, unapplied: 0 });
});

test("more segments than the log lists, stuck together, are waited for by nobody", async () => {
  expect(await crowd(1)).toEqual({ wrong: undefined });
});

test("a stream's producers, zombies among them, append everything once and in order, and nothing behind the close", async () => {
  for (let seed = 1; seed <= 12; seed += 1) expect(await streams(seed), `seed ${seed}`).toEqual({ wrong: undefined });
}, 120_000);

test("an id that was looked up before another instance used it is looked up again", async () => {
  expect(await laterView(1)).toEqual({ wrong: undefined });
});
