// Which entries of a space a reader wants: of segments whose names begin alike, or with some metadata.

import type { Metadata } from "./entry.ts";
import { invalidArgument } from "./errors.ts";
import type { SegmentName, SegmentPrefix } from "./ids.ts";

export interface EntryFilter {
  /** The segment's name begins with one of them; none: any does. */
  readonly prefixes: readonly SegmentPrefix[];
  /** By key of the metadata: the entry has one of the values, of every key that is here. */
  readonly where: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Every entry. */
export const anyEntry: EntryFilter = { prefixes: [], where: new Map() };

export function filtersAnything({ prefixes, where }: EntryFilter): boolean {
  return prefixes.length > 0 || where.size > 0;
}

export function matchesSegment({ prefixes }: EntryFilter, segment: SegmentName): boolean {
  return prefixes.length === 0 || prefixes.some((prefix) => segment.startsWith(prefix));
}

export function matchesEntry(
  filter: EntryFilter,
  { segment, metadata }: { readonly segment: SegmentName; readonly metadata: Metadata },
): boolean {
  if (!matchesSegment(filter, segment)) return false;
  for (const [key, values] of filter.where) {
    const value = metadata.get(key);
    if (value === undefined || !values.has(value)) return false;
  }
  return true;
}

/** `key:value`, of which the key ends at the first colon: conditions of one key allow any of their values. */
export function parseWhere(conditions: readonly string[]): EntryFilter["where"] {
  const where = new Map<string, Set<string>>();
  for (const condition of conditions) {
    const at = condition.indexOf(":");
    if (at < 1) throw invalidArgument("where", "key:value, a key of the metadata and the value it has", condition);
    const key = condition.slice(0, at);
    const values = where.get(key) ?? new Set<string>();
    where.set(key, values.add(condition.slice(at + 1)));
  }
  return where;
}
