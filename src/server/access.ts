// Decides who calls, and who may do what. With keys the Functions host has decided before a request comes here; with
// tokens this file decides.

import { createHash } from "node:crypto";

import { StoreError } from "../core/errors.ts";
import type { StoreId } from "../core/ids.ts";
import type { HttpRequest } from "./http.ts";

/** `manage`: what removes data, or says for how long it is kept. */
export type Permission = "read" | "write" | "manage";

/** A caller whose claims were checked. */
export interface Identity {
  /** Names the caller as far as is known, to count shares by. Never a key or a token. */
  readonly caller: string;
  /** `*`: in all stores. */
  allows(store: StoreId | "*", permission: Permission): boolean;
  /** Tells the caller how to get a missing permission; absent: the app does not know. */
  readonly hint?: string;
}

export interface Access {
  /** `unauthenticated` unless the request says who it is from. */
  authenticate(request: Pick<HttpRequest, "headers" | "url">): Promise<Identity>;
}

/**
 * Lets everyone do everything: the host has checked a key, or the storage is an emulator. A setting allows the calls
 * that remove data, because a key does not tell who may make them. A caller is a key, or else an address.
 */
export function openAccess(manages: boolean): Access {
  return {
    authenticate: (request) =>
      Promise.resolve({
        caller: keyCaller(request) ?? addressCaller(request),
        allows: (_, permission) => manages || permission !== "manage",
        hint: "The setting STREAMKIT_MANAGE allows it: set it to true.",
      }),
  };
}

/** The key that the host has checked: the header's, or else the query's. */
function keyCaller({ headers, url }: Pick<HttpRequest, "headers" | "url">): string | undefined {
  let key = headers.get("x-functions-key") ?? "";
  if (key === "") {
    for (const [name, value] of new URL(url).searchParams) if (name.toLowerCase() === "code") key = value;
  }
  return key === "" ? undefined : `key ${createHash("sha256").update(key).digest("base64url").slice(0, 22)}`;
}

/** A proxy in front of the app adds the address that it sees at the end. */
function addressCaller({ headers }: Pick<HttpRequest, "headers">): string {
  const last = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  return `address ${last.replace(/(?<=[\d\]]):\d+$/, "").slice(0, 64)}`;
}

/** The same answer for a store that exists and one that does not. `*`: what is asked for is of no single store. */
export function authorise(identity: Identity, store: StoreId | "*", permission: Permission): void {
  if (!identity.allows(store, permission)) {
    const hint = identity.hint === undefined ? "" : ` ${identity.hint}`;
    const where = store === "*" ? "in all stores" : "in this store";
    throw new StoreError("permission_denied", `No permission to ${permission} ${where}.${hint}`, {
      details: { permission },
    });
  }
}

/**
 * Reads scopes `streamkit::*`, `streamkit::{store}`, each optionally followed by `::read`, `::write` or `::manage`;
 * ignores others. Without an ending a scope is for the first two: what removes data is given only where it is named.
 */
export function identityOf(caller: string, scopes: Iterable<string>): Identity {
  const granted = new Map<string, Set<Permission>>();
  for (const scope of scopes) {
    const match = /^streamkit::(\*|[0-9a-fA-F-]{36})(?:::(read|write|manage))?$/.exec(scope);
    const store = match?.[1]?.toLowerCase();
    if (store === undefined) continue;
    const permissions = granted.get(store) ?? new Set();
    granted.set(store, permissions);
    const only = match?.[2] as Permission | undefined;
    for (const permission of only === undefined ? (["read", "write"] as const) : [only]) permissions.add(permission);
  }
  return {
    caller,
    allows: (store, permission) =>
      (granted.get("*")?.has(permission) ?? false) || (granted.get(store)?.has(permission) ?? false),
  };
}
