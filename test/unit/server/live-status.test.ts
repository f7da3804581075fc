// Statuses as they change: nothing is missed, whatever lags; a slow reader gets the last of each segment.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { SegmentStatus } from "../../../src/core/entry.ts";
import { noMetadata } from "../../../src/core/entry.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { SegmentName } from "../../../src/core/ids.ts";
import { parseSegmentName, parseSegmentPrefix, parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { segmentsWanted } from "../../../src/core/segments-wanted.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { StatusReading } from "../../../src/server/status-reading.ts";
import type { Store } from "../../../src/store/store.ts";
import { openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService({ options: { streamMs: 400, heartbeatMs: 60_000 } });
});
afterAll(() => service.dispose());

const space = parseSpaceName("orders");
const all = parseSegmentName("*");
const never = new AbortController().signal;

const newStore = (): Store => service.services.stores.open(parseStoreId(randomUUID()));

async function produce(store: Store, segment: string, count = 1): Promise<SegmentStatus> {
  const records = Array.from({ length: count }, () => ({ payload: Buffer.from("x"), metadata: noMetadata }));
  let last: SegmentStatus | undefined;
  for await (const { status } of store.produce(space, parseSegmentName(segment), records)) last = status;
  return last!;
}

/** Where every segment is. */
async function truth(store: Store): Promise<Map<string, SegmentStatus>> {
  const statuses = new Map<string, SegmentStatus>();
  for await (const name of store.getSegments(space)) {
    statuses.set(name, await store.getSegmentStatus!(space, name));
  }
  return statuses;
}

/**
 * The same store, whose segments lag behind its log until `apply`: a place is chosen, and they are as they were then.
 */
function lagging(store: Store) {
  let frozen: { readonly through: number; readonly statuses: ReadonlyMap<string, SegmentStatus> } | undefined;
  const apply = async (): Promise<void> => {
    frozen = { through: await store.appliedThrough(space), statuses: await truth(store) };
  };
  const statusOf = (segment: SegmentName): SegmentStatus =>
    frozen?.statuses.get(segment) ?? {
      ...{ space, segment, firstSequence: 0, firstTimestamp: 0, lastSequence: 0, lastTimestamp: 0 },
    };
  const lagged: Store = Object.assign(Object.create(store) as Store, {
    consumeSpace: (...args: Parameters<Store["consumeSpace"]>) => store.consumeSpace(...args),
    appliedThrough: () => Promise.resolve(frozen?.through ?? 0),
    getSegmentStatus: (_: unknown, segment: SegmentName) => Promise.resolve(statusOf(segment)),
    getSegments: async function* (
      of: typeof space,
      options: { readonly after?: string; readonly limit?: number } = {},
    ) {
      let left = options.limit === undefined || options.limit === 0 ? Infinity : options.limit;
      for await (const name of store.getSegments(of, { after: options.after ?? "" })) {
        if (!(frozen?.statuses.has(name) ?? false)) continue;
        if ((left -= 1) < 0) return;
        yield name;
      }
    },
  });
  return { lagged, apply };
}

async function readOn(reading: StatusReading): Promise<SegmentStatus[]> {
  const told: SegmentStatus[] = [];
  for await (const status of reading.snapshot(0, never)) told.push(status);
  do told.push(...(await reading.changes(never)));
  while (reading.isBehind);
  return told;
}

