// Reads of a space that want some of its entries, over HTTP: pages, lines, events and long polls.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { clock, json, openService, random, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function given(changes: Parameters<typeof openService>[0] = {}) {
  const service = await openService(changes);
  open.push(service);
  const store = randomUUID();
  const produce = (segment: string, kind: string) =>
    service.call(
      "POST",
      segmentPath(store, "orders", segment, "/records?encoding=json"),
      json({ records: [{ payload: `${segment} ${kind}`, metadata: { kind } }] }),
    );
  const entries = `/v1/stores/${store}/spaces/orders/entries?encoding=json`;
  const payloads = async (query: string) => {
    const { json: page } = await service.call("GET", `${entries}${query}`);
    return page.entries.map(({ payload }) => payload);
  };
  return { service, store, produce, entries, payloads };
}

describe("a filtered page", () => {
  test("takes a prefix and a condition any number of times", async () => {
    const { produce, payloads } = await given();
    for (const segment of ["a1", "a2", "b"]) for (const kind of ["x", "y:z"]) await produce(segment, kind);
    expect(await payloads("&prefix=a2&prefix=b")).toEqual(["a2 x", "a2 y:z", "b x", "b y:z"]);
    expect(await payloads("&where=kind:y:z")).toEqual(["a1 y:z", "a2 y:z", "b y:z"]);
    expect(await payloads("&where=kind:x&where=kind:y:z&prefix=b")).toEqual(["b x", "b y:z"]);
    expect(await payloads("&where=kind:x&where=other:x")).toEqual([]);
  });

  test("goes on behind what it hid, and says that it came to the end", async () => {
    const { service, produce, entries } = await given();
    for (const kind of ["x", "x", "y"]) await produce("a", kind);
    const { json: empty } = await service.call("GET", `${entries}&prefix=b`);
    expect(empty).toMatchObject({ entries: [], end: true });
    const { json: rest } = await service.call("GET", `${entries}&offset=${empty.next}`);
    expect(rest.entries).toEqual([]);
    const { json: first } = await service.call("GET", `${entries}&where=kind:x&limit=1`);
    const { json: second } = await service.call("GET", `${entries}&where=kind:x&limit=1&offset=${first.next}`);
    expect(second.entries.map(({ payload }) => payload)).toEqual(["a x"]);
  });

  test.each([
    ["&where=nothing", "where"],
    ["&where=:x", "where"],
    ["&prefix=", "prefix"],
    ["&prefix=a%25", "prefix"],
    ["&prefix=a".repeat(17), "prefix"],
  ])("refuses %s", async (query, field) => {
    const { service, entries } = await given();
    const { status, json: problem } = await service.call("GET", `${entries}${query}`);
    expect(status).toBe(400);
    expect((problem as unknown as { field: string }).field).toContain(field);
  });

  test("looks for ten seconds, and is asked again from where it came to", async () => {
    let elapsed = 0;
    const { service, produce, entries } = await given({ clock: { ...clock, elapsed: () => elapsed } });
    for (let count = 0; count < 5; count += 1) await produce("a", "x");
    await produce("b", "x");
    // Each look at the clock is three seconds later than the one before.
    service.services.clock.elapsed = () => (elapsed += 3_000);
    const { json: page } = await service.call("GET", `${entries}&prefix=b`);
    expect(page.entries).toEqual([]);
    expect(page).not.toHaveProperty("end");
    const { json: rest } = await service.call("GET", `${entries}&offset=${page.next}`);
    expect(rest.entries.length).toBeGreaterThan(0);
    expect(rest.entries.length).toBeLessThan(6);
  });
});

test("lines, events and several spaces are filtered as pages are", async () => {
  const { service, store, produce, entries } = await given();
  for (const segment of ["a", "b"]) await produce(segment, "x");
  const lines = await service.call("GET", `${entries}&prefix=b`, { headers: { accept: "application/x-ndjson" } });
  expect(lines.lines[0]).toMatchObject({ segment: "b" });
  expect(lines.lines[1]).toMatchObject({ end: true });
  const body = { offsets: { orders: "" }, prefix: ["b"], where: ["kind:x"] };
  const { json: merged } = await service.call("POST", `/v1/stores/${store}/consume`, json(body));
  expect(merged.entries).toMatchObject([{ segment: "b" }]);
  const events = await service.open("GET", `${entries}&prefix=b`, { headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const piece of events.body as AsyncIterable<string>) {
    text += piece;
    if (text.includes("event: live")) break;
  }
  expect(text.match(/^data: .*"segment":"(.)"/gm)).toHaveLength(1);
});

test("a heartbeat of events tells how far a filter has come", async () => {
  const { service, produce, entries } = await given({ options: { streamMs: 60_000, heartbeatMs: 30 } });
  await produce("b", "x");
  const events = await service.open("GET", `${entries}&prefix=b`, { headers: { accept: "text/event-stream" } });
  let text = "";
  let produced: string | undefined;
  for await (const piece of events.body as AsyncIterable<string>) {
    text += piece;
    if (produced === undefined && text.includes("event: live")) {
      await produce("a", "x");
      produced = (await service.call("GET", `${entries}&offset=end`)).json.next as string;
    }
    const beats = [...text.matchAll(/event: heartbeat\nid: (.*)/g)].map(([, id]) => id);
    const last = (await service.call("GET", entries)).json.entries.at(-1)?.offset;
    if (beats.includes(last)) break;
    expect(beats.length, "heartbeats until the hidden entry is passed").toBeLessThan(200);
  }
  expect(produced).toBeDefined();
});

test("what a prefix hides is not decompressed", async () => {
  let decoded = 0;
  const compressor = {
    ...plainCompressor,
    decompress: (data: Uint8Array, bytesMax: number) => {
      decoded += 1;
      return plainCompressor.decompress(data, bytesMax);
    },
  };
  const account = new SimulatedAccount({ clock });
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor, clock, random, logger: silentLogger },
  });
  const { produce, payloads } = await given({ stores });
  for (const segment of ["a", "b", "a", "a"]) await produce(segment, "x");
  decoded = 0;
  expect(await payloads("&prefix=b")).toEqual(["b x"]);
  expect(decoded).toBe(1);
});
