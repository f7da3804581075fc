// Consumers over HTTP: workers share a space, acknowledge, fail, come back; operators look, park, reset.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import type { Clock } from "../../../src/core/clock.ts";
import { clock, json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

interface Entry {
  readonly segment: string;
  readonly payload: unknown;
  readonly offset: string;
  readonly key: string;
  readonly sequence: number;
}
interface Delivery {
  readonly partition: number;
  readonly claim: string;
  readonly entries: readonly Entry[];
  readonly failures?: number;
  readonly replay?: true;
  readonly trimmed?: unknown;
}
interface Fetched {
  readonly deliveries: readonly Delivery[];
  readonly lost: readonly number[];
  readonly over: readonly number[];
}
interface State {
  readonly state: readonly Record<string, unknown>[];
}

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function given(rules: Record<string, unknown> = {}) {
  let ahead = 0;
  const late: Clock = { ...clock, now: () => Date.now() + ahead, elapsed: () => performance.now() + ahead };
  const service = await openService({ clock: late });
  open.push(service);
  const store = randomUUID();
  const at = `/v1/stores/${store}/consumers/work`;
  const produce = (segment: string, ...payloads: unknown[]) =>
    service.call(
      "POST",
      segmentPath(store, "orders", segment, "/records?encoding=json"),
      json({ records: payloads.map((payload) => ({ payload })) }),
    );
  const call = async <T>(method: string, path: string, body?: unknown, headers = {}): Promise<T> => {
    const reply = await service.call(method, `${at}${path}`, body === undefined ? {} : json(body, headers));
    return { status: reply.status, ...(reply.text === "" ? {} : (reply.json as object)) } as T;
  };
  const put = await service.call(
    "PUT",
    at,
    json({ spaces: ["orders"], from: "start", partitions: 1, backoffSeconds: [0], ...rules }),
  );
  expect(put.status, put.text).toBe(201);
  const fetch = (worker: string, more: Record<string, unknown> = {}, headers = {}) =>
    call<Fetched>("POST", "/fetch", { worker, encoding: "json", ...more }, headers);
  return {
    ...{ service, store, at, produce, call, fetch },
    state: () => call<State>("GET", ""),
    pass: (seconds: number) => void (ahead += 1_000 * seconds),
  };
}

const payloads = ({ deliveries }: Fetched) =>
  deliveries.flatMap(({ entries }) => entries.map(({ payload }) => payload));
const claims = ({ deliveries }: Fetched) => deliveries.map(({ claim }) => ({ claim }));
/** The claims, with all that was delivered acknowledged. */
const done = ({ deliveries }: Fetched) =>
  deliveries.map(({ claim, entries }) => ({ claim, offset: entries.at(-1)?.offset }));

describe("a worker", () => {
  test("gets what there is in order, and what comes after its acknowledgement rode on a fetch", async () => {
    const { produce, fetch } = await given();
    await produce("a", 1, 2, 3);
    await produce("b", 4);
    const first = await fetch("w", { max: 3 });
    expect(payloads(first)).toEqual([1, 2, 3]);
    const second = await fetch("w", { ack: done(first) });
    expect(payloads(second)).toEqual([4]);
    const third = await fetch("w", { ack: done(second) });
    expect(payloads(third)).toEqual([]);
    expect(third.lost).toEqual([]);
    await produce("a", 5);
    expect(payloads(await fetch("w", { ack: done(third) }))).toEqual([5]);
  });

  test("gets nothing new while entries are outstanding, and the same again when the answer was lost", async () => {
    const { produce, fetch } = await given();
    await produce("a", 1, 2, 3);
    const first = await fetch("w", { max: 2 });
    const second = await fetch("w", { ack: claims(first) });
    expect(payloads(second)).toEqual([]);
    const third = await fetch("w", { ack: done({ ...first, deliveries: first.deliveries }) });
    expect(payloads(third)).toEqual([3]);
    // The same request again, as if its answer had been lost.
    expect(payloads(await fetch("w", { ack: done(first) }))).toEqual([3]);
  });

  test("acknowledges a part of a delivery, and the rest comes to the next holder", async () => {
    const { produce, fetch, call, pass } = await given();
    await produce("a", 1, 2, 3);
    const first = await fetch("w");
    const [delivery] = first.deliveries;
    const ack = { claim: delivery!.claim, offset: delivery!.entries[0]!.offset };
    expect(await call("POST", "/ack", ack)).toMatchObject({ outcome: "done", partition: 0 });
    expect(await call("POST", "/ack", ack)).toMatchObject({ outcome: "done" });
    pass(40);
    const next = await fetch("v", { max: 10 });
    expect(payloads(next)).toEqual([2]);
    expect(next.deliveries[0]!.failures).toBe(1);
    // The former holder's calls are refused, for good.
    const late = await call<{ status: number; retryable: boolean }>("POST", "/ack", {
      claim: delivery!.claim,
      offset: delivery!.entries[2]!.offset,
    });
    expect(late).toMatchObject({ status: 409, code: "lease_held", retryable: false });
  });

  test("that comes back without its claim ends the former one; its own repeat does not", async () => {
    const { produce, fetch, state } = await given();
    await produce("a", 1);
    const headers = { "idempotency-key": randomUUID() };
    const first = await fetch("w", {}, headers);
    expect(payloads(await fetch("w", {}, headers))).toEqual([1]);
    expect((await state()).state[0]).not.toHaveProperty("failing");
    const reborn = await fetch("w");
    expect(payloads(reborn)).toEqual([1]);
    expect(reborn.deliveries[0]!.failures).toBe(1);
    expect((await fetch("w", { ack: done(first) })).lost).toEqual([0]);
  });

  test("releases a partition at once, and what is outstanding has not failed", async () => {
    const { produce, fetch, call } = await given();
    await produce("a", 1, 2);
    const [delivery] = (await fetch("w")).deliveries;
    const released = await call("POST", "/ack", {
      claim: delivery!.claim,
      offset: delivery!.entries[0]!.offset,
      release: true,
    });
    expect(released).toEqual({ status: 200, outcome: "done", partition: 0 });
    const next = await fetch("v");
    expect(payloads(next)).toEqual([2]);
    expect(next.deliveries[0]).not.toHaveProperty("failures");
  });

  test("waits for what comes", async () => {
    const { produce, fetch } = await given();
    const waiting = fetch("w", { wait: 20 });
    setTimeout(() => void produce("a", 1), 50);
    expect(payloads(await waiting)).toEqual([1]);
  });

  test("gets a key with each entry that stays the same, until a reset", async () => {
    const { produce, fetch, call, pass } = await given();
    await produce("a", 1);
    const [first] = (await fetch("w")).deliveries;
    pass(40);
    const [second] = (await fetch("v")).deliveries;
    expect(second!.entries[0]!.key).toBe(first!.entries[0]!.key);
    expect(await call("POST", "/reset", { from: "start" })).toMatchObject({ status: 200, generation: 2 });
    const [third] = (await fetch("v")).deliveries;
    expect(third!.entries[0]!.payload).toBe(1);
    expect(third!.entries[0]!.key).not.toBe(first!.entries[0]!.key);
  });
});

describe("several workers", () => {
  test("come to share the partitions, and nobody's work is taken away", async () => {
    const { produce, fetch } = await given({ partitions: 8 });
    for (let index = 0; index < 40; index += 1) await produce(`s${index}`, index);
    let one = await fetch("one");
    expect(one.deliveries).toHaveLength(8);
    let two = await fetch("two");
    expect(two.deliveries).toHaveLength(0);
    for (let round = 0; round < 20; round += 1) {
      one = await fetch("one", { ack: done(one) });
      two = await fetch("two", { ack: done(two) });
    }
    // Claims say so themselves every half lease: a worker without any looks each time.
    expect(one.deliveries.length + two.deliveries.length).toBe(8);
    expect(two.deliveries.length).toBeGreaterThan(0);
  });
});

describe("what fails", () => {
  test("comes again, and is parked with its segment after so many times; the rest goes on", async () => {
    const { produce, fetch, call, state } = await given({ maxDeliveries: 2 });
    await produce("a", "bad", "behind");
    await produce("b", "good");
    const fail = async ({ deliveries: [delivery] }: Fetched, action = "retry") =>
      call<{ claim: string }>("POST", "/nack", {
        ...{ claim: delivery!.claim, offset: delivery!.entries[0]!.offset, action, reason: "no" },
      });
    let { claim } = await fail(await fetch("w"));
    const again = await fetch("w", { ack: [{ claim }] });
    expect(again.deliveries[0]).toMatchObject({
      failures: 1,
      entries: [{ payload: "bad" }, { payload: "behind" }, {}],
    });
    const parked = await fail(again);
    expect(parked).toMatchObject({ outcome: "done", parked: true });
    const rest = await fetch("w", { ack: [{ claim: parked.claim }] });
    expect(payloads(rest)).toEqual(["good"]);
    expect((await state()).state[0]).toMatchObject({ parked: 1 });
    const list = await call<{ parked: { id: string }[] }>("GET", "/parked");
    expect(list.parked).toMatchObject([{ space: "orders", segment: "a", sequence: 1, reason: "no", failures: 2 }]);
    await produce("a", "later");
    const idle = await fetch("w", { ack: done(rest) });
    expect(payloads(idle)).toEqual([]);
    expect(await call("POST", "/parked", { action: "replay", all: true })).toMatchObject({ changed: 1, more: false });
    ({ claim } = await call<{ claim: string }>("POST", "/ack", claims(idle)[0]));
    const replay = await fetch("w", { ack: [{ claim }] });
    expect(replay.deliveries[0]).toMatchObject({ replay: true });
    // Entries that came to the segment meanwhile were passed, and waited behind them.
    expect(payloads(replay)).toEqual(["bad", "behind", "later"]);
    const after = await fetch("w", { ack: done(replay) });
    expect(payloads(after)).toEqual([]);
    expect((await call<{ parked: unknown[] }>("GET", "/parked")).parked).toEqual([]);
  });

  test("is dropped with what was there, and the segment goes on", async () => {
    const { produce, fetch, call, pass } = await given();
    await produce("a", "bad", "behind");
    const [delivery] = (await fetch("w")).deliveries;
    const { claim } = await call<{ claim: string }>("POST", "/nack", {
      ...{ claim: delivery!.claim, offset: delivery!.entries[0]!.offset, action: "park" },
    });
    // The position passes what stands behind it.
    const idle = await fetch("w", { ack: [{ claim }] });
    expect(payloads(idle)).toEqual([]);
    const kept = await call<{ claim: string }>("POST", "/ack", claims(idle)[0]);
    const dropped = await call("POST", "/parked", { action: "drop", space: "orders", segment: "a" });
    expect(dropped).toMatchObject({ changed: 1 });
    await produce("a", "new");
    // A worker that has nothing to write meets the wish when it renews.
    pass(15);
    const next = await fetch("w", { ack: [{ claim: kept.claim }] });
    expect(payloads(next).at(-1)).toBe("new");
    expect(payloads(next)).not.toContain("bad");
  });

  test.each([1, 9])("is dropped up to an id of entry %i, and nothing later is passed over", async (upTo) => {
    const { produce, fetch, call, pass } = await given();
    await produce("a", "bad");
    const [delivery] = (await fetch("w")).deliveries;
    const { claim } = await call<{ claim: string }>("POST", "/nack", {
      ...{ claim: delivery!.claim, offset: delivery!.entries[0]!.offset, action: "park" },
    });
    const idle = await fetch("w", { ack: [{ claim }] });
    const kept = await call<{ claim: string }>("POST", "/ack", claims(idle)[0]);
    const [{ id }] = (await call<{ parked: [{ id: string }] }>("GET", "/parked")).parked;
    const ids = [id.replace(/\d+$/, String(upTo))];
    expect(await call("POST", "/parked", { action: "drop", ids })).toMatchObject({ changed: 1 });
    await produce("a", "new");
    pass(15);
    expect(payloads(await fetch("w", { ack: [{ claim: kept.claim }] }))).toEqual(["new"]);
    expect((await call<{ parked: unknown[] }>("GET", "/parked")).parked).toEqual([]);
  });

  test("alone is set aside where the consumer says so, and skipped where the worker does", async () => {
    const { produce, fetch, call } = await given({ onPoison: "park" });
    await produce("a", 1, 2, 3);
    const [first] = (await fetch("w")).deliveries;
    const parked = await call<{ claim: string }>("POST", "/nack", {
      ...{ claim: first!.claim, offset: first!.entries[0]!.offset, action: "park" },
    });
    const [second] = (await fetch("w", { ack: [{ claim: parked.claim }] })).deliveries;
    expect(second!.entries.map(({ payload }) => payload)).toEqual([2, 3]);
    const skipped = await call<{ claim: string }>("POST", "/nack", {
      ...{ claim: second!.claim, offset: second!.entries[0]!.offset, action: "skip" },
    });
    expect(payloads(await fetch("w", { ack: [{ claim: skipped.claim }] }))).toEqual([3]);
    expect(await call("GET", "/parked")).toMatchObject({ parked: [{ sequence: 1, alone: true }] });
  });

  test("after a worker that went away entries come one at a time", async () => {
    const { produce, fetch, pass } = await given();
    await produce("a", 1, 2, 3);
    await fetch("w");
    pass(40);
    let fetched = await fetch("v");
    const seen = [payloads(fetched)];
    for (let round = 0; round < 3; round += 1) {
      fetched = await fetch("v", { ack: done(fetched) });
      seen.push(payloads(fetched));
    }
    expect(seen).toEqual([[1], [2], [3], []]);
  });
});

describe("an operator", () => {
  test("sees how far behind each partition is, and who holds it", async () => {
    const { produce, fetch, state, pass } = await given();
    expect((await state()).state).toMatchObject([{ partition: 0, lagMs: 0, outstanding: false, parked: 0 }]);
    await produce("a", 1);
    pass(5);
    const [{ lagMs }] = (await state()).state as [{ lagMs: number }];
    expect(lagMs).toBeGreaterThanOrEqual(4_000);
    await fetch("w");
    expect((await state()).state).toMatchObject([{ holder: "w", outstanding: true, token: 1 }]);
  });

  test("pauses it, and removes it: workers are told", async () => {
    const { service, at, produce, fetch, call } = await given();
    await produce("a", 1, 2);
    const first = await fetch("w", { max: 1 });
    const rules = { spaces: ["orders"], backoffSeconds: [0], paused: true };
    expect((await service.call("PUT", at, json(rules))).status).toBe(200);
    const paused = await fetch("w", { ack: done(first) });
    expect(payloads(paused)).toEqual([]);
    expect((await service.call("PUT", at, json({ ...rules, paused: false }))).status).toBe(200);
    expect(payloads(await fetch("w", { ack: claims(paused) }))).toEqual([2]);
    expect(await call("DELETE", "")).toEqual({ status: 204 });
    expect(await fetch("w", { ack: claims(paused) })).toMatchObject({ status: 404, code: "not_found" });
    expect((await service.call("PUT", at, json({ spaces: ["orders"], from: "start" }))).status).toBe(201);
    const other = await fetch("w", { ack: claims(paused) });
    expect(other.lost).toEqual([0]);
  });

  test("begins it at the end, at a time, at an offset, in each space of its own", async () => {
    const { service, store, produce, fetch, call } = await given();
    await produce("a", 1, 2);
    const [delivery] = (await fetch("w")).deliveries;
    await call("POST", "/reset", { from: "end" });
    expect(payloads(await fetch("w"))).toEqual([]);
    await call("POST", "/reset", { offsets: { orders: delivery!.entries[0]!.offset } });
    expect(payloads(await fetch("w"))).toEqual([2]);
    await call("POST", "/reset", { from: "1" });
    expect(payloads(await fetch("w"))).toEqual([1, 2]);
    const list = await service.call("GET", `/v1/stores/${store}/consumers`);
    expect(JSON.parse(list.text)).toMatchObject({ consumers: [{ name: "work", spaces: ["orders"] }] });
  });

  test("is told of what was trimmed before it was delivered, until a worker has seen it", async () => {
    const { service, store, produce, fetch } = await given();
    await produce("a", 1);
    const first = await fetch("w");
    await produce("a", 2);
    await produce("a", 3);
    const { json: page } = await service.call("GET", `/v1/stores/${store}/spaces/orders/entries`);
    const path = `/v1/stores/${store}/spaces/orders/trim`;
    expect((await service.call("POST", path, json({ before: page.entries[1]!.offset }))).status).toBe(200);
    const second = await fetch("w", { ack: done(first) });
    expect(payloads(second)).toEqual([3]);
    expect(second.deliveries[0]).toHaveProperty("trimmed");
    const third = await fetch("w", { ack: done(second) });
    expect(third.deliveries[0]).not.toHaveProperty("trimmed");
  });
});

test.each([
  ["PUT", "", { spaces: [] }, "spaces"],
  ["PUT", "", { spaces: ["orders"], partitions: 2 }, "partitions"],
  ["PUT", "", { spaces: ["other"] }, "spaces"],
  ["PUT", "", { spaces: ["orders"], from: "soon" }, "from"],
  ["POST", "/fetch", { worker: "" }, "worker"],
  ["POST", "/fetch", { worker: "w", ack: [{ claim: "x" }] }, "claim"],
  ["POST", "/ack", { claim: "x" }, "claim"],
  ["POST", "/nack", { claim: "x", offset: "y", action: "skip" }, "offset"],
  ["POST", "/parked", { action: "drop" }, "ids"],
  ["POST", "/parked", { action: "drop", space: "orders" }, "segment"],
  ["POST", "/parked", { action: "drop", ids: ["x"] }, "ids"],
])("%s%s %j is refused", async (method, path, body, field) => {
  const { call } = await given();
  expect(await call(method, path, body)).toMatchObject({ status: 400, field });
});
