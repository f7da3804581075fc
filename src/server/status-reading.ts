// A reading of statuses: the segments that there are, then those that change; and how far it has come.
//
// Promise: no change is missed, whatever is committed, applied or read meanwhile. Before the segments are read, the
// store says up to when all records are applied: what came later is read from the space's log, which has every record
// as soon as it is committed. A status may be told twice. Memory is bounded, whatever the space holds. A segment whose
// head cannot be read costs the others nothing: it is told as such.

import { LRUCache } from "lru-cache";

import { compareUtf8 } from "../codec/lexkey.ts";
import type { Entry, SegmentStatus } from "../core/entry.ts";
import { emptyStatus } from "../core/entry.ts";
import { invalidArgument, isUnreadable, StoreError } from "../core/errors.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { parseSegmentName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { anyName, isWantedSegment } from "../core/segments-wanted.ts";
import type { SegmentsWanted } from "../core/segments-wanted.ts";
import type { MinOptions, Store, StreamOptions } from "../store/store.ts";
import { decodeName, encodeName } from "../wire/names.ts";

/** Which segments of a space. */
export interface StatusesWanted extends SegmentsWanted {
  readonly space: SpaceName;
}

/** A segment whose status cannot be read, and why: its head is damaged, or newer than this version. */
export interface UnreadableStatus {
  readonly segment: SegmentName;
  readonly error: StoreError;
}

/** Statuses read at the same time. */
const readsMax = 16;
/** Entries taken together as one change: how much a reader that is behind reads before it tells anything. */
const entriesMax = 10_000;
/** Segments that are remembered; others are asked for again, and may be told again. */
const segmentsMax = 10_000;

interface Known {
  /** Where it begins, as last read: a later trim is told with the next status that is read whole. */
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly lastSequence: number;
}

/** Still in the snapshot, after a name; or among the changes, after a timestamp. */
type Place =
  | { readonly kind: "start" }
  /** `through`: up to when all records were applied when the snapshot began. */
  | { readonly kind: "snapshot"; readonly through: number; readonly after: string }
  | { readonly kind: "changes"; readonly after: number };

export class StatusReading {
  readonly #store: Store;
  readonly #wanted: StatusesWanted;
  readonly #known = new LRUCache<SegmentName, Known>({ max: segmentsMax });
  #place: Place;
  #isBehind = false;
  #unreadable: UnreadableStatus[] = [];

  /** `cursor`: as it was given before; `invalid_argument` for anything else. Empty: from the start. */
  constructor(store: Store, wanted: StatusesWanted, cursor: string) {
    this.#store = store;
    this.#wanted = wanted;
    this.#place = parseCursor(cursor);
  }

