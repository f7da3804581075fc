// Live readers: long-poll and server-sent events, and the one poller that they share.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import { parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Connection } from "../../../src/server/http.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { SpaceWatches } from "../../../src/server/space-watch.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { Store } from "../../../src/store/store.ts";
import { clock, json, openService, random, segmentPath, someone } from "./in-process.ts";
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

const produce = (service: Service, store: string, space: string, segment: string, payload: unknown): Promise<Reply> =>
  service.call("POST", segmentPath(store, space, segment, "/records?encoding=json"), json({ records: [{ payload }] }));

function leavable(): { connection: Connection; leave: () => void } {
  const gone = new AbortController();
  return { connection: { ...unseenConnection(), signal: gone.signal }, leave: () => gone.abort(new Error("gone")) };
}

/** The same store but for some of its methods. */
function altered(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, key): unknown => {
      const value: unknown = Reflect.get(key in changes ? changes : target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

interface LiveEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: unknown;
  readonly comment?: string;
}

/** A server-sent stream, event by event. */
async function* eventsOf(service: Service, path: string, headers = {}, connection?: Connection) {
  const init = { headers: { accept: "text/event-stream", ...headers } };
  const answer = await service.open("GET", path, init, connection);
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  let text = "";
  for await (const piece of answer.body as AsyncIterable<string>) {
    text += piece;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) yield parseEvent(block);
  }
}

function parseEvent(block: string): LiveEvent {
  const fields: Record<string, unknown> = {};
  for (const line of block.split("\n")) {
    const [, name = "", value = ""] = /^([^:]*): ?(.*)$/.exec(line)!;
    fields[name === "" ? "comment" : name] = name === "data" ? (JSON.parse(value) as unknown) : value;
  }
  return fields;
}

