// Leases on the simulated table: one by one with faults of their own, and many at once by chance.

import { describe, expect, test } from "vitest";
import { hexKey } from "../../../src/codec/lexkey.ts";
import { parseLeaseHolder, parseLeaseKey } from "../../../src/core/ids.ts";
import type { Clock, Random } from "../../../src/core/clock.ts";
import { decodeLease } from "../../../src/lease/lease-state.ts";
import type { Lease } from "../../../src/lease/lease-state.ts";
import { createLeases, leasesPartition } from "../../../src/lease/leases.ts";
import type { Leases } from "../../../src/lease/leases.ts";
import { faults } from "../../doubles/fault.ts";
import type { Fault } from "../../doubles/fault.ts";
import type { Properties } from "../../../src/table/port.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { FaultPlan } from "../../doubles/simulated-table.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const key = parseLeaseKey("reports/daily");
const other = parseLeaseKey("reports/weekly");
const [a, b] = [parseLeaseHolder("a"), parseLeaseHolder("b")];
const noJitter: Random = { uuid: () => "", fraction: () => 0 };

interface World {
  readonly clock: VirtualClock;
  readonly account: SimulatedAccount;
  /** An instance of the application. */
  readonly instance: () => Leases;
  /** Lets time pass until the work is done. */
  readonly done: <T>(work: Promise<T>) => Promise<T>;
}

function world(plan?: FaultPlan, random: Random = noJitter): World {
  const clock = new VirtualClock();
  const account = new SimulatedAccount({ clock, ...(plan === undefined ? {} : { plan }) });
  return {
    clock,
    account,
    instance: () => createLeases({ table: account.table("streamkit"), clock, random }),
    done: async (work) => {
      const state = { settled: false };
      const end = (): void => void (state.settled = true);
      work.then(end, end);
      for (let ms = 0; ms < 120_000; ms += 10) {
        await clock.pass(10);
        if (state.settled) return work;
      }
      throw new Error("The work does not end.");
    },
  };
}

/** Gives the n-th write this fault, the first having number 1. */
function writesMeet(fault: Readonly<Record<number, Fault>>): FaultPlan {
  let writes = 0;
  return (request) => {
    if (request.kind !== "submit") return undefined;
    writes += 1;
    return fault[writes];
  };
}

