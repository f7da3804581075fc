// The LevelDB backend in this process: two instances are two factories over one database in a folder of its own.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Compressor } from "../../src/codec/block.ts";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import type { StoreId } from "../../src/core/ids.ts";
import type { Entry } from "../../src/core/entry.ts";
import { LevelDatabase } from "../doubles/level/database.ts";
import { createLevelCatalog } from "../doubles/level/catalog.ts";
import { createLevelStoreFactory } from "../doubles/level/factory.ts";
import { storeKeys } from "../doubles/level/keys.ts";
import type { Keyspace } from "../doubles/level/keyspace.ts";
import { openKeyspace } from "../doubles/level/keyspace.ts";
import { readLastToken } from "../../src/lease/leases.ts";
import type { StoreCatalog } from "../../src/store/catalog.ts";
import type { StoreFactory } from "../../src/store/store.ts";
import type { Table } from "../../src/table/port.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";
import type { Backend, Instance } from "./backend.ts";
import { grantIn } from "./grants.ts";
import { FaultyPages, MortalWay } from "./faulty-keyspace.ts";

/** Where the leases of the stores are kept: they have no LevelDB side. */
const account = new SimulatedAccount({ clock });
export const registry = account.table("registry");
export const leases = (id: StoreId): Table => account.table(`s${id.replaceAll("-", "")}`);

export interface LevelBackendOptions {
  readonly compressor: Compressor;
  /** Where the database is; whoever names one removes it. Default: a new one, which is removed in the end. */
  readonly folder?: string;
}

export interface LevelBackend extends Backend {
  readonly catalog: StoreCatalog;
}

export async function openLevelBackend({ compressor, folder: given }: LevelBackendOptions): Promise<LevelBackend> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), "streamkit-level-")));
  const disk = await openKeyspace(folder);
  const pages = new FaultyPages();
  const keyspace = pages.over(disk);
  const database = new LevelDatabase(keyspace);
  let mortal = new MortalWay();
  const lastToken = (id: StoreId, key: string): Promise<number> => readLastToken(leases(id), key);

  const start = (): StoreFactory => {
    mortal = new MortalWay();
    const way = new LevelDatabase(mortal.over(keyspace), database);
    return createLevelStoreFactory({ database: way, compressor, clock, random, lastToken });
  };
  const factories: Record<Instance, StoreFactory> = {
    0: start(),
    1: createLevelStoreFactory({ database, compressor, clock, random, lastToken }),
  };

  return {
    store: (instance, id) => factories[instance].open(id),
    catalog: createLevelCatalog(disk),
    names: { space: parseSpaceName, segment: parseSegmentName },
    faults: {
      failReads: (afterPages) => {
        pages.left = afterPages;
        return Promise.resolve();
      },
      crash: (when, commits) => {
        mortal.plan = { when, commits };
        return Promise.resolve();
      },
      corrupt: (id, view, entry) => spoil(disk, id, view, entry),
      pagesRead: () => Promise.resolve(pages.read),
      heal: () => {
        pages.left = Infinity;
        if (mortal.plan !== undefined) factories[0] = start();
        return Promise.resolve();
      },
    },
    grant: (id, key) => grantIn(leases(id), key),
    async dispose() {
      await Promise.all([factories[0].close(), factories[1].close()]);
      await disk.close();
      if (given === undefined) await rm(folder, { recursive: true });
    },
  };
}

/** Puts nonsense where the block or the log record is that holds this entry. */
async function spoil(disk: Keyspace, id: StoreId, view: "segment" | "space", entry: Entry): Promise<void> {
  const keys = storeKeys(id);
  const range =
    view === "segment"
      ? keys.blocks(entry.space, entry.segment, entry.sequence)
      : keys.records(entry.space, entry.timestamp);
  for await (const [row] of disk.pages(range)) {
    if (row !== undefined) await disk.write([{ key: row.key, value: Buffer.from("not what was written") }]);
    return;
  }
  throw new Error(`There is nothing to spoil at ${entry.segment} ${entry.sequence}.`);
}