describe("a reading by prefix", () => {
  const wanted = { space, ...segmentsWanted(undefined, parseSegmentPrefix("order-")) };

  test("tells the segments whose names begin so, the one that is named so among them, and then their changes alone", async () => {
    const store = newStore();
    for (const name of ["order", "order-2", "order-", "order-1", "order.", "a", "order-\u{1f600}"])
      await produce(store, name);
    const reading = new StatusReading(store, wanted, "");
    const names = ["order-", "order-1", "order-2", "order-\u{1f600}"];
    expect((await readOn(reading)).map(({ segment }) => segment)).toEqual(names);
    for (const name of ["order-2", "order", "order-3"]) await produce(store, name);
    expect((await reading.changes(never)).map(({ segment }) => segment)).toEqual(["order-2", "order-3"]);
  });

  test("asks the store for no names beyond those that begin so", async () => {
    const store = newStore();
    for (const name of ["order-1", "order-2", "x1", "x2", "x3"]) await produce(store, name);
    let listed = 0;
    const counting: Store = Object.assign(Object.create(store) as Store, {
      appliedThrough: () => store.appliedThrough(space),
      getSegmentStatus: (_: unknown, segment: SegmentName) => store.getSegmentStatus!(space, segment),
      getSegments: async function* (...args: Parameters<Store["getSegments"]>) {
        for await (const name of store.getSegments(...args)) {
          listed += 1;
          yield name;
        }
      },
    });
    const told: string[] = [];
    for await (const { segment } of new StatusReading(counting, wanted, "").snapshot(0, never)) told.push(segment);
    expect(told).toEqual(["order-1", "order-2"]);
    expect(listed).toBe(3);
  });

  test("goes on page by page, from the cursor of a reading of all segments too", async () => {
    const store = newStore();
    for (const name of ["a", "order-", "order-1", "order-2", "z"]) await produce(store, name);
    const told: string[] = [];
    const first = new StatusReading(store, { space, ...segmentsWanted() }, "");
    for await (const { segment } of first.snapshot(1, never)) expect(segment).toBe("a");
    for (let cursor = first.cursor; cursor.startsWith("s");) {
      const reading = new StatusReading(store, wanted, cursor);
      let count = 0;
      for await (const { segment } of reading.snapshot(1, never)) {
        told.push(segment);
        count += 1;
      }
      expect(count).toBeLessThanOrEqual(1);
      cursor = reading.cursor;
    }
    expect(told).toEqual(["order-", "order-1", "order-2"]);
  });

  test.each([
    ["segment=order-*", "segment"],
    ["prefix=order-*", "prefix"],
    ["segment=order-1&prefix=order-", "prefix"],
    ["prefix=", "prefix"],
  ])("is refused what can only be a mistake: %s", async (query, field) => {
    const path = `/v1/stores/${randomUUID()}/spaces/orders/status?${query}`;
    const { status, json } = await service.call("GET", path);
    expect([status, json]).toEqual([400, expect.objectContaining({ code: "invalid_argument", field }) as unknown]);
  });
});