describe("a lease", () => {
  test("is granted once, renewed by its holder, refused to others with what is left of it", async () => {
    const { clock, instance, done } = world();
    const [one, two] = [instance(), instance()];
    const expiresAt = clock.now() + 1_000 + 10_000;
    expect(await done(one.acquire(key, a, 10_000))).toEqual({
      kind: "granted",
      lease: { holder: a, expiresAt, token: 1 },
    });
    expect(await done(two.acquire(key, b, 10_000))).toEqual({ kind: "held", holder: a, remainingMs: 11_000 });
    await clock.pass(4_000);
    const renewed = await done(two.acquire(key, a, 10_000));
    expect(renewed).toMatchObject({ kind: "granted", lease: { token: 1 } });
    expect(renewed.kind === "granted" && renewed.lease.expiresAt - expiresAt).toBe(4_000);
    expect(await done(two.release(key, b))).toMatchObject({ kind: "held", holder: a });
  });

  test("passes on when it is released, and its token grows", async () => {
    const { instance, done } = world();
    const [one, two] = [instance(), instance()];
    await done(one.acquire(key, a, 10_000));
    expect(await done(one.release(key, a))).toEqual({ kind: "released" });
    expect(await done(two.acquire(key, b, 10_000))).toMatchObject({ lease: { holder: b, token: 2 } });
    expect(await done(two.release(key, b))).toEqual({ kind: "released" });
    expect(await done(two.release(key, b))).toEqual({ kind: "released" });
    expect(await done(one.acquire(key, a, 10_000))).toMatchObject({ lease: { holder: a, token: 3 } });
  });

  test.each<[string, Properties, string]>([
    ["no holder", { holder: "" }, "corrupt_data"],
    ["a token that cannot be", { token: 0n }, "corrupt_data"],
    ["a later format", { v: 9n }, "storage_unavailable"],
  ])("whose row has %s is nobody's to change, and the others are as before", async (_, damage, code) => {
    const { account, instance, done } = world();
    const leases = instance();
    for (const one of [key, other]) await done(leases.acquire(one, a, 10_000));
    const table = account.table("streamkit");
    const { row } = await done(table.get(leasesPartition, hexKey(key)));
    const properties = { ...row?.properties, ...damage };
    await done(table.submit(leasesPartition, [{ kind: "upsert", row: hexKey(key), properties }]));
    await expect(done(leases.acquire(key, a, 10_000))).rejects.toMatchObject({ code });
    await expect(done(leases.release(key, a))).rejects.toMatchObject({ code });
    expect(await done(leases.acquire(other, a, 10_000))).toMatchObject({ kind: "granted", lease: { token: 1 } });
  });

  test("passes on when it has expired, whatever the machines' clocks say", async () => {
    const { clock, account, instance, done } = world();
    await done(instance().acquire(key, a, 2_000));
    const late: Clock = {
      now: () => 0,
      elapsed: () => clock.elapsed(),
      after: (ms, callback) => clock.after(ms, callback),
    };
    const elsewhere = createLeases({ table: account.table("streamkit"), clock: late, random: noJitter });
    await clock.pass(2_900);
    expect(await done(elsewhere.acquire(key, b, 2_000))).toMatchObject({ kind: "held", holder: a });
    await clock.pass(200);
    expect(await done(elsewhere.acquire(key, b, 2_000))).toMatchObject({ kind: "granted", lease: { token: 2 } });
  });

  test("of another's that has expired is nothing to release, and stays as it is", async () => {
    let writes = 0;
    const { clock, instance, done } = world((request) => void (writes += request.kind === "submit" ? 1 : 0));
    const [one, two] = [instance(), instance()];
    await done(one.acquire(key, a, 2_000));
    await clock.pass(3_100);
    const written = writes;
    expect(await done(two.release(key, b))).toEqual({ kind: "released" });
    expect(await done(one.release(key, a))).toEqual({ kind: "released" });
    expect(writes).toBe(written);
    // Its last token is still known: the next one is greater.
    expect(await done(two.acquire(key, b, 2_000))).toMatchObject({ kind: "granted", lease: { token: 2 } });
  });

  test("that nobody has is released without a request to write, and makes no table", async () => {
    const { account, instance, done } = world();
    expect(await done(instance().release(key, a))).toEqual({ kind: "released" });
    expect(account.tables()).toEqual([]);
  });

  test("whose holder never heard of its grant is granted with the same token when it asks again", async () => {
    const { clock, instance, done } = world(writesMeet({ 2: faults.answerLost(1, 2) }));
    const one = instance();
    await expect(done(one.acquire(key, a, 10_000))).rejects.toMatchObject({
      code: "storage_unavailable",
      effect: "unknown",
    });
    expect(await done(instance().acquire(key, b, 10_000))).toMatchObject({ kind: "held", holder: a });
    await clock.pass(1_000);
    expect(await done(one.acquire(key, a, 10_000))).toMatchObject({ kind: "granted", lease: { token: 1 } });
  });

  test("is not touched by a renewal that lands after it has passed on", async () => {
    // Writes: one to a missing table, the grant, the renewal that is late, the grant to the other.
    const { clock, instance, done } = world(writesMeet({ 3: faults.timedOut(1_000, 8_000) }));
    const [one, two] = [instance(), instance()];
    await done(one.acquire(key, a, 2_000));
    await expect(done(one.acquire(key, a, 60_000))).rejects.toMatchObject({ effect: "unknown" });
    await clock.pass(3_000);
    expect(await done(two.acquire(key, b, 60_000))).toMatchObject({ kind: "granted", lease: { token: 2 } });
    await clock.pass(10_000);
    expect(await done(one.acquire(key, a, 2_000))).toMatchObject({ kind: "held", holder: b });
  });

  test("that many want at once goes to one of them", async () => {
    const { instance, done } = world(() => faults.answered(5, 5));
    const holders = Array.from({ length: 8 }, (_, index) => parseLeaseHolder(`holder ${index}`));
    const outcomes = await done(Promise.all(holders.map((holder) => instance().acquire(key, holder, 10_000))));
    const granted = outcomes.flatMap((outcome) => (outcome.kind === "granted" ? [outcome.lease] : []));
    expect(granted).toHaveLength(1);
    expect(granted[0]?.token).toBe(1);
    for (const outcome of outcomes) {
      if (outcome.kind === "held") expect(outcome.holder).toBe(granted[0]?.holder);
    }
  });

  test("whose every write is overtaken by another is given up after a number of attempts, with nothing done", async () => {
    const { account, clock, instance, done } = world();
    const rival = instance();
    await done(rival.acquire(key, a, 10_000));
    let overtaken = 0;
    account.follow((request) => {
      if (request.client !== "slow" || request.kind !== "submit") return undefined;
      overtaken += 1;
      void rival.acquire(key, a, 10_000);
      return faults.answered(5, 0);
    });
    const slow = createLeases({ table: account.connect("slow").table("streamkit"), clock, random: noJitter });
    await expect(done(slow.acquire(key, a, 60_000))).rejects.toMatchObject({ code: "overloaded", effect: "none" });
    expect(overtaken).toBe(8);
  });
});

