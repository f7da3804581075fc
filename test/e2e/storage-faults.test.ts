// A storage service that fails: connections break before and after a request took effect, answers come late, as 429,
// 500 or 503, or not at all. Produce and consume end in success or in an error that says whether it may have happened.

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { Chance } from "../simulation/chance.ts";
import type { Answer } from "../torture/calls.ts";
import { call, StoreCalls } from "../torture/calls.ts";
import { torture } from "../torture/torture.ts";
import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";
import type { ProxiedRequest, ProxyFault } from "./fault-proxy.ts";
import { FaultProxy } from "./fault-proxy.ts";

const serverBusy = { kind: "answer", status: 503, code: "ServerBusy", when: "before" } as const;
const faults: readonly (readonly [string, ProxyFault])[] = [
  ["a connection that breaks before the request arrives", { kind: "reset", when: "before" }],
  ["a connection that breaks before the answer", { kind: "reset", when: "after" }],
  ["an answer that comes too late", { kind: "delay", ms: 1_300 }],
  ["a 429", { kind: "answer", status: 429, code: "TooManyRequests", when: "before" }],
  [
    "a 429 with Retry-After",
    { kind: "answer", status: 429, code: "TooManyRequests", when: "before", retryAfterSeconds: 1 },
  ],
  ["a 500 before it took effect", { kind: "answer", status: 500, code: "InternalError", when: "before" }],
  ["a 500 after it took effect", { kind: "answer", status: 500, code: "InternalError", when: "after" }],
  ["a 503", serverBusy],
  ["a 503 with Retry-After", { ...serverBusy, retryAfterSeconds: 1 }],
  ["a 503 after it took effect", { ...serverBusy, when: "after" }],
];

const pass: ProxyFault = { kind: "pass" };
const isWrite = ({ method }: ProxiedRequest): boolean => method !== "GET";
const isTable = ({ url }: ProxiedRequest): boolean => url.endsWith("/Tables");

let proxy: FaultProxy;
beforeAll(async () => {
  proxy = await FaultProxy.open(inject("azurite"));
});
afterAll(() => proxy.close());
afterEach(() => {
  proxy.plan = () => pass;
});

