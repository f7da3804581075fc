// How an acknowledgement, a failure, a claim or a delivery changes a partition: pure. A snapshot goes in, one
// comes out; who writes it, writes it under the ETag of the row that it was decided on.
//
// Promise: a position only grows; a call with the token of a former holder, or with the number of a delivery that is
// over, changes nothing.

import { invalidArgument } from "../core/errors.ts";
import type { Cursor, WorkerName } from "../core/ids.ts";
import { parseCursor } from "../codec/cursor.ts";
import type { Consumer } from "./consumer.ts";
import type { Mark } from "./mark.ts";
import { isSameSegment } from "./mark.ts";
import type { Failing, Outstanding, Partition } from "./partition.ts";
import { isWithin, positionBefore, positionThrough, spaceIndexOf } from "./position.ts";

/** A partition and all marks of it. */
export interface Snapshot {
  readonly partition: Partition;
  readonly marks: readonly Mark[];
}

/** Which holder asks, and which delivery it speaks of. */
export interface Claimed {
  readonly token: number;
  readonly delivery: number;
}

/**
 * `over`: it is about a delivery that is over, and changed nothing. `lost`: the partition has another holder, or none.
 */
export type Verdict = "done" | "over" | "lost";

export interface Judged {
  readonly verdict: Verdict;
  readonly snapshot: Snapshot;
}

type Rules = Pick<Consumer, "spaces" | "maxDeliveries" | "backoffSeconds" | "onPoison" | "maxParked" | "leaseSeconds">;

/** `Date` tells whole seconds: the moment it was told may be so much later, and a holder is given all of its time. */
const dateStepMs = 1_000;

export function isHolder({ token, holder }: Partition, claimed: Claimed): boolean {
  return holder !== undefined && token === claimed.token;
}

export function isExpired({ expiresAt }: Partition, now: number): boolean {
  return expiresAt <= now;
}

/** Everything up to the offset is done. */
export function acknowledge(rules: Rules, snapshot: Snapshot, claimed: Claimed, offset: Cursor, now: number): Judged {
  const { partition } = snapshot;
  const index = spaceIndexOf(rules.spaces, offset);
  if (!isHolder(partition, claimed)) return { verdict: "lost", snapshot };
  const { outstanding } = partition;
  const isOf = outstanding !== undefined && claimed.delivery === partition.delivery;
  if (!isOf || isDone(snapshot, index, offset, outstanding)) {
    return { verdict: isDone(snapshot, index, offset, outstanding) ? "done" : "over", snapshot };
  }
  checkDelivered(partition, index, offset, outstanding);
  return { verdict: "done", snapshot: passed(rules, snapshot, outstanding, offset, now) };
}

export interface Failure {
  readonly offset: Cursor;
  readonly action: "retry" | "park" | "skip";
  /** Absent: what the consumer says. */
  readonly delayMs?: number | undefined;
  readonly reason: string;
}

/** The entries before this one are done, this one failed, the rest of the delivery is void. */
export function fail(rules: Rules, snapshot: Snapshot, claimed: Claimed, failure: Failure, now: number): Judged {
  const { partition } = snapshot;
  const { offset } = failure;
  const index = spaceIndexOf(rules.spaces, offset);
  if (!isHolder(partition, claimed)) return { verdict: "lost", snapshot };
  const { outstanding } = partition;
  const isOf = outstanding !== undefined && claimed.delivery === partition.delivery;
  if (!isOf || isDone(snapshot, index, offset, outstanding)) return { verdict: "over", snapshot };
  checkDelivered(partition, index, offset, outstanding);
  const before = passedBefore(rules, snapshot, outstanding, offset, now);
  const failed = { ...before, partition: { ...before.partition, outstanding: undefined } };
  return { verdict: "done", snapshot: nextDelivery(afterFailure(rules, failed, outstanding, failure, now)) };
}

function afterFailure(
  rules: Rules,
  snapshot: Snapshot,
  outstanding: Outstanding,
  { offset, action, delayMs, reason }: Failure,
  now: number,
): Snapshot {
  switch (action) {
    case "skip":
      return passed(rules, snapshot, outstanding, offset, now);
    case "retry":
      return counted(rules, snapshot, outstanding, { offset, reason }, delayMs, now);
    case "park": {
      const { failing } = snapshot.partition;
      const count = failing?.offset === offset ? failing.count + 1 : 1;
      return parked(rules, snapshot, outstanding, { offset, count, reason }, now);
    }
  }
}