describe("by chance", () => {
  const seeds = Array.from({ length: 150 }, (_, index) => index + 1);
  test.each(seeds)("two never both hold, and tokens only grow: seed %i", async (seed) => {
    await race(seed);
  });
});

/**
 * Some holders on some instances, with requests that are slow, lost, late and repeated; every write and answer is
 * judged.
 */
async function race(seed: number): Promise<void> {
  const random = chance(seed);
  const pick = (most: number): number => Math.floor(random.fraction() * most);
  const drawn = (): Fault | undefined => {
    const kind = pick(12);
    if (kind === 0) return faults.answerLost(1 + pick(50), 60 + pick(50));
    if (kind === 1) return faults.timedOut(100, pick(2) === 0 ? 101 + pick(6_000) : undefined);
    if (kind === 2) return faults.throttled(5);
    if (kind === 3) return faults.repeated(1, 2 + pick(3_000), 1);
    return faults.answered(pick(40), pick(40));
  };
  const { clock, account, instance, done } = world(drawn, random);
  const told = new Map<
    string,
    { readonly holder: string; readonly from: number; until: number; readonly token: number }[]
  >();
  account.observe(({ table, changes, at }) => {
    if (table !== "streamkit") return;
    for (const { before, after } of changes) {
      const next = decodeLease(after!);
      const last = before === undefined ? undefined : decodeLease(before);
      judgeWrite(last, next, at, seed);
    }
  });
  const keys = [parseLeaseKey("k1"), parseLeaseKey("k2")];
  const contend = async (name: string): Promise<void> => {
    const leases = instance();
    const holder = parseLeaseHolder(name);
    for (let step = 0; step < 12; step += 1) {
      const wanted = keys[pick(keys.length)]!;
      const mine = told.get(wanted) ?? [];
      told.set(wanted, mine);
      try {
        if (pick(3) === 0) {
          // From now on it does not count on the lease, whatever becomes of the release.
          for (const one of mine) if (one.holder === name) one.until = Math.min(one.until, clock.now());
          await leases.release(wanted, holder);
        } else {
          const outcome = await leases.acquire(wanted, holder, 1_000 * (1 + pick(3)));
          if (outcome.kind === "granted") {
            const { expiresAt, token } = outcome.lease;
            mine.push({ holder: name, from: clock.now(), until: expiresAt, token });
          }
        }
      } catch (error) {
        expect(error, `seed ${seed}`).toMatchObject({ name: "StoreError" });
      }
      await new Promise<void>((resolve) => void clock.after(pick(1_500), resolve));
    }
  };
  await done(Promise.all(["a", "b", "c", "d"].map(contend)));
  for (const [, grants] of told) {
    for (const one of grants) {
      for (const other of grants) {
        if (one === other || one.until <= one.from || other.until <= other.from) continue;
        const overlap = one.from < other.until && other.from < one.until;
        if (overlap && one.holder !== other.holder) {
          expect.fail(`seed ${seed}: ${JSON.stringify(one)} and ${JSON.stringify(other)} hold at once`);
        }
        if (one.holder !== other.holder && one.from < other.from) {
          expect(other.token, `seed ${seed}`).toBeGreaterThan(one.token);
        }
      }
    }
  }
  expect([...told.values()].flat().length, `seed ${seed}: some are granted`).toBeGreaterThan(0);
}

function judgeWrite(last: Lease | undefined, next: Lease, at: number, seed: number): void {
  const lastToken = last?.token ?? 0;
  const claim = `seed ${seed}: ${JSON.stringify(last)} becomes ${JSON.stringify(next)} at ${at}`;
  expect(next.token === lastToken || next.token === lastToken + 1, claim).toBe(true);
  if (last === undefined) return;
  if (next.token === last.token) expect(next.holder, claim).toBe(last.holder);
  else expect(at, claim).toBeGreaterThanOrEqual(last.expiresAt);
}

/** Mulberry32. */
function chance(seed: number): Random {
  let state = seed * 0x9e3779b9;
  return {
    uuid: () => "",
    fraction: () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
