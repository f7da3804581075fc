// Who may do what. With keys the Functions host has decided before a request comes here; with tokens it is decided here.

import { StoreError } from "../core/errors.ts";
import type { StoreId } from "../core/ids.ts";

export type Permission = "read" | "write";

/** A caller whose claims were checked. */
export interface Identity {
  allows(store: StoreId, permission: Permission): boolean;
}

export interface Access {
  /** `unauthenticated` unless the request says who it is from. */
  authenticate(headers: { get(name: string): string | null }): Promise<Identity>;
}

/** Everyone may do everything: the host has checked a key, or the storage is an emulator. */
export const openAccess: Access = {
  authenticate: () => Promise.resolve({ allows: () => true }),
};

/** The same answer for a store that exists and one that does not. */
export function authorise(identity: Identity, store: StoreId, permission: Permission): void {
  if (!identity.allows(store, permission)) {
    throw new StoreError("permission_denied", `No permission to ${permission} in this store.`, {
      details: { permission },
    });
  }
}

/**
 * Reads scopes `streamkit::*`, `streamkit::{store}`, each optionally followed by `::read` or `::write`; ignores others.
 * Without an ending a scope is for both.
 */
export function identityOf(scopes: Iterable<string>): Identity {
  const granted = new Map<string, Set<Permission>>();
  for (const scope of scopes) {
    const match = /^streamkit::(\*|[0-9a-fA-F-]{36})(?:::(read|write))?$/.exec(scope);
    const store = match?.[1]?.toLowerCase();
    if (store === undefined) continue;
    const permissions = granted.get(store) ?? new Set();
    granted.set(store, permissions);
    const only = match?.[2] as Permission | undefined;
    for (const permission of only === undefined ? (["read", "write"] as const) : [only]) permissions.add(permission);
  }
  return {
    allows: (store, permission) =>
      (granted.get("*")?.has(permission) ?? false) || (granted.get(store)?.has(permission) ?? false),
  };
}