/**
 * A holder went away with these entries outstanding, of which the first is one that may have ended it: it failed, and
 * as many as there were come one at a time.
 */
export function charge(
  rules: Rules,
  snapshot: Snapshot,
  outstanding: Outstanding,
  left: readonly { readonly offset: Cursor }[],
  now: number,
): Snapshot {
  const [first] = left;
  if (first === undefined) return snapshot;
  const single = Math.max(snapshot.partition.single, left.length);
  const reason = "Its worker went away: the claim expired, or the worker came back without it.";
  const slow = { ...snapshot, partition: { ...snapshot.partition, single } };
  return counted(rules, slow, outstanding, { offset: first.offset, reason }, undefined, now);
}

/** One failure more, after which the entry may be parked. */
function counted(
  rules: Rules,
  { partition, marks }: Snapshot,
  outstanding: Outstanding,
  { offset, reason }: Pick<Failing, "offset" | "reason">,
  delayMs: number | undefined,
  now: number,
): Snapshot {
  const count = (partition.failing?.offset === offset ? partition.failing.count : 0) + 1;
  const streak = partition.streak + 1;
  const failing = { offset, count, reason };
  const notBefore = now + (delayMs ?? backOffMs(rules, streak));
  const failed = { marks, partition: { ...partition, failing, streak, notBefore } };
  return count < rules.maxDeliveries ? failed : parked(rules, failed, outstanding, failing, now);
}

function backOffMs({ backoffSeconds }: Rules, streak: number): number {
  const seconds = backoffSeconds[Math.min(streak, backoffSeconds.length) - 1] ?? 0;
  return 1_000 * seconds;
}

/** Where there are too many marks the partition stops at the entry. */
function parked(
  rules: Rules,
  snapshot: Snapshot,
  outstanding: Outstanding,
  { offset, count, reason }: Failing,
  now: number,
): Snapshot {
  const { partition, marks } = snapshot;
  if (outstanding.kind === "replay") {
    const again = { replayTo: 0, offset, reason, failures: count, parkedAt: now };
    const kept = marks.map((mark) => (isReplayed(mark, outstanding, offset) ? { ...mark, ...again } : mark));
    return { marks: kept, partition: { ...partition, failing: undefined } };
  }
  if (marks.length >= rules.maxParked) {
    const notBefore = now + backOffMs(rules, rules.backoffSeconds.length);
    return { marks, partition: { ...partition, failing: { offset, count, reason }, notBefore } };
  }
  const { segment, sequence } = parseCursor(offset);
  const mark: Mark = {
    ...{ space: spaceIndexOf(rules.spaces, offset), segment, first: sequence, alone: rules.onPoison === "park" },
    ...{ offset, reason, failures: count, parkedAt: now, replayTo: 0, droppedTo: "" as Cursor },
  };
  const position = positionThrough(rules.spaces, { from: partition.position, to: outstanding.to }, offset);
  return { marks: [...marks, mark], partition: { ...partition, position, failing: undefined } };
}

/** Behind the entry: the position, or the first of what is parked. */
function passed(
  rules: Rules,
  { partition, marks }: Snapshot,
  outstanding: Outstanding,
  offset: Cursor,
  now: number,
): Snapshot {
  const { sequence } = parseCursor(offset);
  const progress = { streak: 0, acknowledgedAt: now };
  if (outstanding.kind === "replay") {
    const isAll = sequence >= outstanding.to;
    const left = marks.flatMap((mark) =>
      isReplayed(mark, outstanding, offset) ? (mark.alone ? [] : [behindFirst(mark, sequence + 1)]) : [mark],
    );
    return {
      marks: left,
      partition: { ...afterAll(partition, isAll), ...progress, ...forgiven(partition, rules, offset) },
    };
  }
  const position = positionThrough(rules.spaces, { from: partition.position, to: outstanding.to }, offset);
  const isAll = isWithin(outstanding.to, position);
  return {
    marks,
    partition: { ...afterAll(partition, isAll), ...progress, ...forgiven(partition, rules, offset), position },
  };
}

