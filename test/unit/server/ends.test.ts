// Where a reader begins and ends: the newest entries, the end, what `after` hides, and readers that reconnect by
// themselves.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import { corruptData } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { Entry } from "../../../src/core/entry.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { clock, json, openService, random, segmentPath } from "./in-process.ts";
import type { Reply, Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function start(...changes: Parameters<typeof openService>): Promise<Service> {
  const service = await openService(...changes);
  open.push(service);
  return service;
}

/** A store with entries 1 to `count` in segment `g` of space `s`, each a commit of its own. */
async function given(service: Service, count: number): Promise<{ spacePath: string; path: string; store: string }> {
  const store = randomUUID();
  for (let payload = 1; payload <= count; payload += 1) await produce(service, store, payload);
  return { store, spacePath: `/v1/stores/${store}/spaces/s/entries`, path: segmentPath(store, "s", "g", "/entries") };
}

const produce = (service: Service, store: string, payload: unknown): Promise<Reply> =>
  service.call("POST", segmentPath(store, "s", "g", "/records?encoding=json"), json({ records: [{ payload }] }));

const payloads = (reply: Reply): unknown[] => reply.json.entries.map(({ payload }) => payload);
const events = { accept: "text/event-stream" };

describe("a page", () => {
  test("says that it reached the end, also when it is full, and says nothing when there is more", async () => {
    const service = await start();
    const { store, spacePath, path } = await given(service, 3);
    for (const at of [path, spacePath]) {
      for (const [limit, end] of [
        [1, undefined],
        [2, undefined],
        [3, true],
        [4, true],
        [0, true],
      ] as const) {
        // prettier-ignore
        const { json: page } = await service.call("GET", `${at}?limit=${limit}`);
        expect(page.entries).toHaveLength(limit === 0 ? 3 : Math.min(3, limit));
        expect(page).toEqual({ entries: page.entries, next: page.next, ...(end === undefined ? {} : { end }) });
      }
    }
    const several = await service.call(
      "POST",
      `/v1/stores/${store}/consume`,
      json({ offsets: { s: "", t: "" }, limit: 3 }),
    );
    expect(several.json).toMatchObject({ end: true });
    const lines = await service.call("GET", `${path}?limit=2`, { headers: { accept: "application/x-ndjson" } });
    expect(lines.lines.at(-1)).toEqual({ next: 3 });
    const all = await service.call("GET", path, { headers: { accept: "application/x-ndjson" } });
    expect(all.lines.at(-1)).toEqual({ next: 4, end: true });
  });

  test("up to a sequence says that nothing more of it is there", async () => {
    const service = await start();
    const { path } = await given(service, 3);
    expect((await service.call("GET", `${path}?to=2`)).json).toMatchObject({ next: 3, end: true });
    expect((await service.call("GET", `${path}?to=2&limit=1`)).json).not.toHaveProperty("end");
  });

  test("that is full is given though the entry behind it cannot be read", async () => {
    const service = await start();
    const { store, path } = await given(service, 3);
    const opened = service.services.stores.open(store as never);
    const real = opened.consumeSegment.bind(opened);
    opened.consumeSegment = async function* (...args): AsyncGenerator<Entry> {
      for await (const entry of real(...args)) {
        if (entry.sequence === 3) throw corruptData("entry 3");
        yield entry;
      }
    };
    const page = await service.call("GET", `${path}?limit=2`);
    expect(page.json.entries).toHaveLength(2);
    expect(page.json).not.toHaveProperty("end");
    expect((await service.call("GET", `${path}?limit=3`)).status).toBe(500);
  });
});

describe("what after hides", () => {
  test("is behind `next`, in a segment, a space and several, so that whoever goes on with it alone never sees it", async () => {
    const service = await start();
    const { store, spacePath, path } = await given(service, 3);
    const after = Date.now() + 60_000;
    const segment = (await service.call("GET", `${path}?after=${after}`)).json;
    expect(segment).toEqual({ entries: [], next: 4, end: true });
    const space = (await service.call("GET", `${spacePath}?after=${after}`)).json;
    expect(space.entries).toEqual([]);
    const several = await service.call("POST", `/v1/stores/${store}/consume`, json({ offsets: { s: "" }, after }));
    expect(several.json).toEqual({ entries: [], next: { s: space.next }, end: true });
    expect((await service.call("GET", `${spacePath}?offset=${space.next}`)).json.entries).toEqual([]);
    const last = (await service.call("GET", segmentPath(store, "s", "g"))).json as unknown as { lastTimestamp: number };
    const now = (await service.call("GET", `${spacePath}?after=${last.lastTimestamp}`)).json;
    await produce(service, store, 4);
    const rest = await service.call("GET", `${spacePath}?encoding=json&offset=${now.next}`);
    expect(payloads(rest)).toEqual([4]);
    expect(payloads(await service.call("GET", `${path}?encoding=json&from=${segment.next}`))).toEqual([4]);
  });

  test("is behind `next` also when `until` leaves nothing of the rest", async () => {
    const service = await start();
    const { store, path } = await given(service, 2);
    const entries = (await service.call("GET", path)).json.entries as unknown as { timestamp: number }[];
    await new Promise((resolve) => setTimeout(resolve, 5));
    await produce(service, store, 3);
    const after = entries[1]!.timestamp;
    const page = (await service.call("GET", `${path}?after=${after}&until=${after}`)).json;
    expect(page).toEqual({ entries: [], next: 3, end: true });
  });
});

describe("the end and the newest", () => {
  test("end begins behind what there is, in every form", async () => {
    const service = await start({ options: { streamMs: 200, heartbeatMs: 1_000 } });
    const { store, spacePath, path } = await given(service, 2);
    for (const at of [`${path}?from=end`, `${spacePath}?offset=end`]) {
      const page = (await service.call("GET", at)).json;
      expect(page).toEqual({ entries: [], next: page.next, end: true });
      const lines = (await service.call("GET", at, { headers: { accept: "application/x-ndjson" } })).lines;
      expect(lines).toEqual([{ next: page.next, end: true }]);
      const name = at.includes("offset") ? "offset" : "from";
      const waiting = service.call("GET", `${at}&encoding=json&wait=20`);
      const streamed = service.call("GET", `${at}&encoding=json`, { headers: events });
      await new Promise((resolve) => setTimeout(resolve, 50));
      await produce(service, store, `after ${name}`);
      expect(payloads(await waiting)).toEqual([`after ${name}`]);
      const { text } = await streamed;
      expect(text.match(/"payload":"[^"]*"/g)).toEqual([`"payload":"after ${name}"`]);
      const rest = await service.call("GET", `${at.replace("end", String(page.next))}&encoding=json`);
      expect(payloads(rest)).toEqual([`after ${name}`]);
    }
    const body = json({ offsets: { s: "end", t: "end" } });
    const several = (await service.call("POST", `/v1/stores/${store}/consume`, body)).json;
    expect(several).toMatchObject({ entries: [], end: true });
  });

  test("last gives the newest, in order, of a segment and a space, also beyond what there is", async () => {
    const service = await start();
    const { spacePath, path } = await given(service, 5);
    for (const at of [path, spacePath]) {
      for (const [last, expected] of [
        [1, [5]],
        [3, [3, 4, 5]],
        [5, [1, 2, 3, 4, 5]],
        [1_000, [1, 2, 3, 4, 5]],
      ] as const) {
        // prettier-ignore
        const page = await service.call("GET", `${at}?encoding=json&last=${last}`);
        expect(payloads(page)).toEqual(expected);
        expect(page.json).toMatchObject({ end: true });
      }
      for (const beside of ["to=3", "until=5", "from=1", `offset=${"00".repeat(8)}`]) {
        const answer = await service.call("GET", `${at}?last=1&${beside}`);
        expect(answer.status).toBe(400);
      }
    }
    const nothing = segmentPath(randomUUID(), "s", "g", "/entries?last=3");
    expect((await service.call("GET", nothing)).json).toEqual({ entries: [], next: 1, end: true });
  });

  test("last of a segment costs two requests, and one more for each further 4 MiB", async () => {
    const requests: string[] = [];
    const account = new SimulatedAccount({
      clock,
      plan: ({ kind }) => {
        requests.push(kind);
        return undefined;
      },
    });
    const parts = { account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger };
    const stores = createAzureStoreFactory(parts);
    const service = await start({ stores });
    const { path } = await given(service, 300);
    const cost = async (query: string): Promise<readonly string[]> => {
      requests.length = 0;
      const page = await service.call("GET", `${path}?${query}`);
      expect(page.status).toBe(200);
      return [...requests];
    };
    expect(await cost("last=1")).toEqual(["get", "query"]);
    expect(await cost("last=299")).toEqual(["get", "query"]);
    expect(await cost("last=1000")).toEqual(["get", "query"]);
    const { store, path: large } = await given(service, 0);
    const payload = "x".repeat(700 * 1024);
    for (let index = 0; index < 8; index += 1) await produce(service, store, payload);
    requests.length = 0;
    const lines = await service.call("GET", `${large}?last=8&encoding=json`, {
      headers: { accept: "application/x-ndjson" },
    });
    expect(lines.lines).toHaveLength(9);
    expect(requests).toEqual(["get", "query", "query"]);
    await stores.close();
  });

  test("last of a space asks for a window at a time, and for no more than a page of each", async () => {
    const requests: string[] = [];
    let now = Date.now();
    const ticking = { ...clock, now: () => now };
    const account = new SimulatedAccount({
      clock: ticking,
      plan: ({ kind }) => {
        requests.push(kind);
        return undefined;
      },
    });
    const parts = {
      account,
      notifier: undefined,
      compressor: plainCompressor,
      clock: ticking,
      random,
      logger: silentLogger,
    };
    const stores = createAzureStoreFactory(parts);
    const service = await start({ stores });
    const { store, spacePath } = await given(service, 20);
    // A day of silence, then a few: the newest twelve are on both sides of it.
    now += 86_400_000;
    for (const payload of [21, 22, 23]) await produce(service, store, payload);
    requests.length = 0;
    const newest = await service.call("GET", `${spacePath}?last=12&encoding=json`);
    expect(payloads(newest)).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect(requests.length).toBeLessThanOrEqual(10);
    requests.length = 0;
    expect(payloads(await service.call("GET", `${spacePath}?last=2&encoding=json`))).toEqual([22, 23]);
    expect(requests).toEqual(["get", "query", "query"]);
    await stores.close();
  });

  test("every produce answers the offset of its last entry, repeated or not", async () => {
    const service = await start();
    const { store, spacePath } = await given(service, 1);
    const key = { "idempotency-key": randomUUID() };
    const body = json({ records: [{ payload: 2 }, { payload: 3 }] }, key);
    const path = segmentPath(store, "s", "g", "/records?encoding=json");
    const [first, again] = [await service.call("POST", path, body), await service.call("POST", path, body)];
    const { entries } = (await service.call("GET", spacePath)).json;
    for (const { json: produced } of [first, again]) {
      expect(produced.transactions).toMatchObject([{ offset: entries[2]!.offset }]);
    }
    const together = json({
      segments: [
        { segment: "h", records: [{ payload: 4 }] },
        { segment: "g", records: [{ payload: 5 }] },
      ],
    });
    const all = await service.call("POST", `/v1/stores/${store}/spaces/s/transactions?encoding=json`, together);
    const rest = (await service.call("GET", spacePath)).json.entries.slice(3);
    expect(all.json.segments).toMatchObject([
      { transaction: { offset: rest[1]!.offset } },
      { transaction: { offset: rest[0]!.offset } },
    ]);
  });
});

/** What a browser's EventSource does: comes back with the last id it got, until it is told to stay away. */
async function eventSource(service: Service, path: string, connectionsMax: number): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  let lastEventId = "";
  for (let connections = 0; connections < connectionsMax; connections += 1) {
    const headers = { ...events, ...(lastEventId === "" ? {} : { "last-event-id": lastEventId }) };
    const { status, text } = await service.call("GET", path, { headers });
    if (status === 204) return seen;
    for (const block of text.split("\n\n")) {
      const id = /^id: (.*)$/m.exec(block)?.[1];
      if (id !== undefined) lastEventId = id;
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined && !/^event:/m.test(block)) seen.push((JSON.parse(data) as { payload: unknown }).payload);
    }
  }
  throw new Error(`It comes back for ever, and has ${JSON.stringify(seen)}.`);
}

