// The stores of a deployment, as its tables and the rows of its stores tell.
//
// Promise: a store is listed from before its first record is answered: its table is what says that it is there, so a
// store that an earlier version made is listed, too. A label is one conditional write of the row that also says whether
// the store was deleted: neither loses the other.

import type { Clock, Random } from "../../../core/clock.ts";
import { StoreError } from "../../../core/errors.ts";
import { parseStoreId } from "../../../core/ids.ts";
import type { StoreId } from "../../../core/ids.ts";
import { changeRow } from "../../../table/change-row.ts";
import type { Table, TableAccount } from "../../../table/port.ts";
import type { StoreCatalog, StoreFacts } from "../../catalog.ts";
import { asStoreError } from "../instance/failure.ts";
import { endedError } from "../rows/endings.ts";
import { storeTableName } from "../rows/keys.ts";
import type { StoreRow } from "../rows/store-row.ts";
import { decodeStoreRow, encodeStoreRow, newStore, storeRowKey, storeRowPartition } from "../rows/store-row.ts";

export interface StoreCatalogDeps {
  readonly account: Pick<TableAccount, "tableNames">;
  readonly registry: Table;
  readonly tablePrefix: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** Does no request. */
export function createStoreCatalog({ account, tablePrefix, ...deps }: StoreCatalogDeps): StoreCatalog {
  const { registry } = deps;
  const rowOf = async (id: StoreId): Promise<StoreRow> => {
    const { row } = await registry.get(storeRowPartition(id), storeRowKey(id));
    return row === undefined ? newStore : decodeStoreRow(row);
  };
  const hasTable = async (id: StoreId): Promise<boolean> => {
    const name = storeTableName(tablePrefix, id);
    for await (const found of account.tableNames(name.slice(0, -1), `${name}0`)) {
      if (found.toLowerCase() === name.toLowerCase()) return true;
    }
    return false;
  };
  const list: StoreCatalog["list"] = async ({ after, limit }) => {
    const found: StoreFacts[] = [];
    let ids: StoreId[] = [];
    const take = async (): Promise<void> => {
      const facts = await Promise.all(ids.map(async (id) => factsOf(id, await rowOf(id), true)));
      found.push(...facts.filter(({ state }) => state !== "removed"));
      ids = [];
    };
    const from = after === undefined ? tablePrefix : storeTableName(tablePrefix, after);
    // All digits of an id sort before it.
    for await (const name of account.tableNames(from, `${tablePrefix}g`)) {
      const id = storeOf(name, tablePrefix);
      if (id === undefined) continue;
      ids.push(id);
      if (found.length + ids.length <= limit) continue;
      await take();
      if (found.length > limit) break;
    }
    await take();
    return { stores: found.slice(0, limit), isMore: found.length > limit };
  };
  return {
    list: (options) => told(list(options)),
    get: (id) => told(Promise.all([rowOf(id), hasTable(id)]).then(([row, isThere]) => factsOf(id, row, isThere))),
    setLabel: async (id, label) => {
      const place = { table: registry, partition: storeRowPartition(id), row: storeRowKey(id) };
      const changed = await changeRow<StoreRow>(place, deps, ({ row }) => {
        const before = row === undefined ? newStore : decodeStoreRow(row);
        if (before.ending !== undefined) throw endedError({ store: id }, before.ending);
        const outcome = { ...before, label };
        if (before.label === label) return { outcome, change: undefined };
        return { outcome, change: { kind: "put", properties: encodeStoreRow(outcome) } };
      });
      return factsOf(id, changed, await told(hasTable(id)));
    },
  };
}

function factsOf(id: StoreId, { ending, label }: StoreRow, isThere: boolean): StoreFacts {
  if (ending === undefined) return { id, label, state: isThere ? "active" : "unused", removedFrom: undefined };
  const isDeleted = ending.state === "deleted";
  return {
    ...{ id, label, state: isDeleted ? "deleted" : "removed" },
    removedFrom: isDeleted ? ending.removeAt : undefined,
  };
}

/** Undefined: it is no store's table, or one of another deployment. */
function storeOf(name: string, prefix: string): StoreId | undefined {
  const digits = name.slice(prefix.length).toLowerCase();
  const [, ...parts] = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(digits) ?? [];
  return parts.length === 0 ? undefined : parseStoreId(parts.join("-"));
}

async function told<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw error instanceof StoreError ? error : asStoreError(error, "none");
  }
}
