// Parked entries: the list for operators, and what operators wish of them. A wish is only written; the holder of the
// partition does it.
//
// Promise: a wish is written under the version of the partition that it was decided on; what comes later is not dropped
// with what was there.

import { sleep } from "../core/clock.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { ConsumerName, Cursor, SegmentName, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { TableFailure } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { readParked } from "./batch.ts";
import type { ReadingOf } from "./batch.ts";
import type { Consumer } from "./consumer.ts";
import { consumerPartition } from "./consumer.ts";
import type { Snapshot } from "./decide.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import type { Mark } from "./mark.ts";
import { asStored, writesOf } from "./rows.ts";
import { storedView } from "./view.ts";

export interface ParkedMark extends Mark {
  readonly id: string;
  readonly partition: number;
  readonly spaceName: SpaceName;
  /** Its entries were trimmed, or no longer exist. */
  readonly isGone: boolean;
}

export type Which =
  | { readonly kind: "all" }
  | { readonly kind: "segment"; readonly space: SpaceName; readonly segment: SegmentName }
  /** Each means everything of its segment up to its entry. */
  | { readonly kind: "ids"; readonly ids: readonly string[] };

/** Of what waits by a mark, the first entry. */
const firstAlone = { entriesMax: 1, bytesMax: Infinity, to: limits.sequenceMax };

const attemptsMax = 8;
const pauseMs = 10;

/** In the order of partitions, spaces and segments, those behind `after`. */
export async function listParked(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  { after, limit }: { readonly after: string; readonly limit: number },
  signal: AbortSignal,
): Promise<{ readonly parked: readonly ParkedMark[]; readonly isMore: boolean }> {
  const { consumer, partitions } = await storedView(instance, parts, name, signal);
  const reading = readingOf(instance, parts, consumer, signal);
  const parked: ParkedMark[] = [];
  for (const [number, { partition }] of partitions) {
    const { marks } = await instance.snapshot(parts, consumer, number, partition, signal);
    for (const mark of marks) {
      const [id, spaceName] = [idOf(number, mark), consumer.spaces[mark.space]];
      if (spaceName === undefined || id <= after) continue;
      parked.push({ ...mark, id, spaceName, partition: number, isGone: false });
    }
  }
  parked.sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = parked.slice(0, limit);
  const told: ParkedMark[] = [];
  for (const one of page) {
    const position = partitions.get(one.partition)?.partition.position ?? [];
    const [entry] = await readParked(reading, one, position, firstAlone);
    const now = entry === undefined ? {} : { first: entry.entry.sequence, offset: entry.offset };
    told.push({ ...one, ...now, isGone: entry === undefined });
  }
  return { parked: told, isMore: parked.length > page.length };
}

function readingOf(
  instance: ConsumersInstance,
  { store }: StoreParts,
  consumer: Consumer,
  signal: AbortSignal,
): ReadingOf {
  return { store, pages: instance.pages, consumer, since: instance.parts.clock.elapsed(), signal };
}

/** How many marks were given the wish, at most `limit`, and whether others are left. */
export async function wishParked(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  which: Which,
  action: "replay" | "drop",
  limit: number,
): Promise<{ readonly changed: number; readonly isMore: boolean }> {
  if (which.kind === "ids") which.ids.forEach(parseId);
  let changed = 0;
  const { consumer, partitions } = await storedView(instance, parts, name);
  for (const number of partitions.keys()) {
    if (changed >= limit) return { changed, isMore: true };
    const { count, isMore } = await wishOf(instance, parts, consumer, number, which, action, limit - changed);
    changed += count;
    if (isMore) return { changed, isMore };
  }
  return { changed, isMore: false };
}

