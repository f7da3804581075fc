// Statuses of a space of which some segments' heads cannot be read: those are told as such, and the others are told.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { SegmentStatus } from "../../../src/core/entry.ts";
import { noMetadata } from "../../../src/core/entry.ts";
import type { StoreError } from "../../../src/core/errors.ts";
import { corruptData, NewerFormat } from "../../../src/core/errors.ts";
import type { SegmentName } from "../../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { Store } from "../../../src/store/store.ts";
import { openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

const space = parseSpaceName("orders");
const statusPath = (store: Store, query = ""): string => `/v1/stores/${store.id}/spaces/orders/status${query}`;

async function produce(store: Store, segment: string): Promise<SegmentStatus> {
  const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];
  let last: SegmentStatus | undefined;
  for await (const { status } of store.produce(space, parseSegmentName(segment), records)) last = status;
  return last!;
}

const failures = new Map<string, StoreError>([
  ["b", corruptData("property l of row 00")],
  ["d", new NewerFormat("the head of a segment", 2n, 1n)],
]);
const unreadable = [...failures].map(([segment, { message: reason }]) => ({ segment, reason }));

async function spoilt() {
  const { stores } = service.services;
  const logged: unknown[] = [];
  const own = await openService({
    stores: {
      ...stores,
      open: (id) => {
        const store = stores.open(id);
        return Object.assign(Object.create(store) as Store, {
          appliedThrough: () => store.appliedThrough(space),
          consumeSpace: (...args: Parameters<Store["consumeSpace"]>) => store.consumeSpace(...args),
          getSegments: (...args: Parameters<Store["getSegments"]>) => store.getSegments(...args),
          spaceTail: (...args: Parameters<Store["spaceTail"]>) => store.spaceTail(...args),
          onCommit: (...args: Parameters<Store["onCommit"]>) => store.onCommit(...args),
          getSegmentStatus: (_: unknown, segment: SegmentName) => {
            const failure = failures.get(segment);
            return failure === undefined ? store.getSegmentStatus!(space, segment) : Promise.reject(failure);
          },
        });
      },
    },
    logger: { ...silentLogger, error: (message, fields) => void logged.push({ message, ...fields }) },
    options: { streamMs: 400, heartbeatMs: 60_000 },
  });
  const store = stores.open(parseStoreId(randomUUID()));
  for (const name of ["a", "b", "c", "d", "e"]) await produce(store, name);
  return { own, store, logged };
}

test("a segment whose head cannot be read is told as such and logged, and the others are told, in JSON and as a stream, of all and by prefix", async () => {
  const { own, store, logged } = await spoilt();
  try {
    const page = await own.call("GET", statusPath(store));
    const told = page.json as unknown as { readonly statuses: SegmentStatus[]; readonly next: string };
    expect(page.status).toBe(200);
    expect(told.statuses.map(({ segment }) => segment)).toEqual(["a", "c", "e"]);
    expect(told).toMatchObject({ unreadable });
    expect(told.next).toMatch(/^c/);
    const fields = { store: store.id, space };
    expect(logged).toMatchObject(
      unreadable.map(({ segment }) => ({ ...fields, segment, error: failures.get(segment) })),
    );
    expect((await own.call("GET", statusPath(store, "?prefix=b"))).json).toMatchObject({
      statuses: [],
      unreadable: [{ segment: "b" }],
    });
    const { text } = await own.call("GET", statusPath(store), { headers: { accept: "text/event-stream" } });
    const events = [...text.matchAll(/(?:^|\n)(?:event: (\w+)\n)?(?:id: .*\n)?data: \{.*?"segment":"(\w)"/g)];
    expect(events.map(([, event, segment]) => [event, segment]).toSorted()).toEqual(
      [
        [undefined, "a"],
        ["unreadable", "b"],
        [undefined, "c"],
        ["unreadable", "d"],
        [undefined, "e"],
      ].toSorted(),
    );
    expect(text).toContain("event: live");
  } finally {
    await own.dispose();
  }
});

test("one whose first entry nobody remembers is told as such when it changes, and ends the wait", async () => {
  const { own, store } = await spoilt();
  try {
    const { json } = await own.call("GET", statusPath(store));
    const { next } = json as unknown as { readonly next: string };
    await produce(store, "b");
    const c = await produce(store, "c");
    expect((await own.call("GET", statusPath(store, `?cursor=${next}`))).json).toMatchObject({
      statuses: [c],
      unreadable: [{ segment: "b" }],
    });
    const after = (await own.call("GET", statusPath(store, `?cursor=${next}`))).json as unknown as { next: string };
    const waiting = own.call("GET", statusPath(store, `?wait=30&cursor=${after.next}`));
    await produce(store, "d");
    expect((await waiting).json).toMatchObject({ statuses: [], unreadable: [{ segment: "d" }] });
  } finally {
    await own.dispose();
  }
});

test("the failure itself is the answer when it is the one that is asked for", async () => {
  const { own, store } = await spoilt();
  try {
    const answer = await own.call("GET", statusPath(store, "?segment=b"));
    expect(answer).toMatchObject({ status: 500, json: { code: "corrupt_data" } });
    expect((await own.call("GET", statusPath(store, "?segment=a"))).json).not.toHaveProperty("unreadable");
  } finally {
    await own.dispose();
  }
});