describe("a client that reconnects by itself", () => {
  test.each([
    ["to=2", [1, 2]],
    ["limit=1", [1]],
    ["limit=3", [1, 2, 3]],
    ["from=9&to=4", []],
    ["last=2&limit=2", [2, 3]],
  ])("is told to stay away when it has all of %s", async (query, expected) => {
    const service = await start();
    const { path, spacePath } = await given(service, 3);
    expect(await eventSource(service, `${path}?encoding=json&${query}`, 3)).toEqual(expected);
    if (query.includes("to=")) return;
    expect(await eventSource(service, `${spacePath}?encoding=json&${query}`, 3)).toEqual(expected);
  });

  test("gets no more than its limit over all of its connections", async () => {
    const service = await start({ options: { streamMs: 100, heartbeatMs: 1_000 } });
    const { store, path } = await given(service, 2);
    const seen = eventSource(service, `${path}?encoding=json&limit=4`, 20);
    await new Promise((resolve) => setTimeout(resolve, 250));
    for (const payload of [3, 4, 5, 6]) await produce(service, store, payload);
    expect(await seen).toEqual([1, 2, 3, 4]);
  });

  test("is told to stay away when it has all up to a time that is long past", async () => {
    let laterMs = 0;
    const service = await start({ clock: { ...clock, now: () => Date.now() + laterMs } });
    const { store, path, spacePath } = await given(service, 2);
    const until = Date.now() + 60_000;
    laterMs = 3_600_000;
    for (const at of [path, spacePath, `/v1/stores/${store}/spaces/nothing/entries`]) {
      const expected = at.includes("nothing") ? [] : [1, 2];
      expect(await eventSource(service, `${at}?encoding=json&until=${until}`, 3)).toEqual(expected);
    }
  });

  test("that began at the end misses nothing of what comes between its connections", async () => {
    const service = await start({ options: { streamMs: 50, heartbeatMs: 1_000 } });
    const { store, path } = await given(service, 2);
    const first = await service.call("GET", `${path}?from=end`, { headers: events });
    const id = /^id: (.*)$/m.exec(first.text)![1]!;
    await produce(service, store, 3);
    const headers = { ...events, "last-event-id": id };
    const second = await service.call("GET", `${path}?from=end&encoding=json`, { headers });
    expect(second.text).toContain('"payload":3');
  });
});