function eventsIn(text: string): readonly LiveEvent[] {
  return text
    .split("\n\n")
    .filter((block) => block !== "")
    .map(parseEvent);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function nextEvent(events: AsyncIterator<LiveEvent, unknown>): Promise<LiveEvent> {
  const result = await events.next();
  if (result.done === true) throw new Error("The stream has ended.");
  return result.value;
}

describe("long-poll", () => {
  test("answers at once when there is something", async () => {
    const service = await start();
    const store = randomUUID();
    await produce(service, store, "s", "g", 1);
    const startedAt = performance.now();
    const path = `/v1/stores/${store}/spaces/s/entries?encoding=json&wait=30`;
    expect((await service.call("GET", path)).json).toMatchObject({ entries: [{ payload: 1 }] });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test.each(["/v1/stores/{}/spaces/s/entries", "/v1/stores/{}/spaces/s/segments/g/entries"])(
    "%s answers as soon as something comes",
    async (template) => {
      const service = await start();
      const store = randomUUID();
      const waiting = service.call("GET", `${template.replace("{}", store)}?encoding=json&wait=20`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await produce(service, store, "s", "g", "came");
      const committedAt = performance.now();
      expect((await waiting).json).toMatchObject({ entries: [{ payload: "came" }] });
      expect(performance.now() - committedAt).toBeLessThan(2_000);
    },
  );

  test("of several spaces answers for any of them", async () => {
    const service = await start();
    const store = randomUUID();
    const body = json({ offsets: { a: "", b: "" } });
    const waiting = service.call("POST", `/v1/stores/${store}/consume?encoding=json&wait=20`, body);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await produce(service, store, "b", "g", 1);
    const answer = (await waiting).json;
    expect(answer).toMatchObject({ entries: [{ space: "b" }], next: { a: "", b: answer.entries[0]?.offset } });
  });

  test("is an empty page when nothing comes in time", async () => {
    const service = await start();
    const answer = await service.call("GET", `/v1/stores/${randomUUID()}/spaces/s/entries?wait=1`);
    expect(answer.json).toEqual({ entries: [], next: "", end: true });
    expect(service.services.watches.size).toBe(0);
    expect(service.services.streams.used).toBe(0);
  });

  test("for what is long past does not wait", async () => {
    const service = await start();
    const store = randomUUID();
    await produce(service, store, "s", "g", 1);
    const until = Date.now() - 600_000;
    const startedAt = performance.now();
    for (const path of ["spaces/s/entries?wait=30", "spaces/s/segments/g/entries?wait=30"]) {
      const { json: page } = await service.call("GET", `/v1/stores/${store}/${path}&until=${until}`);
      expect(page.entries).toEqual([]);
    }
    await service.call("POST", `/v1/stores/${store}/consume?wait=30`, json({ offsets: { s: "" }, until }));
    expect(service.services.watches.size).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test("ends when the caller leaves", async () => {
    const service = await start();
    const { connection, leave } = leavable();
    const waiting = service.call("GET", `/v1/stores/${randomUUID()}/spaces/s/entries?wait=30`, {}, connection);
    await new Promise((resolve) => setTimeout(resolve, 50));
    leave();
    await waiting;
    expect(service.services.watches.size).toBe(0);
    expect(service.services.streams.used).toBe(0);
  });
});

describe("server-sent events", () => {
  test("say something at once, then what is there, then what comes", async () => {
    const service = await start();
    const store = randomUUID();
    await produce(service, store, "s", "g", "before");
    const { connection, leave } = leavable();
    const events = eventsOf(service, `/v1/stores/${store}/spaces/s/entries?encoding=json`, {}, connection);
    expect(await nextEvent(events)).toMatchObject({ comment: "live" });
    const before = await nextEvent(events);
    expect(before).toMatchObject({ data: { payload: "before" } });
    expect(before.id).toBe((before.data as { offset: string }).offset);
    expect(await nextEvent(events)).toEqual({ event: "live", id: before.id, data: { next: before.id } });
    const next = nextEvent(events);
    await produce(service, store, "s", "h", "after");
    expect(await next).toMatchObject({ data: { payload: "after", segment: "h" } });
    leave();
    expect((await events.next()).done).toBe(true);
    expect(service.services.watches.size).toBe(0);
  });

  test("go on after Last-Event-ID, in a space, a segment and several spaces", async () => {
    const service = await start({ options: { streamMs: 200, heartbeatMs: 1_000 } });
    const store = randomUUID();
    for (const payload of [1, 2, 3]) await produce(service, store, "s", "g", payload);
    for (const path of [
      `/v1/stores/${store}/spaces/s/entries?encoding=json`,
      segmentPath(store, "s", "g", "/entries?encoding=json"),
    ]) {
      const first = eventsOf(service, path);
      await nextEvent(first);
      const { id } = await nextEvent(first);
      await first.return(undefined);
      const resumed = eventsOf(service, path, { "last-event-id": id });
      await nextEvent(resumed);
      expect(await nextEvent(resumed)).toMatchObject({ data: { payload: 2 } });
      await resumed.return(undefined);
    }
    const ask = async (headers = {}) => {
      const body = json({ offsets: { s: "", t: "" } }, { accept: "text/event-stream", ...headers });
      const { text } = await service.call("POST", `/v1/stores/${store}/consume?encoding=json`, body);
      return eventsIn(text);
    };
    const [, first] = await ask();
    const resumed = await ask({ "last-event-id": first?.id });
    expect(resumed[1]).toMatchObject({ data: { payload: 2 } });
  });

  test("of a hundred spaces have ids that fit a header, whatever the names, and go on after each of them", async () => {
    const service = await start();
    const store = randomUUID();
    const spaces = Array.from({ length: 100 }, (_, index) => `${index}-`.padEnd(96, "s"));
    const path = `/v1/stores/${store}/spaces/`;
    const both = ["a", "b"].map((name) => ({
      segment: name.padEnd(144, "g"),
      records: [{ payload: 1 }, { payload: 2 }],
    }));
    for (const space of spaces) {
      await service.call("POST", `${path}${space}/transactions?encoding=json`, json({ segments: both }));
    }
    const ask = async (names: readonly string[], headers = {}) => {
      const offsets = Object.fromEntries(names.map((name) => [name, ""]));
      // Complete when all is told, so that no time decides.
      const init = json({ offsets, limit: 400 }, { accept: "text/event-stream", ...headers });
      const answer = await service.call("POST", `/v1/stores/${store}/consume?encoding=json`, init);
      return {
        answer,
        events: eventsIn(answer.text).filter(({ id, event }) => id !== undefined && event === undefined),
      };
    };
    const { events: all } = await ask(spaces);
    expect(all).toHaveLength(400);
    for (const [index, { id = "" }] of all.entries()) {
      expect(id.length).toBeLessThan(4_096);
      if (index % 57 > 0 && index < 398) continue;
      const { events } = await ask(spaces.toReversed(), { "last-event-id": id });
      expect(events.map(({ data }) => data)).toEqual(all.slice(index + 1).map(({ data }) => data));
    }
    const { id } = all[250]!;
    for (const names of [spaces.slice(1), [...spaces.slice(1), "another"]]) {
      const { answer } = await ask(names, { "last-event-id": id });
      expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument", field: "Last-Event-ID" });
    }
  });

  test("are ended by the server, with the place to go on from", async () => {
    const service = await start({ options: { streamMs: 150, heartbeatMs: 40 } });
    const seen: LiveEvent[] = [];
    for await (const event of eventsOf(service, `/v1/stores/${randomUUID()}/spaces/s/entries`)) seen.push(event);
    expect(seen.at(-1)).toEqual({ event: "end", id: ".", data: { next: "", complete: false } });
    const heartbeats = seen.filter(({ event }) => event === "heartbeat");
    expect(heartbeats.length).toBeGreaterThanOrEqual(2);
    expect(heartbeats[0]).toEqual({ event: "heartbeat", id: ".", data: { next: "" } });
  });

  test("are complete when the last wanted entry was sent", async () => {
    const service = await start();
    const store = randomUUID();
    for (const payload of [1, 2, 3]) await produce(service, store, "s", "g", payload);
    for (const [query, id] of [
      ["to=2", "2"],
      ["limit=2", "2.0"],
    ] as const) {
      const seen: LiveEvent[] = [];
      for await (const event of eventsOf(service, segmentPath(store, "s", "g", `/entries?${query}`))) seen.push(event);
      expect(seen).toHaveLength(4);
      expect(seen[3]).toEqual({ event: "end", id, data: { next: 3, complete: true } });
    }
  });

  test("are complete when all was sent up to a time that is long past", async () => {
    const [late, store] = [{ ms: 0 }, randomUUID()];
    const service = await start({ clock: { ...clock, now: () => Date.now() + late.ms } });
    for (const payload of [1, 2]) await produce(service, store, "s", "g", payload);
    late.ms = 3_600_000;
    for (const path of ["/entries?until=", "/segments/g/entries?until="]) {
      const events = eventsOf(service, `/v1/stores/${store}/spaces/s${path}${Date.now() + 60_000}`);
      const seen: LiveEvent[] = [];
      for await (const event of events) seen.push(event);
      expect(seen).toHaveLength(4);
      expect(seen[3]).toMatchObject({ event: "end", data: { complete: true } });
    }
  });

  test("tell a failure of the store as an event", async () => {
    const service = await start();
    const store = parseStoreId(randomUUID());
    service.services.stores.open(store).spaceTail = () =>
      Promise.reject(new StoreError("storage_unavailable", "The storage is away."));
    const seen: LiveEvent[] = [];
    for await (const event of eventsOf(service, `/v1/stores/${store}/spaces/s/entries`)) seen.push(event);
    expect(seen.at(-1)).toMatchObject({ event: "problem", data: { code: "storage_unavailable", retryable: true } });
    expect(service.services.watches.size).toBe(0);
  });

  test("that are left give back at once what they hold, also while they wait", async () => {
    const service = await start({ options: { streamMs: 60_000, heartbeatMs: 20 } });
    const path = `/v1/stores/${randomUUID()}/spaces/s/entries`;
    const { body } = await service.open("GET", path, { headers: { accept: "text/event-stream" } });
    const pieces = (body as AsyncGenerator<string>)[Symbol.asyncIterator]();
    let seen = "";
    while (!seen.includes("event: heartbeat")) seen += String((await pieces.next()).value);
    expect(service.services.streams.used).toBe(1);
    // The stream lasts a minute, the test half of that.
    await pieces.return(undefined);
    expect(service.services.streams.used).toBe(0);
  });

  test("beyond the instance's fill are refused with Retry-After, before they begin", async () => {
    const service = await start();
    const { services } = service;
    const others = services.streams.open(someone);
    others.take(1_000);
    const init = { headers: { accept: "text/event-stream" } };
    const answer = await service.call("GET", `/v1/stores/${randomUUID()}/spaces/s/entries`, init);
    expect(answer).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
    expect(answer.json).toMatchObject({ code: "overloaded", effect: "none" });
    others.close();
  });
});

describe("a watch", () => {
  test("is shared: a hundred readers of a space cost one poller", async () => {
    const service = await start();
    const id = parseStoreId(randomUUID());
    const store = service.services.stores.open(id);
    let marks = 0;
    const counting = altered(store, {
      spaceTail: (space, count) => {
        marks += 1;
        return store.spaceTail(space, count);
      },
    });
    const watches = new SpaceWatches(clock, random, silentLogger);
    const space = parseSpaceName("s");
    const opened = await Promise.all(Array.from({ length: 100 }, () => watches.open(counting, space)));
    expect(watches.size).toBe(1);
    const woken = opened.map((watch) => watch.changed(watch.version, 10_000, new AbortController().signal));
    const marksBefore = marks;
    await produce(service, id, "s", "g", 1);
    await Promise.all(woken);
    expect(marks - marksBefore).toBeLessThan(20);
    for (const watch of opened) watch.close();
    expect(watches.size).toBe(0);
  });

  test.each([
    ["streams of events", { accept: "text/event-stream" }, ""],
    ["long-polls", {}, "?wait=20"],
  ])("is shared by a hundred %s of a space: they ask the storage for its news together", async (_, headers, query) => {
    const requests: string[] = [];
    const account = new SimulatedAccount({
      clock,
      plan: (request) => {
        requests.push(request.kind);
        return undefined;
      },
    });
    const stores = createAzureStoreFactory({
      ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
    });
    const service = await start({ stores });
    const path = `/v1/stores/${randomUUID()}/spaces/s/entries${query}`;
    const { connection, leave } = leavable();
    const reading = Array.from({ length: 100 }, () => service.call("GET", path, { headers }, connection));
    await until(() => service.services.streams.used === 100 && service.services.watches.size === 1);
    // Each has read for itself, before and after the watch was open.
    await until(() => requests.filter((kind) => kind === "query").length >= 200);
    const before = requests.length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(requests.length - before).toBeGreaterThan(0);
    expect(requests.slice(before)).not.toContain("query");
    expect(requests.length - before).toBeLessThan(20);
    leave();
    await Promise.all(reading);
    expect(service.services.watches.size).toBe(0);
    await stores.close();
  });

  test("sees what another instance commits, without being told", async () => {
    const service = await start();
    const store = service.services.stores.open(parseStoreId(randomUUID()));
    const deaf = altered(store, { onCommit: () => () => undefined });
    const watches = new SpaceWatches(clock, random, silentLogger);
    const watch = await watches.open(deaf, parseSpaceName("s"));
    const seen = watch.version;
    const changed = watch.changed(seen, 10_000, new AbortController().signal);
    await produce(service, store.id, "s", "g", 1);
    const committedAt = performance.now();
    await changed;
    expect(watch.version).toBeGreaterThan(seen);
    expect(performance.now() - committedAt).toBeLessThan(2_500);
    watch.close();
  });
});
