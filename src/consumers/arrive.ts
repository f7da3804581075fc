// The meaning of a worker's fetch for one partition, before anything is read: whether it holds it, takes it, is to give
// it away, or finds it with another. Pure.

import type { Cursor, WorkerName } from "../core/ids.ts";
import type { Consumer } from "./consumer.ts";
import type { Claimed, Snapshot } from "./decide.ts";
import { acknowledge, isExpired, isHolder, released, renewed, taken } from "./decide.ts";
import type { Outstanding, Partition } from "./partition.ts";

/** A worker that asks. */
export interface Asking {
  readonly worker: WorkerName;
  /** The same in each repeat of one fetch; empty: nobody can tell a repeat. */
  readonly request: string;
}

/** The worker's word on a partition that it held. */
export interface Holding extends Claimed {
  /** Absent: nothing more is done. */
  readonly offset?: Cursor | undefined;
  readonly release: boolean;
}

export type Arrival =
  /** Another has it. */
  | { readonly kind: "busy" }
  /**
   * It is the worker's: `next` may be delivered, `again` what was delivered last, or `nothing` as that is being worked
   * on.
   */
  | {
      readonly kind: "held";
      readonly snapshot: Snapshot;
      readonly deliver: "next" | "again" | "nothing";
      /** The acknowledgement was of a delivery that is over. */
      readonly isOver: boolean;
    }
  /** It has become the worker's; `abandoned`: what its former holder did not acknowledge. */
  | { readonly kind: "taken"; readonly snapshot: Snapshot; readonly abandoned: Outstanding | undefined }
  /** The worker gave it up, by itself or because another asked for it. */
  | { readonly kind: "given"; readonly snapshot: Snapshot; readonly isOver: boolean };

export interface Arrived {
  readonly arrival: Arrival;
  /** The claim that the worker has is worth nothing any more. */
  readonly isLost: boolean;
}

export function arrive(
  rules: Consumer,
  snapshot: Snapshot,
  asking: Asking,
  holding: Holding | undefined,
  now: number,
): Arrived {
  const { partition } = snapshot;
  if (holding === undefined) return { arrival: claiming(rules, snapshot, asking, "unasked", now), isLost: false };
  const isOld = holding.delivery < partition.delivery - 1;
  if (!isHolder(partition, holding) || isOld) {
    // A claim two deliveries old is of a worker that missed an answer: it must not wait for itself.
    return { arrival: claiming(rules, snapshot, asking, "lost", now), isLost: true };
  }
  return { arrival: keeping(rules, snapshot, asking, holding, now), isLost: false };
}

function keeping(rules: Consumer, given: Snapshot, { worker }: Asking, holding: Holding, now: number): Arrival {
  const { offset } = holding;
  const judged = offset === undefined ? undefined : acknowledge(rules, given, holding, offset, now);
  const isOver = judged?.verdict === "over";
  const snapshot = shown(judged?.snapshot ?? given, holding);
  const { partition } = snapshot;
  const isWanted = isAskedFor(partition, worker, now) && partition.outstanding === undefined;
  if (holding.release || isWanted) return { kind: "given", snapshot: released(snapshot), isOver };
  const isBeingWorkedOn = holding.delivery === partition.delivery && partition.outstanding !== undefined;
  const isMissed = holding.delivery < partition.delivery && partition.outstanding !== undefined;
  const deliver = isBeingWorkedOn ? "nothing" : isMissed ? "again" : "next";
  return { kind: "held", snapshot, deliver, isOver };
}

function claiming(
  rules: Consumer,
  snapshot: Snapshot,
  { worker, request }: Asking,
  how: "unasked" | "lost",
  now: number,
): Arrival {
  const { partition } = snapshot;
  const isOwn = partition.holder === worker;
  if (how === "unasked" && isOwn && request !== "" && partition.claimedBy === request) {
    const deliver = partition.outstanding === undefined ? "next" : "again";
    return { kind: "held", snapshot, deliver, isOver: false };
  }
  const isFree = partition.holder === undefined || isExpired(partition, now);
  // A process that was born again under its name: it knows nothing of what it held.
  const isReborn = how === "unasked" && isOwn;
  if ((!isFree && !isReborn) || rules.paused) return { kind: "busy" };
  if (partition.holder === undefined && isAskedFor(partition, worker, now)) return { kind: "busy" };
  const next = renewed(taken(snapshot, worker, request), rules, now);
  return { kind: "taken", snapshot: next, abandoned: partition.outstanding };
}

/** Whether somebody else asks for the partition. */
export function isAskedFor({ wanted }: Partition, worker: WorkerName, now: number): boolean {
  return wanted !== undefined && wanted.until > now && wanted.by !== worker;
}

/** A holder that speaks of the delivery that a gap was told with has been told. */
function shown({ partition, marks }: Snapshot, { delivery }: Claimed): Snapshot {
  const isTold = partition.gap !== undefined && partition.gap.toldIn === delivery;
  return isTold ? { marks, partition: { ...partition, gap: undefined } } : { partition, marks };
}
