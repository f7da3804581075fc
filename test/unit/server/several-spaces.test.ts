// Several spaces read as one: when one of them fails, the problem says which.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { Compressor } from "../../../src/codec/block.ts";
import { corruptData, StoreError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { clock, json, openService, random, segmentPath } from "./in-process.ts";
import type { Reply, Service } from "./in-process.ts";

const events = { accept: "text/event-stream" };
const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function start(...changes: Parameters<typeof openService>): Promise<Service> {
  const service = await openService(...changes);
  open.push(service);
  return service;
}

const produce = (service: Service, store: string, space: string): Promise<Reply> =>
  service.call("POST", segmentPath(store, space, "g", "/records?encoding=json"), json({ records: [{ payload: 1 }] }));

describe("of several spaces", () => {
  test.each([
    ["cannot be read", new StoreError("storage_unavailable", "The storage is away."), 503],
    ["is damaged", corruptData("a block"), 500],
  ])("the one that %s is named", async (_, failure, status) => {
    const service = await start();
    const store = randomUUID();
    await produce(service, store, "broken");
    const opened = service.services.stores.open(store as never);
    opened.spaceTail = (space) => (space === "broken" ? Promise.reject(failure) : Promise.resolve("" as never));
    const ask = (offset: string, headers = {}) =>
      service.call("POST", `/v1/stores/${store}/consume`, json({ offsets: { s: "", broken: offset } }, headers));
    expect((await ask("end")).json).toMatchObject({ status, space: "broken" });
    const { text } = await ask("", events);
    expect(text).toMatch(/event: problem\ndata: \{.*"space":"broken"/);
  });

  test("the one whose entries cannot be read is named in a page, in lines and in events", async () => {
    const account = new SimulatedAccount({ clock });
    const parts = { account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger };
    const stores = createAzureStoreFactory(parts);
    const service = await start({ stores });
    const store = randomUUID();
    await produce(service, store, "broken");
    const broken = createAzureStoreFactory({
      ...parts,
      compressor: { ...plainCompressor, decompress: () => Promise.reject(corruptData("it")) },
    });
    const reading = await start({ stores: broken });
    const ask = (headers = {}) =>
      reading.call("POST", `/v1/stores/${store}/consume`, json({ offsets: { broken: "", none: "" } }, headers));
    expect((await ask()).json).toMatchObject({ code: "corrupt_data", space: "broken" });
    expect((await ask({ accept: "application/x-ndjson" })).json).toMatchObject({ space: "broken" });
    expect((await ask(events)).text).toContain('"space":"broken"');
    await stores.close();
    await broken.close();
  });

  test("the one that fails while it is followed is named to those who follow, and to those who wait", async () => {
    let isBroken = false;
    const decompress: Compressor["decompress"] = (...given) =>
      isBroken ? Promise.reject(corruptData("it")) : plainCompressor.decompress(...given);
    const stores = createAzureStoreFactory({
      account: new SimulatedAccount({ clock }),
      ...{ notifier: undefined, compressor: { ...plainCompressor, decompress }, clock, random, logger: silentLogger },
    });
    const service = await start({ stores });
    const store = randomUUID();
    const path = `/v1/stores/${store}/consume`;
    const offsets = { well: "", broken: "" };
    const { body } = await service.open("POST", path, json({ offsets }, events));
    const waiting = service.call("POST", `${path}?wait=20`, json({ offsets }));
    let text = "";
    for await (const piece of body as AsyncIterable<string>) {
      text += piece;
      if (!piece.includes("event: live")) continue;
      isBroken = true;
      await produce(service, store, "broken");
    }
    expect(text).toMatch(/event: problem\ndata: \{.*"space":"broken"/);
    expect((await waiting).json).toMatchObject({ code: "corrupt_data", space: "broken" });
    await stores.close();
  });

  test("the one whose news cannot be waited for is named", async () => {
    const service = await start();
    const store = randomUUID();
    const opened = service.services.stores.open(store as never);
    const away = new StoreError("storage_unavailable", "The storage is away.");
    opened.spaceTail = (space) => (space === "away" ? Promise.reject(away) : Promise.resolve("" as never));
    const ask = (query: string, headers = {}) =>
      service.call("POST", `/v1/stores/${store}/consume${query}`, json({ offsets: { well: "", away: "" } }, headers));
    expect((await ask("?wait=20")).json).toMatchObject({ code: "storage_unavailable", space: "away" });
    expect((await ask("", events)).text).toMatch(/event: problem\ndata: \{.*"space":"away"/);
  });

  test("in a live stream of one alone, whether of entries or of statuses, it is named as well", async () => {
    const service = await start();
    const store = randomUUID();
    const opened = service.services.stores.open(store as never);
    opened.spaceTail = () => Promise.reject(new StoreError("storage_unavailable", "The storage is away."));
    for (const path of ["spaces/away/entries", "spaces/away/segments/g/entries", "spaces/away/status"]) {
      const { text } = await service.call("GET", `/v1/stores/${store}/${path}`, { headers: events });
      expect(text, path).toMatch(/event: problem\ndata: \{.*"space":"away"/);
    }
  });
});
