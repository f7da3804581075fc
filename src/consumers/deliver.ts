// The entries that a worker gets of a partition that it holds: parked entries that are wanted again, before what is
// new; or once more what was given last.
//
// Promise: nothing is delivered before its partition may be; what is decided is decided on what was read, and written
// before it is told.

import type { Cursor } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseCursor } from "../codec/cursor.ts";
import type { ReadingOf } from "./batch.ts";
import { readBatch, readParked } from "./batch.ts";
import type { Snapshot } from "./decide.ts";
import { nextDelivery } from "./decide.ts";
import type { Mark } from "./mark.ts";
import { isSameSegment } from "./mark.ts";
import type { PlacedEntry } from "./pages.ts";
import type { Outstanding, Partition } from "./partition.ts";
import { laterPosition } from "./position.ts";
import type { Position } from "./position.ts";

export interface Delivered {
  readonly snapshot: Snapshot;
  readonly entries: readonly PlacedEntry[];
  readonly isReplay: boolean;
  /** Nothing else was there when it was asked for. */
  readonly isEnd: boolean;
  /** The next write may move the position here, since nothing before it is the partition's. */
  readonly looked: Position | undefined;
}

export interface Room {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** The entries that a former holder left outstanding, as far as they still exist. */
export function readOutstanding(
  reading: ReadingOf,
  number: number,
  { partition, marks }: Snapshot,
  outstanding: Outstanding,
): Promise<readonly PlacedEntry[]> {
  const all = { entriesMax: Infinity, bytesMax: Infinity };
  if (outstanding.kind === "log") {
    const within = { ...all, within: outstanding.to };
    return readBatch(reading, number, partition.position, marks, within).then(({ entries }) => entries);
  }
  const mark = marks.find((one) => isSameSegment(one, outstanding) && one.replayTo > 0);
  if (mark === undefined) return Promise.resolve([]);
  return readParked(reading, mark, partition.position, { ...all, to: outstanding.to });
}

/** The same delivery again; undefined when nothing of it is there any more. */
export async function deliverAgain(
  reading: ReadingOf,
  number: number,
  snapshot: Snapshot,
): Promise<Delivered | undefined> {
  const { outstanding } = snapshot.partition;
  if (outstanding === undefined) return undefined;
  const entries = await readOutstanding(reading, number, snapshot, outstanding);
  if (entries.length === 0) return undefined;
  return {
    snapshot: told(snapshot),
    entries,
    isReplay: outstanding.kind === "replay",
    isEnd: false,
    looked: undefined,
  };
}

export async function deliverNext(
  reading: ReadingOf,
  number: number,
  given: Snapshot,
  room: Room,
  now: number,
): Promise<Delivered> {
  if (given.partition.notBefore > now || room.entriesMax <= 0 || room.bytesMax <= 0) return nothing(given);
  let snapshot = given;
  for (const mark of given.marks.filter(({ replayTo }) => replayTo > 0)) {
    const entries = await readParked(reading, mark, given.partition.position, { ...room, to: mark.replayTo });
    const last = entries.at(-1);
    if (last !== undefined) return replayOf(snapshot, mark, entries, last);
    snapshot = await afterReplay(reading, snapshot, mark);
  }
  const entriesMax = snapshot.partition.single > 0 ? 1 : room.entriesMax;
  const { position } = snapshot.partition;
  const batch = await readBatch(reading, number, position, snapshot.marks, { ...room, entriesMax });
  const { entries, to, looked, isEnd, trimmed } = batch;
  if (trimmed !== undefined) snapshot = behindGap(snapshot, trimmed);
  if (entries.length === 0) {
    const moved = trimmed === undefined ? snapshot : told(nextDelivery(at(snapshot, looked)));
    return { snapshot: moved, entries, isReplay: false, isEnd, looked };
  }
  return { snapshot: outstandingOf(snapshot, { kind: "log", to }), entries, isReplay: false, isEnd, looked: undefined };
}

function nothing(snapshot: Snapshot): Delivered {
  return { snapshot, entries: [], isReplay: false, isEnd: true, looked: undefined };
}

function replayOf(snapshot: Snapshot, mark: Mark, entries: readonly PlacedEntry[], last: PlacedEntry): Delivered {
  const { space, segment } = mark;
  const outstanding: Outstanding = { kind: "replay", space, segment, to: parseCursor(last.offset).sequence };
  return { snapshot: outstandingOf(snapshot, outstanding), entries, isReplay: true, isEnd: false, looked: undefined };
}

/** Nothing is left of what was to be replayed: the mark goes when nothing at all waits by it. */
async function afterReplay(reading: ReadingOf, { partition, marks }: Snapshot, mark: Mark): Promise<Snapshot> {
  const first = { entriesMax: 1, bytesMax: Infinity, to: limits.sequenceMax };
  const rest = mark.alone ? [] : await readParked(reading, mark, partition.position, first);
  const [next] = rest;
  const kept =
    next === undefined
      ? []
      : [{ ...mark, first: next.entry.sequence, offset: next.offset, replayTo: 0, droppedTo: "" as Cursor }];
  return { partition: { ...partition }, marks: marks.flatMap((one) => (one === mark ? kept : [one])) };
}

function outstandingOf(snapshot: Snapshot, outstanding: Outstanding): Snapshot {
  const { partition, marks } = nextDelivery(snapshot);
  return told({ marks, partition: { ...partition, outstanding } });
}

/**
 * The gap goes to the holder with this delivery; it stays until a call with the delivery's claim shows that it arrived.
 */
function told({ partition, marks }: Snapshot): Snapshot {
  const { gap, delivery } = partition;
  return gap === undefined || gap.toldIn === delivery
    ? { partition, marks }
    : { marks, partition: { ...partition, gap: { ...gap, toldIn: delivery } } };
}

function behindGap(
  { partition, marks }: Snapshot,
  trimmed: { readonly from: Position; readonly to: Position },
): Snapshot {
  const { gap, position } = partition;
  const to = laterPosition(gap?.to ?? trimmed.to, trimmed.to);
  const behind: Partition = {
    ...partition,
    position: laterPosition(position, trimmed.to),
    gap: { from: gap?.from ?? trimmed.from, to, toldIn: 0 },
  };
  return { marks, partition: behind };
}

function at({ partition, marks }: Snapshot, position: Position): Snapshot {
  return { marks, partition: { ...partition, position: laterPosition(partition.position, position) } };
}
