// What a caller is told became of its produce is true of everything this instance has sent under its id, whoever asked
// for it.

import { expect, test } from "vitest";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import { parseTransactionId } from "../../src/core/ids.ts";
import { logPartition, segmentPartition } from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { faults } from "../doubles/fault.ts";
import type { SimulatedRequest } from "../doubles/simulated-table.ts";
import { Lab, space, stuck } from "./lab.ts";

const transactionId = parseTransactionId("aaaaaaaa-0000-4000-8000-000000000001");
const settings = { produceTimeoutMs: 1_000 };

const isCommit = (request: SimulatedRequest): boolean =>
  request.kind === "submit" && request.partition === logPartition(space) && request.writes.length === 2;

/** `ok`, or the effect of the error. */
async function effectOf(store: Store, signal?: AbortSignal): Promise<string> {
  const records = [{ payload: Buffer.from("once"), metadata: noMetadata }];
  try {
    const chunks = store.produce(space, stuck, records, { transactionId, ...(signal === undefined ? {} : { signal }) });
    for await (const { transaction } of chunks) if (transaction?.duplicate === true) return "duplicate";
    return "ok";
  } catch (error) {
    if (error instanceof StoreError) return error.effect;
    throw error;
  }
}

/** A store whose next commit is on its way for so long before it lands; nobody hears of it. */
async function withCommitOnItsWay(landsAfterMs: number): Promise<{ lab: Lab; store: Store }> {
  const lab = new Lab("effects");
  const { store } = lab.instance({ settings });
  await lab.produce(store, stuck, "before");
  await lab.pass(5_000);
  let isFirst = true;
  lab.fault = (request) => {
    if (!isCommit(request) || !isFirst) return undefined;
    isFirst = false;
    return faults.timedOut(10_000, landsAfterMs);
  };
  return { lab, store };
}

async function stored(lab: Lab, store: Store): Promise<number> {
  return lab.finish(store.peek(space, stuck).then((entry) => entry?.sequence ?? 0));
}

test("a repeat that expires while the first call's commit may still land is told unknown", async () => {
  const { lab, store } = await withCommitOnItsWay(3_000);
  const leaving = new AbortController();
  const first = effectOf(store, leaving.signal);
  await lab.pass(50);
  leaving.abort();
  await lab.pass(500);
  expect(await lab.finish(effectOf(store))).toBe("unknown");
  expect(await stored(lab, store)).toBe(1);
  expect(await lab.finish(first)).toBe("unknown");
  await lab.pass(30_000);
  expect(await lab.finish(effectOf(store))).toBe("duplicate");
  expect(await stored(lab, store)).toBe(2);
});

test("so is one whose caller leaves, and one that there is no room for", async () => {
  const lab = new Lab("no room");
  const { store } = lab.instance({ settings: { ...settings, queuedProducesMax: 4 } });
  await lab.produce(store, stuck, "before");
  await lab.pass(5_000);
  lab.fault = (request) => (isCommit(request) ? faults.timedOut(10_000, 3_000) : undefined);
  void effectOf(store);
  await lab.pass(50);
  const leaving = new AbortController();
  const second = effectOf(store, leaving.signal);
  expect(await lab.finish(effectOf(store))).toBe("unknown");
  leaving.abort();
  expect(await lab.finish(second)).toBe("unknown");
});

test("one whose first call is known to have landed, but cannot be looked up any more, is told unknown", async () => {
  const lab = new Lab("landed");
  const { store } = lab.instance({ settings });
  await lab.produce(store, stuck, "before");
  await lab.pass(5_000);
  expect(await lab.finish(effectOf(store))).toBe("ok");
  lab.fault = (request) =>
    request.kind !== "create" && [logPartition(space), segmentPartition(space, stuck)].includes(request.partition)
      ? faults.failed({ kind: "unavailable" }, 8)
      : undefined;
  expect(await lab.finish(effectOf(store))).toMatch(/^(duplicate|unknown)$/);
});

test("a produce is not refused for a mate that waits no more while the attempt with both may still land", async () => {
  const lab = new Lab("mates");
  const { store } = lab.instance({ settings });
  const produceAt = async (sequence: number): Promise<string> => {
    const records = [{ payload: Buffer.from(`at ${sequence}`), metadata: noMetadata, sequence }];
    try {
      for await (const { status } of store.produce(space, stuck, records)) return `at ${status.lastSequence}`;
    } catch (error) {
      if (error instanceof StoreError) return `${error.code} ${error.effect}`;
    }
    return "";
  };
  expect(await lab.finish(produceAt(1))).toBe("at 1");
  await lab.pass(5_000);
  let commits = 0;
  lab.fault = (request) => {
    if (!isCommit(request)) return undefined;
    commits += 1;
    // The two gather behind the first, and the answer to theirs is late.
    if (commits === 1) return faults.answered(400, 400);
    return commits === 2 ? faults.timedOut(600, 1_500) : undefined;
  };
  const first = produceAt(2);
  await lab.pass(20);
  const second = produceAt(3);
  await lab.pass(700);
  const third = produceAt(4);
  expect(await lab.finish(first)).toBe("at 2");
  expect(await lab.finish(second)).toBe("overloaded unknown");
  expect(await lab.finish(third)).toBe("at 4");
  expect(await stored(lab, store)).toBe(4);
});