  /** Where to go on from. */
  get cursor(): string {
    return cursorOf(this.#place);
  }

  /**
   * The segments that there are, in the order of their names, from the present place on; nothing when that is behind
   * them.
   */
  async *snapshot(limit: number, signal: AbortSignal): AsyncGenerator<SegmentStatus, void, undefined> {
    const { space } = this.#wanted;
    if (this.#place.kind === "start") {
      this.#place = { kind: "snapshot", through: await this.#store.appliedThrough(space, { signal }), after: "" };
    }
    if (this.#place.kind === "changes") return;
    const { through } = this.#place;
    let answered = 0;
    for await (const names of groups(this.#names(this.#place.after, limit, signal), readsMax)) {
      const statuses = await Promise.all(names.map((name) => this.#statusOf(name, signal)));
      for (const [index, name] of names.entries()) {
        const status = statuses[index];
        this.#place = { kind: "snapshot", through, after: name };
        answered += 1;
        if (status === undefined) continue;
        this.#remember(status);
        if (status.lastSequence > 0) yield status;
      }
    }
    if (limit === 0 || answered < limit) this.#place = { kind: "changes", after: through };
  }

  /** The statuses that could not be read since the last call. A caller that tells a place must tell these before. */
  takeUnreadable(): readonly UnreadableStatus[] {
    const taken = this.#unreadable;
    this.#unreadable = [];
    return taken;
  }

  /** Whether the snapshot is done. */
  get follows(): boolean {
    return this.#place.kind === "changes";
  }

  /** Whether there was more than was read at once: there may be changes already. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Returns the last status of each segment that has changed since, in the order of names. */
  async changes(signal: AbortSignal): Promise<readonly SegmentStatus[]> {
    if (this.#place.kind !== "changes") throw new StoreError("internal", "The snapshot comes before the changes.");
    const { after } = this.#place;
    const { space } = this.#wanted;
    const lasts = new Map<SegmentName, Entry>();
    let reached = after;
    let read = 0;
    this.#isBehind = false;
    for await (const entry of this.#store.consumeSpace(space, { after, signal })) {
      // Records are told whole.
      this.#isBehind = read >= entriesMax && entry.timestamp > reached;
      if (this.#isBehind) break;
      read += 1;
      reached = entry.timestamp;
      if (!isWantedSegment(this.#wanted, entry.segment)) continue;
      if (entry.sequence === 1 && this.#known.get(entry.segment) === undefined) {
        this.#known.set(entry.segment, { firstSequence: 1, firstTimestamp: entry.timestamp, lastSequence: 0 });
      }
      lasts.set(entry.segment, entry);
    }
    const changed = [...lasts.values()]
      .filter(({ segment, sequence }) => sequence > (this.#known.get(segment)?.lastSequence ?? 0))
      .sort((a, b) => compareUtf8(a.segment, b.segment));
    const found = await mapped(changed, readsMax, (entry) => this.#statusAt(entry, signal));
    const statuses = found.filter((status) => status !== undefined);
    for (const status of statuses) this.#remember(status);
    this.#place = { kind: "changes", after: reached };
    return statuses;
  }

  #remember({ segment, firstSequence, firstTimestamp, lastSequence }: SegmentStatus): void {
    this.#known.set(segment, { firstSequence, firstTimestamp, lastSequence });
  }

  async #statusAt({ segment, sequence, timestamp }: Entry, signal: AbortSignal): Promise<SegmentStatus | undefined> {
    const { space } = this.#wanted;
    const known = this.#known.get(segment);
    // A segment that was empty at the last read may begin anywhere now.
    const isKnown =
      known !== undefined && known.firstTimestamp > 0 && known.firstSequence <= Math.max(1, known.lastSequence);
    const begins = isKnown ? known : await this.#beginning(segment, signal);
    if (begins === undefined) return undefined;
    const { firstSequence, firstTimestamp } = begins;
    return { space, segment, firstSequence, firstTimestamp, lastSequence: sequence, lastTimestamp: timestamp };
  }

  /** Undefined, and to be told, when it cannot be read; thrown when it is the only one that is wanted. */
  async #statusOf(segment: SegmentName, signal: AbortSignal): Promise<SegmentStatus | undefined> {
    try {
      return await readStatus(this.#store, this.#wanted.space, segment, { signal });
    } catch (error) {
      if (this.#wanted.segment !== anyName || !isUnreadable(error)) throw error;
      this.#unreadable.push({ segment, error });
      return undefined;
    }
  }

  /**
   * Finds where a segment with entries begins: in its head, or else among the records that are not applied yet.
   * Undefined: it cannot be read.
   */
  async #beginning(
    segment: SegmentName,
    signal: AbortSignal,
  ): Promise<Pick<SegmentStatus, "firstSequence" | "firstTimestamp"> | undefined> {
    const { space } = this.#wanted;
    const after = await this.#store.appliedThrough(space, { signal });
    const status = await this.#statusOf(segment, signal);
    if (status === undefined || (status.firstTimestamp > 0 && status.firstSequence <= status.lastSequence))
      return status;
    const first = Math.max(1, status.firstSequence);
    for await (const entry of this.#store.consumeSpace(space, { after, signal })) {
      if (entry.segment === segment && entry.sequence === first) {
        return { firstSequence: first, firstTimestamp: entry.timestamp };
      }
    }
    // All of it was trimmed.
    if (status.firstTimestamp > 0) return status;
    throw new StoreError("internal", "A segment that has entries has no first.");
  }

  async *#names(after: string, limit: number, signal: AbortSignal): AsyncGenerator<SegmentName, void, undefined> {
    const { segment, prefix } = this.#wanted;
    if (segment !== anyName) {
      if (after === "") yield segment;
      return;
    }
    const isBefore = prefix !== undefined && compareUtf8(after, prefix) < 0;
    yield* isBefore ? this.#namesFrom(prefix, limit, signal) : this.#namesAfter(after, limit, signal);
  }

  /** As UTF-8, the names that begin so are neighbours, and the first of them is the prefix itself. */
  async *#namesFrom(prefix: string, limit: number, signal: AbortSignal): AsyncGenerator<SegmentName, void, undefined> {
    const first = nameOf(prefix);
    const exists = first !== undefined && (await this.#exists(first, signal));
    if (exists) yield first;
    const left = exists && limit > 0 ? limit - 1 : limit;
    if (left > 0 || limit === 0) yield* this.#namesAfter(prefix, left, signal);
  }

  async #exists(segment: SegmentName, signal: AbortSignal): Promise<boolean> {
    try {
      return (await readStatus(this.#store, this.#wanted.space, segment, { signal })).lastSequence > 0;
    } catch (error) {
      if (isUnreadable(error)) return true;
      throw error;
    }
  }

  async *#namesAfter(after: string, limit: number, signal: AbortSignal): AsyncGenerator<SegmentName, void, undefined> {
    const { space } = this.#wanted;
    for await (const name of this.#store.getSegments(space, { after, limit, signal })) {
      if (!isWantedSegment(this.#wanted, name)) return;
      yield name;
    }
  }
}

/** Undefined when no segment can be called so. */
function nameOf(text: string): SegmentName | undefined {
  try {
    return parseSegmentName(text);
  } catch {
    return undefined;
  }
}

/** Zeros when there are no entries. */
export async function readStatus(
  store: Store,
  space: SpaceName,
  segment: SegmentName,
  options: StreamOptions & MinOptions,
): Promise<SegmentStatus> {
  if (store.getSegmentStatus !== undefined) return store.getSegmentStatus(space, segment, options);
  const last = await store.peek(space, segment, options);
  if (last === undefined) return emptyStatus(space, segment);
  for await (const first of store.consumeSegment(space, segment, { limit: 1, signal: options.signal })) {
    return {
      space,
      segment,
      firstSequence: first.sequence,
      firstTimestamp: first.timestamp,
      lastSequence: last.sequence,
      lastTimestamp: last.timestamp,
    };
  }
  throw new StoreError("internal", "A segment has a last entry and no first.");
}

/** `c<timestamp>`, or `s<timestamp>.<name in base64url>`. */
function cursorOf(place: Place): string {
  switch (place.kind) {
    case "start":
      return "";
    case "snapshot":
      return `s${place.through}.${encodeName(place.after)}`;
    case "changes":
      return `c${place.after}`;
  }
}

function parseCursor(text: string): Place {
  if (text === "") return { kind: "start" };
  const [, kind, digits, name] = /^([cs])([0-9]{1,16})(?:\.([A-Za-z0-9_-]*))?$/.exec(text) ?? [];
  const timestamp = Number(digits ?? "-1");
  const isTimestamp = timestamp >= 0 && timestamp <= limits.sequenceMax;
  if (isTimestamp && kind === "c" && name === undefined) return { kind: "changes", after: timestamp };
  if (isTimestamp && kind === "s" && name !== undefined) {
    const after = name === "" ? name : decodeName(name, parseSegmentName);
    if (after !== undefined) return { kind: "snapshot", through: timestamp, after };
  }
  throw invalidArgument("cursor", "`next` of the answer before", text);
}

async function* groups<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[], void, undefined> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** So many at a time, in their order. */
async function mapped<T, R>(items: readonly T[], size: number, map: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += size) {
    results.push(...(await Promise.all(items.slice(at, at + size).map(map))));
  }
  return results;
}