describe("a caller without a key", () => {
  const produceTimeoutMs = 2_500;
  let app: RunningApp;
  beforeAll(async () => {
    const env = {
      STREAMKIT_TABLE_PREFIX: `faults${randomUUID().slice(0, 8)}`,
      STREAMKIT_REQUEST_TIMEOUT_MS: "1000",
      STREAMKIT_PRODUCE_TIMEOUT_MS: String(produceTimeoutMs),
    };
    app = await startApp({ azurite: proxy.connectionString, env });
  });
  afterAll(() => app.stop());

  const storeOf = (): StoreCalls => new StoreCalls(app.url, randomUUID());
  const produce = (store: StoreCalls, text: string): ReturnType<StoreCalls["produce"]> =>
    store.produce("orders", "order-1", { texts: [text] }, { key: undefined, ack: "applied" });

  /** How often a record may be there after this answer. */
  function possible(answer: Answer): readonly number[] {
    if (answer.kind === "ok") return [1];
    const effect = answer.kind === "problem" ? answer.problem.effect : "unknown";
    if (effect === undefined) throw new Error(`An answer does not tell its effect: ${JSON.stringify(answer)}`);
    return { none: [0], committed: [1], unknown: [0, 1], partial: [] }[effect];
  }

  async function texts(store: StoreCalls): Promise<readonly string[]> {
    return (await store.all("orders")).map(({ payload }) => payload);
  }

  describe.each(faults)("%s", (_, fault) => {
    test("of a write, once at each kind of write, is not noticed, and nothing is written twice", async () => {
      const store = storeOf();
      expect(await produce(store, "first")).toMatchObject({ kind: "ok" });
      const failed = new Set<string>();
      proxy.plan = (request) => {
        // The commit, the apply, the inventory: each has its own partition.
        const partition = /PartitionKey(?:='|":")([0-9a-f]+)/.exec(request.url + request.body)?.[1] ?? "";
        if (!isWrite(request) || isTable(request) || failed.has(partition)) return pass;
        failed.add(partition);
        return fault;
      };
      expect(await produce(store, "second")).toMatchObject({ kind: "ok" });
      expect(failed.size).toBeGreaterThan(1);
      expect(await texts(store)).toEqual(["first", "second"]);
      expect((await store.all("orders", "order-1")).map(({ payload }) => payload)).toEqual(["first", "second"]);
    });

    test("of every write ends in success or in an error that tells the truth", { timeout: 40_000 }, async () => {
      const store = storeOf();
      expect(await produce(store, "first")).toMatchObject({ kind: "ok" });
      proxy.plan = (request) => (isWrite(request) ? fault : pass);
      const startedAt = performance.now();
      const answer = await produce(store, "second");
      expect(performance.now() - startedAt).toBeLessThan(4 * produceTimeoutMs);
      proxy.plan = () => pass;
      // A request that took effect is found in the log, whatever was answered; one that never arrived ends in an error.
      if ("when" in fault) expect(answer.kind).toBe(fault.when === "after" ? "ok" : "problem");
      if (answer.kind === "problem") {
        // To come back is said only of what did not happen.
        const { code, effect, retryAfterMs, status } = answer.problem;
        if (effect === "none") {
          expect(code).toMatch(/^(throttled|overloaded|storage_unavailable)$/);
          expect([429, 503]).toContain(status);
          expect(retryAfterMs).toBeGreaterThan(0);
        } else {
          expect({ code, status, retryAfterMs }).toEqual({
            code: "not_confirmed",
            status: 424,
            retryAfterMs: undefined,
          });
        }
      }
      // The next produce comes after whatever was still on its way.
      await until("it is over", async () => (await produce(store, "third")).kind === "ok", 20_000);
      const stored = await texts(store);
      const seconds = stored.filter((text) => text === "second").length;
      expect(possible(answer)).toContain(seconds);
      expect(stored.filter((text) => text === "first")).toHaveLength(1);
      expect((await store.all("orders", "order-1")).map(({ payload }) => payload)).toEqual(stored);
    });

    test("of a read, once at each kind of read, is not noticed where there is time for another", async () => {
      const store = storeOf();
      expect(await produce(store, "first")).toMatchObject({ kind: "ok" });
      const failed = new Set<string>();
      proxy.plan = (request) => {
        const path = request.url.split("?", 1)[0] ?? "";
        if (isWrite(request) || failed.has(path)) return pass;
        failed.add(path);
        return fault;
      };
      const answer = await store.page("orders", "", 10, 0);
      // A request may take a second here: what takes that long, or is asked to wait so long, is told to the caller.
      const isSlow = fault.kind === "delay" || "retryAfterSeconds" in fault;
      expect(answer.kind).toBe(isSlow ? "problem" : "ok");
      expect(failed.size).toBeGreaterThan(0);
    });

    test("of every read ends in an error, and later it is all there", { timeout: 40_000 }, async () => {
      const store = storeOf();
      expect(await produce(store, "first")).toMatchObject({ kind: "ok" });
      proxy.plan = (request) => (isWrite(request) ? pass : fault);
      const answer = await store.page("orders", "", 10, 0);
      const harmless = "when" in fault && fault.when === "before" ? [] : ["ok"];
      expect(["problem", ...harmless]).toContain(answer.kind);
      if (answer.kind === "problem") expect(answer.problem.code).toMatch(/^(throttled|storage_unavailable)$/);
      proxy.plan = () => pass;
      expect(await texts(store)).toEqual(["first"]);
    });
  });

  test("the health check says so when storage does not answer", async () => {
    proxy.plan = () => ({ kind: "reset", when: "before" });
    expect(await call(`${app.url}/health?deep=true`)).toMatchObject({
      problem: { status: 503, code: "storage_unavailable" },
    });
    expect(await call(`${app.url}/health`)).toMatchObject({ kind: "ok" });
  });
});

test(
  "all of it at once, to several processes: nothing is lost, doubled or left behind",
  { timeout: 150_000 },
  async () => {
    const seed = randomUUID();
    const chance = new Chance(seed);
    proxy.counts.clear();
    const report = await torture({
      seed,
      seconds: 12,
      processes: 2,
      callers: 12,
      killPauseMs: undefined,
      azurite: inject("azurite"),
      calm: () => {
        proxy.plan = () => pass;
      },
      start: async (env) => {
        const own = { STREAMKIT_REQUEST_TIMEOUT_MS: "1000", STREAMKIT_PRODUCE_TIMEOUT_MS: "2000" };
        const app = await startApp({ azurite: proxy.connectionString, env: { ...env, ...own } });
        proxy.plan = () => (chance.happens(0.25) ? chance.pick(faults)[1] : pass);
        return app;
      },
    });
    const { pages, problems, records, stored, tally } = report;
    console.log(JSON.stringify({ seed, records, tally, pages, stored, faults: Object.fromEntries(proxy.counts) }));
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(report.fsck).toMatchObject({ findings: [], unapplied: 0, unnotified: 0, entries: stored });
    expect(records.acknowledged).toBeGreaterThan(50);
    // Every kind of fault was met, and callers were told of some of it.
    expect(proxy.counts.size).toBe(9);
    expect(tally.unknowns + tally.durable + tally.refused).toBeGreaterThan(0);
  },
);