describe("every stream", () => {
  test("says that it is live when all was told, and asks everything between to leave it alone", async () => {
    const service = await start({ options: { streamMs: 50, heartbeatMs: 1_000 } });
    const { store, path, spacePath } = await given(service, 1);
    const status = `/v1/stores/${store}/spaces/s/status`;
    for (const at of [path, spacePath, status]) {
      const answer = await service.call("GET", at, { headers: events });
      expect(answer.headers).toMatchObject({ "x-accel-buffering": "no", "cache-control": "no-store, no-transform" });
      expect(answer.text.match(/^event: .*$/gm)).toEqual(["event: live", "event: end"]);
    }
    const lines = await service.call("GET", path, { headers: { accept: "application/x-ndjson" } });
    expect(lines.headers).toMatchObject({ "x-accel-buffering": "no", "cache-control": "no-store, no-transform" });
  });

  test("says that it is there while the storage takes its time, with the place of what it has sent", async () => {
    const service = await start({ options: { streamMs: 400, heartbeatMs: 30 } });
    const { store, spacePath } = await given(service, 1);
    const opened = service.services.stores.open(store as never);
    const real = opened.consumeSpace.bind(opened);
    let reads = 0;
    opened.consumeSpace = async function* (...args): AsyncGenerator<Entry> {
      reads += 1;
      if (reads > 1) await new Promise((resolve) => setTimeout(resolve, 200));
      yield* real(...args);
    };
    const { text } = await service.call("GET", spacePath, { headers: events });
    const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(1);
    expect(text.match(/^event: heartbeat$/gm)!.length).toBeGreaterThanOrEqual(2);
  });

  test("ends with its place when the instance is about to stop", async () => {
    const stopping = new AbortController();
    const service = await start({ stopping: stopping.signal });
    const { store, path, spacePath } = await given(service, 1);
    const asked = [path, spacePath, `/v1/stores/${store}/spaces/s/status`].map((at) =>
      service.call("GET", at, { headers: events }),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    stopping.abort();
    for (const { text } of await Promise.all(asked)) {
      expect(text).toMatch(/event: end\nid: [^\n]+\ndata: \{"next":.*\}\n\n$/);
      expect(text).not.toContain('"complete":true');
    }
    expect(service.services.streams.used).toBe(0);
  });
});

test("a long poll judges what is past by the storage's time, whatever this machine's clock says", async () => {
  const service = await start({ serviceClock: { now: () => clock.now() + 3_600_000 } });
  const soon = Date.now() + 1_800_000;
  const path = `/v1/stores/${randomUUID()}/spaces/s/entries?wait=20&until=${soon}`;
  const startedAt = performance.now();
  expect((await service.call("GET", path)).json).toMatchObject({ entries: [] });
  // Without a wait: the test ends long before the twenty seconds do.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
