// One turn of a worker's fetch: what it holds is renewed, what is done is acknowledged, what is free is taken, and what
// comes next is delivered.
//
// Promise: what is answered was written, under the ETags of the rows that it was decided on, or is as it was written
// before. If the process dies before the writes nothing has happened; after them the worker's repeat gets the same
// deliveries again.

import { sleep } from "../core/clock.ts";
import { contentBytes } from "../core/entry.ts";
import { StoreError } from "../core/errors.ts";
import type { ConsumerName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { TableFailure } from "../table/port.ts";
import type { Write } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import type { Asking, Holding } from "./arrive.ts";
import { arrive } from "./arrive.ts";
import { partitionToAsk } from "./balance.ts";
import type { ReadingOf } from "./batch.ts";
import type { Claim } from "./claim.ts";
import { consumerPartition } from "./consumer.ts";
import type { Snapshot } from "./decide.ts";
import { charge, renewed } from "./decide.ts";
import { deliverAgain, deliverNext, readOutstanding } from "./deliver.ts";
import type { Delivered, Room } from "./deliver.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import type { PlacedEntry } from "./pages.ts";
import { laterPosition } from "./position.ts";
import { asStored, writesOf } from "./rows.ts";
import type { View } from "./view.ts";
import { storedView, viewOfClaims } from "./view.ts";

/** A claim, and what its worker says of it. */
export interface HeldClaim {
  readonly claim: Claim;
  readonly offset?: Holding["offset"];
  readonly release: boolean;
}

export interface TurnRequest extends Asking {
  readonly name: ConsumerName;
  readonly held: readonly HeldClaim[];
  /** Entries of each partition. */
  readonly entriesMax: number;
  readonly signal: AbortSignal;
}

/** A partition that the worker holds now. */
export interface HeldPartition {
  readonly number: number;
  /** As it is stored now. */
  readonly snapshot: Snapshot;
  readonly etag: string;
  readonly entries: readonly PlacedEntry[];
  readonly isReplay: boolean;
}

export interface Turn {
  readonly view: View;
  readonly held: readonly HeldPartition[];
  readonly lost: readonly number[];
  readonly over: readonly number[];
  /** Entries that failed once too often, as their workers went away. */
  readonly parked: number;
}

/** The outcome for one partition. */
interface Plan {
  readonly number: number;
  readonly etag: string;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly delivered: Delivered | undefined;
  readonly isHeld: boolean;
  readonly isLost: boolean;
  readonly isOver: boolean;
}

/** Content of one answer, bytes: what an instance holds for it without a thought. */
const answerBytesMax = 4 * 1024 * 1024;
/** Lost races in a row before the worker is told to come back, and the pause before the second, milliseconds. */
const attemptsMax = 8;
const pauseMs = 10;

export async function takeTurn(instance: ConsumersInstance, parts: StoreParts, request: TurnRequest): Promise<Turn> {
  const { clock, random } = instance.parts;
  const { name, signal } = request;
  const claims = request.held.map(({ claim }) => claim);
  let view = viewOfClaims(instance, parts, name, claims, "half a lease");
  for (let attempt = 1; ; attempt += 1) {
    view ??= await storedView(instance, parts, name, signal);
    const plans = await plan(instance, parts, view, request);
    const etags = await write(parts, view, plans);
    if (etags !== undefined) return turnOf(view, plans, etags);
    if (attempt === attemptsMax) {
      throw new StoreError("overloaded", "Too many change this consumer at the same time.", { retryAfterMs: 1_000 });
    }
    await sleep(clock, attempt * pauseMs * random.fraction(), signal);
    view = undefined;
  }
}

async function plan(
  instance: ConsumersInstance,
  parts: StoreParts,
  view: View,
  request: TurnRequest,
): Promise<readonly Plan[]> {
  const { consumer, now } = view;
  const { worker } = request;
  const since = instance.parts.clock.elapsed();
  const reading = { store: parts.store, pages: instance.pages, consumer, since, signal: request.signal };
  const plans: Plan[] = [];
  let bytes = answerBytesMax;
  // Those first whose turn was longest ago: the room of an answer is for all of them.
  const seen = [...view.partitions].sort(([, a], [, b]) => a.partition.acknowledgedAt - b.partition.acknowledgedAt);
  for (const [number, { partition, etag }] of seen) {
    const before = await instance.snapshot(parts, consumer, number, partition, request.signal);
    const one = await planOne(reading, view, request, { number, etag, before }, bytes);
    for (const { entry } of one.delivered?.entries ?? []) bytes -= contentBytes(entry);
    plans.push(one);
  }
  const after = new Map(plans.map((one) => [one.number, one.after.partition]));
  const asked = view.isWhole && !consumer.paused ? partitionToAsk(after, worker, consumer, now) : undefined;
  return plans.map((one) => {
    const isAsked = one.number === asked?.number;
    const partition = isAsked ? { ...one.after.partition, wanted: asked.wanted } : one.after.partition;
    return { ...one, after: asStored(one.before, { marks: one.after.marks, partition }) };
  });
}

async function planOne(
  reading: ReadingOf,
  { consumer, now }: View,
  request: TurnRequest,
  row: Pick<Plan, "number" | "etag" | "before">,
  bytesMax: number,
): Promise<Plan> {
  const { number, before } = row;
  const { arrival, isLost } = arrive(consumer, before, request, holdingOf(consumer.life, number, request), now);
  const unheld = { ...row, delivered: undefined, isHeld: false, isLost, isOver: false };
  if (arrival.kind === "busy") return { ...unheld, after: before };
  if (arrival.kind === "given") return { ...unheld, after: arrival.snapshot, isLost: true, isOver: arrival.isOver };
  const room: Room = { entriesMax: consumer.paused ? 0 : request.entriesMax, bytesMax };
  let { snapshot } = arrival;
  let delivered: Delivered | undefined;
  if (arrival.kind === "taken" && arrival.abandoned !== undefined) {
    const left = await readOutstanding(reading, number, before, arrival.abandoned);
    snapshot = charge(consumer, snapshot, arrival.abandoned, left, now);
  }
  const deliver = arrival.kind === "taken" ? "next" : arrival.deliver;
  if (deliver === "again") delivered = await deliverAgain(reading, number, snapshot);
  if (deliver === "again" && delivered === undefined) {
    snapshot = { ...snapshot, partition: { ...snapshot.partition, outstanding: undefined } };
  }
  if (deliver !== "nothing") delivered ??= await deliverNext(reading, number, snapshot, room, now);
  const after = delivered?.snapshot ?? snapshot;
  const isOver = arrival.kind === "held" && arrival.isOver;
  return { ...row, after: kept(before, after, delivered, consumer, now), delivered, isHeld: true, isLost, isOver };
}

/** The worker's word on the partition; a claim of another life speaks of no partition that exists. */
function holdingOf(life: string, number: number, { held }: TurnRequest): Holding | undefined {
  const found = held.find(({ claim }) => claim.partition === number);
  if (found === undefined) return undefined;
  const { claim, offset, release } = found;
  return { token: claim.life === life ? claim.token : -1, delivery: claim.delivery, offset, release };
}

/** A row that is written is renewed; one that says nothing new is written when a third of its lease is over. */
function kept(
  before: Snapshot,
  after: Snapshot,
  delivered: Delivered | undefined,
  consumer: View["consumer"],
  now: number,
): Snapshot {
  const left = before.partition.expiresAt - now;
  if (!isChanged(before, after) && left > (2_000 * consumer.leaseSeconds) / 3) return before;
  const looked = delivered?.looked;
  if (looked === undefined) return renewed(after, consumer, now);
  const position = laterPosition(after.partition.position, looked);
  return renewed({ marks: after.marks, partition: { ...after.partition, position } }, consumer, now);
}

function isChanged(before: Snapshot, after: Snapshot): boolean {
  return before.partition !== after.partition || before.marks !== after.marks;
}

/** ETags of the rows by their partitions; undefined when one of them was changed by another. */
async function write(
  { table }: StoreParts,
  { consumer }: View,
  plans: readonly Plan[],
): Promise<ReadonlyMap<number, string> | undefined> {
  const etags = new Map(plans.map(({ number, etag }) => [number, etag]));
  for (const group of groupsOf(consumer, plans)) {
    const writes = group.flatMap((one) => one.writes);
    try {
      const result = await table.submit(consumerPartition(consumer.name), writes);
      if (result.kind === "refused") return undefined;
      let at = 0;
      for (const { number, writes: own } of group) {
        etags.set(number, result.etags[at] ?? "");
        at += own.length;
      }
    } catch (error) {
      throw asStoreError(error, error instanceof TableFailure ? error.effect : "unknown");
    }
  }
  return etags;
}

interface PlannedWrites {
  readonly number: number;
  readonly writes: readonly Write[];
}

/** Each partition's rows are in one transaction, with those of as many others as it holds. */
function groupsOf(consumer: View["consumer"], plans: readonly Plan[]): readonly (readonly PlannedWrites[])[] {
  const groups: PlannedWrites[][] = [];
  let room = 0;
  for (const { number, etag, before, after } of plans) {
    if (!isChanged(before, after)) continue;
    const writes = writesOf(consumer, number, etag, before, after);
    if (writes.length > room) {
      groups.push([]);
      room = limits.batchOperationsMax;
    }
    groups.at(-1)?.push({ number, writes });
    room -= writes.length;
  }
  return groups;
}

function turnOf(view: View, plans: readonly Plan[], etags: ReadonlyMap<number, string>): Turn {
  const inOrder = [...plans].sort((a, b) => a.number - b.number);
  return {
    view,
    held: inOrder
      .filter(({ isHeld }) => isHeld)
      .map(({ number, etag, after, delivered }) => ({
        number,
        snapshot: after,
        etag: etags.get(number) ?? etag,
        entries: delivered?.entries ?? [],
        isReplay: delivered?.isReplay ?? false,
      })),
    lost: inOrder.filter(({ isLost }) => isLost).map(({ number }) => number),
    over: inOrder.filter(({ isOver }) => isOver).map(({ number }) => number),
    parked: plans.reduce((sum, { before, after }) => sum + Math.max(0, after.marks.length - before.marks.length), 0),
  };
}
