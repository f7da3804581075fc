// What a trigger's own JSON adds to the metadata of its invocation: each member of the object, by its name.
// Promise: as the host does it, and so what an app finds in its metadata may be anybody's.

import type { RpcTypedData } from "./functions-core.ts";

export type TriggerMetadata = Readonly<Record<string, RpcTypedData>>;

/** Of text that is no JSON object: nothing. */
export function membersOf(text: string): TriggerMetadata {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, typed(value)]));
}

/** Names are the same in whatever case; of two the later wins. */
export function merged(...all: readonly TriggerMetadata[]): TriggerMetadata {
  const byName = new Map<string, readonly [string, RpcTypedData]>();
  for (const [name, value] of all.flatMap((metadata) => Object.entries(metadata))) {
    byName.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(byName.values());
}

function typed(value: unknown): RpcTypedData {
  if (value === null) return {};
  if (typeof value === "string") return { string: value };
  if (typeof value === "number") return Number.isSafeInteger(value) ? { int: value } : { double: value };
  return { json: JSON.stringify(value) };
}
