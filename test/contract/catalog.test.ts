// The stores of a deployment, by the same claims on each backend.

import { randomUUID } from "node:crypto";
import { describe, expect, inject, onTestFinished, test } from "vitest";

import { plainCompressor } from "../../src/codec/block.ts";
import { parseStoreId } from "../../src/core/ids.ts";
import type { StoreId } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { StoreCatalog, StoreFacts } from "../../src/store/catalog.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import { createStoreCatalog } from "../../src/store/azure/read/stores.ts";
import { registryTableName } from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { parseConnection } from "../../src/table/connection.ts";
import type { TableAccount } from "../../src/table/port.ts";
import { createTableAccount } from "../../src/table/sdk.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";
import { first, orders, produce, records } from "./given.ts";
import { openLevelBackend } from "./level-backend.ts";

interface Given {
  readonly catalog: StoreCatalog;
  readonly open: (id: StoreId) => Store;
}

function onAzure(account: TableAccount): Given {
  const tablePrefix = `c${randomUUID().slice(0, 8)}`;
  const options = { tablePrefix, storeHeldMs: 100 };
  const deps = { notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger };
  const factory = createAzureStoreFactory({ ...deps, account, options });
  onTestFinished(() => factory.close());
  const registry = account.table(registryTableName(tablePrefix));
  return { open: (id) => factory.open(id), catalog: createStoreCatalog({ ...deps, account, registry, tablePrefix }) };
}

async function onLevel(): Promise<Given> {
  const backend = await openLevelBackend({ compressor: plainCompressor });
  onTestFinished(() => backend.dispose());
  return { open: (id) => backend.store(0, id), catalog: backend.catalog };
}

const emulated = createTableAccount(parseConnection({ AzureWebJobsStorage: inject("azurite") }), { clock, random });

const ids = (count: number): readonly StoreId[] =>
  Array.from({ length: count }, () => parseStoreId(randomUUID())).sort();

const fresh = { label: undefined, removedFrom: undefined };

describe.each<readonly [string, () => Given | Promise<Given>]>([
  ["Azure on the simulated account", () => onAzure(new SimulatedAccount({ clock }))],
  ["Azure on Azurite", () => onAzure(emulated)],
  ["LevelDB", onLevel],
])("the stores, %s", (_, open) => {
  test("a store is listed from its first record on, and told as unused before", async () => {
    const { catalog, open: store } = await open();
    const [id] = ids(1);
    expect(await catalog.list({ limit: 10 })).toEqual({ stores: [], isMore: false });
    expect(await catalog.get(id!)).toEqual({ id, ...fresh, state: "unused" });
    await produce(store(id!), first, records(1));
    expect(await catalog.list({ limit: 10 })).toEqual({ stores: [{ id, ...fresh, state: "active" }], isMore: false });
    expect(await catalog.get(id!)).toEqual({ id, ...fresh, state: "active" });
  });

  test("pages go on by the last id, and together have each store once", async () => {
    const { catalog, open: store } = await open();
    const wanted = ids(5);
    for (const id of [...wanted].reverse()) await produce(store(id), first, records(1));
    const found: StoreFacts[][] = [];
    for (let after: StoreId | undefined, isMore = true; isMore; after = found.at(-1)!.at(-1)!.id) {
      const page = await catalog.list({ after, limit: 2 });
      found.push([...page.stores]);
      ({ isMore } = page);
    }
    expect(found.map((page) => page.map(({ id }) => id))).toEqual([
      wanted.slice(0, 2),
      wanted.slice(2, 4),
      wanted.slice(4),
    ]);
  });

  test("a label is kept through what is deleted and restored, until it is taken away", async () => {
    const { catalog, open: store } = await open();
    const [id] = ids(1);
    const label = "orders of the shop 🎈";
    expect(await catalog.setLabel(id!, "first")).toEqual({ ...fresh, id, label: "first", state: "unused" });
    await produce(store(id!), first, records(1));
    expect(await catalog.setLabel(id!, label)).toEqual({ ...fresh, id, label, state: "active" });
    await store(id!).deleteSpace(orders);
    await store(id!).restoreSpace(orders);
    await store(id!).deleteStore();
    expect(await catalog.get(id!)).toMatchObject({ label, state: "deleted" });
    await store(id!).restoreStore();
    expect(await catalog.list({ limit: 1 })).toMatchObject({ stores: [{ id, label, state: "active" }] });
    expect(await catalog.setLabel(id!, undefined)).toEqual({ id, ...fresh, state: "active" });
    expect((await catalog.get(id!)).label).toBeUndefined();
  });

  test("a label changes nothing of what was deleted before", async () => {
    const { catalog, open: store } = await open();
    const [id] = ids(1);
    await produce(store(id!), first, records(1));
    await store(id!).deleteSpace(orders);
    await catalog.setLabel(id!, "label");
    await expect(store(id!).peek(orders, first)).rejects.toMatchObject({ code: "deleted" });
  });

  test("a deleted store tells until when it can be restored, and takes no label", async () => {
    const { catalog, open: store } = await open();
    const [id] = ids(1);
    await produce(store(id!), first, records(1));
    const { removedFrom } = await store(id!).deleteStore();
    const told = { id, label: undefined, state: "deleted", removedFrom };
    expect(await catalog.get(id!)).toEqual(told);
    expect(await catalog.list({ limit: 1 })).toEqual({ stores: [told], isMore: false });
    await expect(catalog.setLabel(id!, "late")).rejects.toMatchObject({ code: "deleted" });
  });

  test("one that can be restored no more is not listed, and others fill its page", async () => {
    const { catalog, open: store } = await open();
    const [id, other, last] = ids(3);
    for (const each of [id!, other!, last!]) await produce(store(each), first, records(1));
    await store(id!).deleteStore({ erase: true });
    expect(await catalog.get(id!)).toEqual({ id, ...fresh, state: "removed" });
    const page = await catalog.list({ limit: 1 });
    expect([page.stores.map((each) => each.id), page.isMore]).toEqual([[other], true]);
    expect((await catalog.list({ limit: 2 })).isMore).toBe(false);
  });
});

test("tables of other deployments, and what is no store's, are not listed", async () => {
  const account = new SimulatedAccount({ clock });
  const digits = randomUUID().replaceAll("-", "");
  for (const name of [`ska${digits}`, `sk${digits}0`, "skregistry", `sk${digits}`]) await account.table(name).create();
  const registry = account.table("skregistry");
  const { stores } = await createStoreCatalog({ account, registry, tablePrefix: "sk", clock, random }).list({
    limit: 9,
  });
  expect(stores.map(({ id }) => id.replaceAll("-", ""))).toEqual([digits]);
});
