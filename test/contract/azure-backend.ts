// The Azure backend in this process, over any storage account: two instances are two factories that share nothing else.

import type { Compressor } from "../../src/codec/block.ts";
import { toHex } from "../../src/codec/lexkey.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Entry } from "../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import {
  blockRange,
  logPartition,
  recordRange,
  segmentPartition,
  storeTableName,
} from "../../src/store/azure/rows/keys.ts";
import type { Store, StoreFactory } from "../../src/store/store.ts";
import type { TableAccount } from "../../src/table/port.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";
import type { Backend } from "./backend.ts";
import { grantIn } from "./grants.ts";
import { FaultyQueries, MortalClient } from "./faulty-tables.ts";

export interface AzureBackendOptions {
  readonly account: TableAccount;
  readonly compressor: Compressor;
  /** Default: as many as the account gives. */
  readonly pageRowsMax?: number;
}

export function openAzureBackend({ account, compressor, pageRowsMax }: AzureBackendOptions): Promise<Backend> {
  // Only this run's: an account may be shared with others.
  const tablePrefix = `c${toHex(crypto.getRandomValues(new Uint8Array(4)))}`;
  const queries = new FaultyQueries(pageRowsMax ?? Infinity);
  const faulty = queries.over(account);
  const factoryOver = (over: TableAccount): StoreFactory =>
    createAzureStoreFactory({
      account: over,
      notifier: undefined,
      compressor,
      clock,
      random,
      logger: silentLogger,
      options: { tablePrefix },
    });
  const start = (): { readonly client: MortalClient; readonly factory: StoreFactory } => {
    const client = new MortalClient();
    return { client, factory: factoryOver(client.over(faulty)) };
  };
  let mortal = start();
  const other = factoryOver(faulty);

  return Promise.resolve({
    store: (instance, id) => (instance === 1 ? other.open(id) : cutAt(mortal.client.died, mortal.factory.open(id))),
    names: { space: parseSpaceName, segment: parseSegmentName },
    faults: {
      failReads: (afterPages) => {
        queries.left = afterPages;
        return Promise.resolve();
      },
      crash: (when, commits) => {
        mortal.client.crash(when, commits);
        return Promise.resolve();
      },
      corrupt: (id, view, entry) => spoil(account, storeTableName(tablePrefix, id), view, entry),
      pagesRead: () => Promise.resolve(queries.read),
      heal: () => {
        queries.left = Infinity;
        if (mortal.client.doomed) mortal = start();
        return Promise.resolve();
      },
    },
    grant: (id, key) => grantIn(account.table(storeTableName(tablePrefix, id)), key),
    dispose: async () => {
      await Promise.all([mortal.factory.close(), other.close()]);
    },
  } satisfies Backend);
}

/** A store whose callers learn that its process died, as they would from the connection to it. */
function cutAt(death: Promise<void>, store: Store): Store {
  const cut = death.then(() => {
    throw new StoreError("storage_unavailable", "The process has died.", { effect: "unknown" });
  });
  cut.catch(() => undefined);
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        if (answer instanceof Promise) return Promise.race([answer, cut]);
        return isStream(answer) ? cutStream(answer, cut) : answer;
      };
    },
  });
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* cutStream(items: AsyncIterable<unknown>, cut: Promise<never>): AsyncGenerator {
  const iterator = items[Symbol.asyncIterator]();
  let leave = (): unknown => iterator.return?.();
  cut.catch(() => {
    // What the dead were doing never ends.
    leave = () => undefined;
  });
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), cut]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await leave();
  }
}

/** Puts nonsense where the block or the log record is that holds this entry. */
export async function spoil(
  account: TableAccount,
  name: string,
  view: "segment" | "space",
  entry: Entry,
): Promise<void> {
  const { space, segment, sequence, timestamp } = entry;
  const range =
    view === "segment"
      ? blockRange(segmentPartition(space, segment), sequence, Number.MAX_SAFE_INTEGER)
      : recordRange(logPartition(space), timestamp, timestamp);
  const table = account.table(name);
  const row = (await table.query(range, { top: 1 })).rows[0];
  if (row === undefined) throw new Error(`There is nothing to spoil at ${segment} ${sequence}.`);
  const properties = { ...row.properties, d00: Buffer.from("not what was written") };
  await table.submit(row.partition, [{ kind: "upsert", row: row.row, properties }]);
}