describe("a reading", () => {
  test("begins with the segments there are, in the order of their names as UTF-8", async () => {
    const store = newStore();
    const names = ["b", "a", "\u{1f600}", "\uffff", "ä", "a0"];
    for (const name of names) await produce(store, name);
    const told = await readOn(new StatusReading(store, { space, ...segmentsWanted(all) }, ""));
    expect(told.map(({ segment }) => segment)).toEqual(["a", "a0", "b", "ä", "\uffff", "\u{1f600}"]);
    expect(told).toEqual(
      told.map(({ segment }) => expect.objectContaining({ segment, lastSequence: 1 }) as SegmentStatus),
    );
  });

  test("tells where a segment that was trimmed begins, also when all of it was", async () => {
    const store = newStore();
    await produce(store, "trimmed", 5);
    await produce(store, "empty", 3);
    await store.trimSegment(space, parseSegmentName("trimmed"), 4);
    await store.trimSegment(space, parseSegmentName("empty"), 9);
    const reading = new StatusReading(store, { space, ...segmentsWanted(all) }, "");
    const told = new Map((await readOn(reading)).map((status) => [status.segment as string, status]));
    expect(told).toEqual(await truth(store));
    for (const name of ["trimmed", "empty"]) await produce(store, name);
    const changed = new Map((await readOn(reading)).map((status) => [status.segment as string, status]));
    expect(changed).toEqual(await truth(store));
    expect([...changed.values()].map(({ firstSequence }) => firstSequence)).toEqual([4, 4]);
  });

  test("of one segment tells nothing of others, and nothing of one that is not there", async () => {
    const store = newStore();
    const a = await produce(store, "a");
    await produce(store, "b");
    expect(await readOn(new StatusReading(store, { space, ...segmentsWanted(parseSegmentName("a")) }, ""))).toEqual([
      a,
    ]);
    const later = new StatusReading(store, { space, ...segmentsWanted(parseSegmentName("c")) }, "");
    expect(await readOn(later)).toEqual([]);
    await produce(store, "b");
    const c = await produce(store, "c", 3);
    expect(await readOn(later)).toEqual([c]);
  });

  test("finds what is committed and in no segment yet", async () => {
    const store = newStore();
    const { lagged, apply } = lagging(store);
    await produce(store, "a");
    await apply();
    const a = await produce(store, "a", 2);
    const b = await produce(store, "b");
    const reading = new StatusReading(lagged, { space, ...segmentsWanted(all) }, "");
    expect(new Map((await readOn(reading)).map((status) => [status.segment, status]))).toEqual(
      new Map([
        ["a", a],
        ["b", b],
      ]),
    );
    // A later reader goes on from there, and knows of the first record of b from the log alone.
    const again = await produce(store, "b");
    expect(again.firstTimestamp).toBe(b.firstTimestamp);
    expect(await readOn(new StatusReading(lagged, { space, ...segmentsWanted(all) }, reading.cursor))).toEqual([again]);
  });

  test("that is cut off goes on from its cursor, within the snapshot as well", async () => {
    const store = newStore();
    const names = Array.from({ length: 40 }, (_, index) => `s${String(index).padStart(2, "0")}`);
    for (const name of names) await produce(store, name);
    const told: string[] = [];
    let cursor = "";
    for (let part = 0; part < 20; part += 1) {
      const reading = new StatusReading(store, { space, ...segmentsWanted(all) }, cursor);
      let left = 3;
      for await (const { segment } of reading.snapshot(0, never)) {
        told.push(segment);
        cursor = reading.cursor;
        if ((left -= 1) === 0) break;
      }
      if (left > 0) break;
    }
    expect(told).toEqual(names);
  });

  test.each(Array.from({ length: 40 }, (_, index) => index + 1))(
    "ends with the truth, however it is cut off and whatever lags: seed %i",
    async (seed) => {
      const random = chance(seed);
      const pick = (most: number): number => Math.floor(random() * most);
      const store = newStore();
      const { lagged, apply } = lagging(store);
      const known = new Map<string, SegmentStatus>();
      let cursor = "";
      const hear = (status: SegmentStatus): void => {
        const before = known.get(status.segment);
        expect(status.lastSequence, `seed ${seed}`).toBeGreaterThanOrEqual(before?.lastSequence ?? 1);
        known.set(status.segment, status);
      };
      for (let step = 0; step < 30; step += 1) {
        const what = pick(5);
        if (what <= 1) await produce(store, `s${pick(6)}`, 1 + pick(3));
        else if (what === 2) await apply();
        else {
          const reading = new StatusReading(lagged, { space, ...segmentsWanted(all) }, cursor);
          let left = pick(8);
          for await (const status of reading.snapshot(pick(4), never)) {
            hear(status);
            cursor = reading.cursor;
            if ((left -= 1) < 0) break;
          }
          if (left < 0 || !reading.follows) continue;
          if (pick(2) === 0) await produce(store, `s${pick(6)}`);
          for (const status of await reading.changes(never)) hear(status);
          cursor = reading.cursor;
        }
      }
      const reading = new StatusReading(lagged, { space, ...segmentsWanted(all) }, cursor);
      for (const status of await readOn(reading)) hear(status);
      expect(known, `seed ${seed}`).toEqual(await truth(store));
    },
  );

  test("that is far behind takes it in parts, and each part is the last of its segments", async () => {
    const store = newStore();
    const start = new StatusReading(store, { space, ...segmentsWanted(all) }, "");
    await readOn(start);
    for (let round = 0; round < 3; round += 1) {
      await produce(store, "a", 4_000);
      await produce(store, "b", 100);
    }
    const first = await start.changes(never);
    expect(start.isBehind).toBe(true);
    expect(first.map(({ segment, lastSequence }) => [segment, lastSequence])).toEqual([
      ["a", 10_000],
      ["b", 200],
    ]);
    const rest = await readOn(start);
    expect(rest.map(({ segment, lastSequence }) => [segment, lastSequence])).toEqual([
      ["a", 12_000],
      ["b", 300],
    ]);
  });
});