async function wishOf(
  instance: ConsumersInstance,
  parts: StoreParts,
  { name, life, generation }: Consumer,
  number: number,
  which: Which,
  action: "replay" | "drop",
  limit: number,
): Promise<{ readonly count: number; readonly isMore: boolean }> {
  const { clock, random } = instance.parts;
  const most = Math.min(limit, limits.batchOperationsMax - 1);
  let count = 0;
  for (let attempt = 1; ; attempt += 1) {
    const { consumer, partitions } = await storedView(instance, parts, name);
    const seen = partitions.get(number);
    const isOther = consumer.life !== life || consumer.generation !== generation;
    if (seen === undefined || isOther) return { count, isMore: false };
    const before = await instance.snapshot(parts, consumer, number, seen.partition, undefined);
    const reading = readingOf(instance, parts, consumer, new AbortController().signal);
    const wished: (readonly [Mark, Mark])[] = [];
    for (const mark of before.marks) {
      const next = await wishedMark(reading, number, before, mark, which, action);
      if (next !== undefined) wished.push([mark, next]);
    }
    if (wished.length === 0) return { count, isMore: false };
    if (count >= limit) return { count, isMore: true };
    const now = new Map(wished.slice(0, most));
    const marks = before.marks.map((mark) => now.get(mark) ?? mark);
    const after = asStored(before, { partition: { ...before.partition }, marks });
    try {
      const writes = writesOf(consumer, number, seen.etag, before, after);
      const { kind } = await parts.table.submit(consumerPartition(name), writes);
      if (kind === "done") {
        count += now.size;
        attempt = 0;
        continue;
      }
    } catch (error) {
      throw asStoreError(error, error instanceof TableFailure ? error.effect : "unknown");
    }
    if (attempt === attemptsMax) {
      throw new StoreError("overloaded", "Too many change this consumer at the same time.", { retryAfterMs: 1_000 });
    }
    await sleep(clock, attempt * pauseMs * (1 + random.fraction()));
  }
}

/** Undefined: the mark is not meant, or has the wish already. A replay under way is not dropped. */
async function wishedMark(
  reading: ReadingOf,
  number: number,
  { partition }: Snapshot,
  mark: Mark,
  which: Which,
  action: "replay" | "drop",
): Promise<Mark | undefined> {
  const upTo = meantUpTo(reading.consumer, number, mark, which);
  if (upTo === undefined) return undefined;
  const { outstanding } = partition;
  const isServed =
    outstanding?.kind === "replay" && outstanding.space === mark.space && outstanding.segment === mark.segment;
  if (action === "replay") return mark.replayTo >= upTo ? undefined : { ...mark, replayTo: upTo };
  if (isServed || mark.droppedTo !== "") return undefined;
  // It covers what was there then: entries that came to the segment since are delivered.
  const passed = partition.position[mark.space] ?? ("" as Cursor);
  const all = { ...mark, droppedTo: passed, replayTo: limits.sequenceMax };
  if (upTo === limits.sequenceMax || mark.alone) return all;
  // The mark stays for what waits behind. Without that it would keep the segment from its next entries.
  const behind = { ...mark, first: upTo + 1 };
  const [waiting] = await readParked(reading, behind, partition.position, firstAlone);
  return waiting === undefined ? all : behind;
}

function meantUpTo(consumer: Consumer, number: number, mark: Mark, which: Which): number | undefined {
  switch (which.kind) {
    case "all":
      return limits.sequenceMax;
    case "segment": {
      const isIt = consumer.spaces[mark.space] === which.space && mark.segment === which.segment;
      return isIt ? limits.sequenceMax : undefined;
    }
    case "ids": {
      const meant = which.ids.map(parseId).filter((id) => id.key === keyOf(number, mark));
      const sequences = meant.map(({ sequence }) => sequence);
      // An entry that was set aside alone is meant alone.
      if (mark.alone) return sequences.includes(mark.first) ? mark.first : undefined;
      const upTo = Math.max(0, ...sequences);
      return upTo >= mark.first ? upTo : undefined;
    }
  }
}

/** A parked entry's id: the place of its mark, and its sequence. */
function idOf(number: number, mark: Mark): string {
  return `${keyOf(number, mark)}.${mark.first}`;
}

function keyOf(number: number, { space, segment }: Mark): string {
  const padded = String(number).padStart(2, "0");
  return `${padded}.${String(space).padStart(2, "0")}.${Buffer.from(segment).toString("base64url")}`;
}

function parseId(id: string): { readonly key: string; readonly sequence: number } {
  const [, key, sequence] = /^([0-9]{2}\.[0-9]{2}\.[A-Za-z0-9_-]{1,192})\.([1-9][0-9]{0,15})$/.exec(id) ?? [];
  if (key === undefined) throw invalidArgument("ids", "ids as the list of parked entries tells them", id);
  return { key, sequence: Number(sequence) };
}