function passedBefore(
  rules: Rules,
  snapshot: Snapshot,
  outstanding: Outstanding,
  offset: Cursor,
  now: number,
): Snapshot {
  const { partition, marks } = snapshot;
  const { sequence } = parseCursor(offset);
  if (outstanding.kind === "replay") {
    const isFurther = marks.some((mark) => isReplayed(mark, outstanding, offset) && mark.first < sequence);
    if (!isFurther) return snapshot;
    const left = marks.map((mark) => (isReplayed(mark, outstanding, offset) ? behindFirst(mark, sequence) : mark));
    return { marks: left, partition: { ...partition, streak: 0, acknowledgedAt: now } };
  }
  const position = positionBefore(rules.spaces, { from: partition.position, to: outstanding.to }, offset);
  if (isWithin(position, partition.position)) return snapshot;
  return { marks, partition: { ...partition, position, streak: 0, acknowledgedAt: now } };
}

/** Ends a delivery of which nothing is left. */
function afterAll(partition: Partition, isAll: boolean): Partition {
  return isAll ? { ...partition, outstanding: undefined, single: Math.max(0, partition.single - 1) } : partition;
}

/** An entry that failed and is behind: forgotten. */
function forgiven({ failing }: Partition, rules: Rules, offset: Cursor): Pick<Partition, "failing"> {
  if (failing === undefined) return { failing };
  const isOfSpace = spaceIndexOf(rules.spaces, failing.offset) === spaceIndexOf(rules.spaces, offset);
  return { failing: isOfSpace && failing.offset <= offset ? undefined : failing };
}

function behindFirst(mark: Mark, first: number): Mark {
  return { ...mark, first: Math.max(mark.first, first) };
}

/** The mark that the entry is replayed from. */
function isReplayed(mark: Mark, { space, segment }: Outstanding & { kind: "replay" }, offset: Cursor): boolean {
  return isSameSegment(mark, { space, segment }) && covers(mark, parseCursor(offset).sequence);
}

/** Whether an entry of the mark's segment waits by it. */
export function covers(mark: Mark, sequence: number): boolean {
  return mark.alone ? mark.first === sequence : mark.first <= sequence;
}

/** The entry was acknowledged before, parked or skipped. */
function isDone({ partition, marks }: Snapshot, index: number, offset: Cursor, outstanding?: Outstanding): boolean {
  if (offset > (partition.position[index] ?? "")) return false;
  if (outstanding !== undefined && outstanding.kind === "log") return true;
  const { segment, sequence } = parseCursor(offset);
  return !marks.some((mark) => isSameSegment(mark, { space: index, segment }) && covers(mark, sequence));
}

function checkDelivered({ position }: Partition, index: number, offset: Cursor, outstanding: Outstanding): void {
  const { segment, sequence } = parseCursor(offset);
  const isWithinIt =
    outstanding.kind === "log"
      ? offset > (position[index] ?? "") && offset <= (outstanding.to[index] ?? "")
      : outstanding.space === index && outstanding.segment === segment && sequence <= outstanding.to;
  if (!isWithinIt)
    throw invalidArgument("offset", "the offset of an entry of the delivery that the claim is of", offset);
}

export function nextDelivery({ partition, marks }: Snapshot): Snapshot {
  return { marks, partition: { ...partition, delivery: partition.delivery + 1 } };
}

/** Never shorter: a holder that misses the answer counts on what it was told before. */
export function renewed({ partition, marks }: Snapshot, { leaseSeconds }: Rules, now: number): Snapshot {
  const expiresAt = Math.max(partition.expiresAt, now + dateStepMs + 1_000 * leaseSeconds);
  return { marks, partition: { ...partition, expiresAt } };
}

/** Gives the partition up. Outstanding entries come again, and nothing has failed. */
export function released({ partition, marks }: Snapshot): Snapshot {
  return nextDelivery({
    marks,
    partition: { ...partition, holder: undefined, expiresAt: 0, outstanding: undefined },
  });
}

/** A new holder's, with a token that no other ever had. */
export function taken(snapshot: Snapshot, worker: WorkerName, request: string): Snapshot {
  const { partition, marks } = snapshot;
  const { wanted, gap } = partition;
  return nextDelivery({
    marks,
    partition: {
      ...partition,
      ...{ token: partition.token + 1, holder: worker, claimedBy: request, outstanding: undefined },
      wanted: wanted?.by === worker ? undefined : wanted,
      gap: gap === undefined ? undefined : { ...gap, toldIn: 0 },
    },
  });
}
