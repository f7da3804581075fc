// The stores of a keyspace: those that have a space, by the ids that their keys begin with.

import { parseStoreId } from "../../../src/core/ids.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import { deleted } from "../../../src/core/errors.ts";
import type { StoreCatalog, StoreFacts } from "../../../src/store/catalog.ts";
import { storeEnding } from "./deletion.ts";
import { storeKeys } from "./keys.ts";
import type { Keyspace } from "./keyspace.ts";

const idBytes = 16;
const pastAll = new Uint8Array(idBytes + 1).fill(0xff);

export function createLevelCatalog(keyspace: Keyspace): StoreCatalog {
  const get = async (id: StoreId): Promise<StoreFacts> => {
    const keys = storeKeys(id);
    const ending = await storeEnding(keyspace, keys);
    const label = await keyspace.get(keys.label());
    const hasSpaces = (await keyspace.last(keys.spaces(undefined))) !== undefined;
    return {
      id,
      label: label === undefined ? undefined : Buffer.from(label).toString(),
      ...(ending ?? { state: hasSpaces ? "active" : "unused", removedFrom: undefined }),
    };
  };
  return {
    async list({ after, limit }) {
      const found: StoreFacts[] = [];
      let from: Uint8Array = after === undefined ? new Uint8Array(1) : past(after);
      while (found.length <= limit) {
        const id = await nextStore(keyspace, from);
        if (id === undefined) break;
        from = past(id);
        const facts = await get(id);
        if (facts.state === "active" || facts.state === "deleted") found.push(facts);
      }
      return { stores: found.slice(0, limit), isMore: found.length > limit };
    },
    get,
    async setLabel(id, label) {
      const { removedFrom, state } = await get(id);
      if (state === "deleted" || state === "removed") throw deleted({ store: id }, removedFrom);
      const value = label === undefined ? undefined : Buffer.from(label);
      await keyspace.write([{ key: storeKeys(id).label(), value }]);
      return get(id);
    },
  };
}

async function nextStore(keyspace: Keyspace, from: Uint8Array): Promise<StoreId | undefined> {
  for await (const [first] of keyspace.pages({ from, to: pastAll })) {
    const digits = Buffer.from(first!.key.subarray(0, idBytes)).toString("hex");
    return parseStoreId(digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
  }
  return undefined;
}

/** Behind all keys of a store. */
function past(id: StoreId): Uint8Array {
  return Buffer.from(`${id.replaceAll("-", "")}ff`, "hex");
}
