// Computes what a policy removes from a space at one moment, and removes it by the store's own trims.
//
// Promise: nothing goes that the policy keeps. A turn may be done twice, or stop anywhere: the next one goes on from
// what is there.

import type { SegmentName, SpaceName } from "../core/ids.ts";
import type { Store, WrittenPlace } from "../store/store.ts";
import type { RetentionPolicy } from "./policy.ts";

export interface Bound {
  /** The storage's time. */
  now(): number;
  isOver(): boolean;
}

/** How far the age of entries was kept up. `pending`: up to a commit that is not in all its segments yet. */
export async function trimByAge(
  store: Store,
  space: SpaceName,
  maxAgeSeconds: number,
  bound: Bound,
): Promise<"done" | "more" | "pending"> {
  const timestamp = oldestKept(maxAgeSeconds, bound.now());
  for (;;) {
    const { state } = await store.trimSpace(space, { timestamp });
    if (state !== "more" || bound.isOver()) return state;
  }
}

export interface Counted {
  /** Every segment that was written up to this timestamp has its newest entries and no more. */
  readonly after: number;
  /** All that was written has been looked at. */
  readonly isAll: boolean;
  /** Something was written since. */
  readonly isWritten: boolean;
}

/** Segments that one pass remembers. */
const segmentsMax = 1_000;

/** Trims the segments that were written after a timestamp. */
export async function trimByCount(
  store: Store,
  space: SpaceName,
  { after, maxEntries }: { readonly after: number; readonly maxEntries: number },
  bound: Bound,
): Promise<Counted> {
  const ends = new Map<SegmentName, number>();
  let through = after;
  let isAll = true;
  for await (const { lastSequence, segment, timestamp } of writtenPlaces(store, space, after)) {
    // All of one commit, or nothing of it.
    if (timestamp > through && (ends.size >= segmentsMax || bound.isOver())) {
      isAll = false;
      break;
    }
    ends.set(segment, lastSequence);
    through = timestamp;
  }
  for (const [segment, lastSequence] of ends) {
    const before = lastSequence - maxEntries + 1;
    if (before <= 1) continue;
    let first: number;
    do {
      ({ firstSequence: first } = await store.trimSegment(space, segment, before));
      if (first < before && bound.isOver()) return { after, isAll: false, isWritten: true };
    } while (first < before && first > 0);
  }
  return { after: through, isAll, isWritten: ends.size > 0 };
}

/** When the oldest entry is past its age; undefined: there is none. */
export async function firstExpiry(store: Store, space: SpaceName, maxAgeSeconds: number): Promise<number | undefined> {
  for await (const { timestamp } of writtenPlaces(store, space, 0)) return timestamp + maxAgeSeconds * 1_000 + 1;
  return undefined;
}

export interface WouldRemove {
  readonly entries: number;
  readonly segments: number;
  /** False: time ran out, there may be more. */
  readonly complete: boolean;
}

/** Looks, and removes nothing. */
export async function wouldRemove(
  store: Store,
  space: SpaceName,
  { maxAgeSeconds, maxEntries }: RetentionPolicy,
  bound: Bound,
): Promise<WouldRemove> {
  const oldest = maxAgeSeconds === undefined ? 0 : oldestKept(maxAgeSeconds, bound.now());
  const segments = new Map<SegmentName, { expired: number; last: number }>();
  let complete = true;
  for await (const { segment, lastSequence, timestamp } of writtenPlaces(store, space, 0)) {
    if (bound.isOver()) {
      complete = false;
      break;
    }
    if (timestamp >= oldest && maxEntries === undefined) break;
    const known = segments.get(segment);
    segments.set(segment, {
      expired: timestamp < oldest ? lastSequence : (known?.expired ?? 0),
      last: lastSequence,
    });
  }
  let entries = 0;
  let touched = 0;
  for (const [segment, { expired, last }] of segments) {
    if (bound.isOver()) return { entries, segments: touched, complete: false };
    const through = Math.max(expired, maxEntries === undefined ? 0 : last - maxEntries);
    if (through < 1) continue;
    const first = (await store.getSegmentStatus?.(space, segment))?.firstSequence ?? 1;
    if (first > through || first === 0) continue;
    entries += through - first + 1;
    touched += 1;
  }
  return { entries, segments: touched, complete };
}

/** Entries with a lower timestamp are too old. */
function oldestKept(maxAgeSeconds: number, now: number): number {
  return Math.max(0, now - maxAgeSeconds * 1_000);
}

async function* writtenPlaces(store: Store, space: SpaceName, after: number): AsyncGenerator<WrittenPlace> {
  if (store.getWritten !== undefined) {
    yield* store.getWritten(space, { after });
    return;
  }
  for await (const { segment, sequence, timestamp } of store.consumeSpace(space, { after })) {
    yield { segment, timestamp, lastSequence: sequence };
  }
}