const statusPath = (store: Store, query = ""): string => `/v1/stores/${store.id}/spaces/orders/status${query}`;

async function* events(path: string, headers = {}, connection = unseenConnection(), from = service) {
  const answer = await from.open("GET", path, { headers: { accept: "text/event-stream", ...headers } }, connection);
  expect(answer.status).toBe(200);
  for await (const piece of answer.body as AsyncIterable<string>) yield piece;
}

describe("the answer", () => {
  test("to a slow reader holds of each segment only the last change", async () => {
    // Its stream does not end before the reader has looked, however long the writes take.
    const patient = await openService({ options: { streamMs: 600_000, heartbeatMs: 600_000 } });
    try {
      const store = patient.services.stores.open(parseStoreId(randomUUID()));
      const stream = events(statusPath(store), {}, unseenConnection(), patient);
      expect((await stream.next()).value).toContain(": live");
      expect((await stream.next()).value).toMatch(/^event: live\n/);
      let a: SegmentStatus | undefined;
      let b: SegmentStatus | undefined;
      for (let index = 0; index < 30; index += 1) {
        b = await produce(store, "b");
        a = await produce(store, "a");
      }
      const told = /^data: (.*)\n\nid: c\d+\ndata: (.*)\n\n$/.exec(String((await stream.next()).value))!;
      expect([JSON.parse(told[1]!), JSON.parse(told[2]!)]).toEqual([a, b]);
      await stream.return();
    } finally {
      await patient.dispose();
    }
  });

  test("that is a stream ends after its time, with the place to go on from", async () => {
    const store = newStore();
    await produce(store, "a");
    let text = "";
    for await (const piece of events(statusPath(store))) text += piece;
    const end = /event: end\nid: c\d+\ndata: \{"next":"(c\d+)"\}\n\n$/.exec(text)!;
    const b = await produce(store, "b");
    const { json } = await service.call("GET", statusPath(store, `?cursor=${end[1]!}`));
    expect(json).toMatchObject({ statuses: [b] });
    expect(service.services.streams.used).toBe(0);
    expect(service.services.watches.size).toBe(0);
  });

  test("in JSON has so many segments at once, then the rest, then what changes", async () => {
    const store = newStore();
    const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];
    for (let block = 0; block < 14; block += 1) {
      const segments = Array.from({ length: 75 }, (_, index) => parseSegmentName(`s${block * 75 + index}`));
      await store.produceAll(
        space,
        segments.map((segment) => ({ segment, records })),
      );
    }
    const told: string[] = [];
    let cursor = "";
    for (let page = 0; page < 3; page += 1) {
      const answer = await service.call("GET", statusPath(store, `?wait=0&cursor=${cursor}`));
      const { statuses, next } = answer.json as unknown as { statuses: SegmentStatus[]; next: string };
      expect(statuses.length).toBeLessThanOrEqual(1_000);
      told.push(...statuses.map(({ segment }) => segment));
      cursor = next;
    }
    expect(new Set(told).size).toBe(1_050);
    expect(told.slice(0, 1_000)).toEqual(told.slice(0, 1_000).toSorted());
    expect(cursor).toMatch(/^c/);
  });

  test("tells of a failure on the way, and of one before the start", async () => {
    const failure = new StoreError("storage_unavailable", "It fails.");
    const id = randomUUID();
    const { stores } = service.services;
    const broken = await openService({
      stores: {
        ...stores,
        open: (storeId) =>
          Object.assign(Object.create(stores.open(storeId)) as Store, {
            appliedThrough: () => Promise.reject(failure),
          }),
      },
    });
    try {
      const path = `/v1/stores/${id}/spaces/orders/status`;
      expect((await broken.call("GET", path)).status).toBe(503);
      const { text } = await broken.call("GET", path, { headers: { accept: "text/event-stream" } });
      expect(text).toMatch(/event: problem\ndata: \{.*"code":"storage_unavailable"/);
    } finally {
      await broken.dispose();
    }
  });
});

/** Mulberry32. */
function chance(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
