// LevelDB lets one process in, so both instances are in one app. A caller says which one it means by the version digit
// of the store's id: 4, as random UUIDs have it, is the first; 5 is the second.

import type { StoreId } from "../../../src/core/ids.ts";
import { parseStoreId } from "../../../src/core/ids.ts";
import type { Instance } from "../backend.ts";

const versionAt = 14;

/** The id to ask for, of an instance's view of this store. */
export function idAt(instance: Instance, id: StoreId): StoreId {
  return instance === 0 ? id : withVersion(id, "5");
}

export function instanceOf(id: StoreId): Instance {
  return id[versionAt] === "5" ? 1 : 0;
}

export function plainId(id: StoreId): StoreId {
  return withVersion(id, "4");
}

function withVersion(id: StoreId, digit: string): StoreId {
  return parseStoreId(`${id.slice(0, versionAt)}${digit}${id.slice(versionAt + 1)}`);
}
