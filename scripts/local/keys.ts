// The keys that guard functions, when the local host is asked to check them (`func start` does not either).
// Promise: what is refused here is refused on Azure, for the same key sent in the same place.

import { readFileSync } from "node:fs";
import * as z from "zod";

export type AuthLevel = "anonymous" | "function" | "admin";

export interface KeyRing {
  /** Whether a request with these credentials may call the function. */
  allows(level: AuthLevel, functionName: string | undefined, presented: string | undefined): boolean;
}

const named = z.record(z.string(), z.string().min(1)).default({});
const keysFile = z.strictObject({
  /** Opens everything. */
  master: z.string().min(1),
  /** By name: each opens every function of level `function`. */
  host: named,
  /** By function, then by name: each opens its function. */
  functions: z.record(z.string(), named).default({}),
});

const openToAll: KeyRing = { allows: () => true };

/** `setting`: the keys as JSON, or the path of a file that holds them; without it nothing is checked. */
export function readKeyRing(setting: string | undefined): KeyRing {
  if (setting === undefined || setting === "") return openToAll;
  const json: unknown = JSON.parse(setting.trimStart().startsWith("{") ? setting : readFileSync(setting, "utf8"));
  const keys = keysFile.parse(json);
  const ofFunctions = new Map(Object.entries(keys.functions).map(([name, byName]) => [name.toLowerCase(), byName]));
  return {
    allows(level, functionName, presented) {
      if (level === "anonymous") return true;
      if (presented === undefined) return false;
      if (presented === keys.master) return true;
      if (level === "admin" || functionName === undefined) return false;
      const own = ofFunctions.get(functionName.toLowerCase()) ?? {};
      return [...Object.values(keys.host), ...Object.values(own)].includes(presented);
    },
  };
}

/**
 * The key of a request: the header, else `code`, in any case, of the query; a wrong header is not made good by the
 * query.
 */
export function presentedKey(header: string | undefined, query: URLSearchParams): string | undefined {
  return header ?? [...query].find(([name]) => name.toLowerCase() === "code")?.[1];
}
