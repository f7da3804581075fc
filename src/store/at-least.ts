// Reads of a segment that have at least what its space has up to a place: for who has written with `ack=committed`, or
// has read the space.
//
// Promise: a segment that is there already is read once, with no other request: whether it is shows in what was read.
// Only when it is not, the backend brings it there, and the rest is read.

import type { Place } from "../codec/cursor.ts";
import { parseCursor } from "../codec/cursor.ts";
import type { Entry, SegmentStatus } from "../core/entry.ts";
import { invalidArgument } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import type { Backend } from "./create-store.ts";
import type { ConsumeSegmentArgs } from "./store.ts";

type Reads = Pick<Backend, "bringUp" | "readLast" | "readSegment" | "readStatus">;
/** The last that was read of a segment. */
type Seen = Pick<Entry, "sequence" | "timestamp">;

/** A read of one segment, and the place that it must reach. */
export interface AtLeast {
  readonly space: SpaceName;
  readonly segment: SegmentName;
  readonly min: Cursor;
  readonly signal: AbortSignal | undefined;
}

export async function* readSegmentAtLeast(
  backend: Reads,
  wanted: AtLeast,
  args: ConsumeSegmentArgs,
): AsyncGenerator<Entry> {
  const { segment, space } = wanted;
  const place = placeOf(wanted);
  const to = open(args.to);
  let last: Seen = { sequence: Math.max(args.from ?? 0, 1) - 1, timestamp: 0 };
  let left = open(args.limit);
  const passed = (sequence: number): void => {
    last = { sequence, timestamp: 0 };
    args.passed?.(sequence);
  };
  for await (const entry of backend.readSegment(space, segment, { ...args, passed })) {
    last = entry;
    left -= 1;
    yield entry;
  }
  if (left <= 0 || last.sequence >= to || has(segment, last, place)) return;
  await bringUp(backend, wanted, place);
  const limit = left === Infinity ? 0 : left;
  yield* backend.readSegment(space, segment, { ...args, from: last.sequence + 1, limit });
}

/** A bound that is 0 or absent is open. */
function open(bound: number | undefined): number {
  return bound === undefined || bound === 0 ? Infinity : bound;
}

export async function readLastAtLeast(backend: Reads, wanted: AtLeast): Promise<Entry | undefined> {
  const { segment, signal, space } = wanted;
  const place = placeOf(wanted);
  const last = await backend.readLast(space, segment, signal);
  if (last !== undefined && has(segment, last, place)) return last;
  await bringUp(backend, wanted, place);
  return backend.readLast(space, segment, signal);
}

export async function readStatusAtLeast(backend: Reads, wanted: AtLeast): Promise<SegmentStatus> {
  const { segment, signal, space } = wanted;
  const place = placeOf(wanted);
  const status = await backend.readStatus(space, segment, signal);
  if (has(segment, { sequence: status.lastSequence, timestamp: status.lastTimestamp }, place)) return status;
  await bringUp(backend, wanted, place);
  return backend.readStatus(space, segment, signal);
}

/**
 * Whether a segment that goes so far has all that its space has up to the place. Of one timestamp it may have a part.
 */
function has(segment: SegmentName, { sequence, timestamp }: Seen, place: Place): boolean {
  return (
    timestamp > throughOf(place) || (place.segment === segment && place.sequence > 0 && sequence >= place.sequence)
  );
}

/** The last timestamp that has something at or before the place. */
function throughOf({ sequence, timestamp }: Place): number {
  return sequence === 0 ? timestamp - 1 : timestamp;
}

async function bringUp(backend: Reads, { min, segment, signal, space }: AtLeast, place: Place): Promise<void> {
  if (await backend.bringUp(space, segment, throughOf(place), signal)) return;
  throw invalidArgument("min", "an offset that its space has come to", min);
}

function placeOf({ min, space }: AtLeast): Place {
  const place = parseCursor(min, "min");
  if (place.space !== space) throw invalidArgument("min", `an offset of space ${JSON.stringify(space)}`, place.space);
  return place;
}
