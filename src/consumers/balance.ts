// Whom a worker asks for a partition, so that each comes to hold about as many as the others: pure.
//
// Promise: nobody's work is taken away; one partition is asked of the one that holds most, at least two more than who
// asks, and by a mark that expires.

import type { WorkerName } from "../core/ids.ts";
import { isExpired } from "./decide.ts";
import type { Partition } from "./partition.ts";

/** Longer than a lease: a holder that is alive writes its row in that time and meets the mark. */
const markLeases = 2;

/**
 * The partition to ask for, and how; undefined: nobody holds enough more, or one is asked for already. `now`: of all of
 * them.
 */
export function partitionToAsk(
  partitions: ReadonlyMap<number, Partition>,
  worker: WorkerName,
  { leaseSeconds }: { readonly leaseSeconds: number },
  now: number,
): { readonly number: number; readonly wanted: NonNullable<Partition["wanted"]> } | undefined {
  const held = new Map<WorkerName, number[]>();
  for (const [number, partition] of partitions) {
    const { holder, wanted } = partition;
    if (wanted?.by === worker && wanted.until > now) return undefined;
    if (holder === undefined || isExpired(partition, now)) continue;
    held.set(holder, [...(held.get(holder) ?? []), number]);
  }
  const own = held.get(worker)?.length ?? 0;
  const [most = []] = [...held]
    .filter(([holder]) => holder !== worker)
    .map(([, numbers]) => numbers)
    .sort((a, b) => b.length - a.length);
  if (most.length < own + 2) return undefined;
  const number = most.find((one) => {
    const wanted = partitions.get(one)?.wanted;
    return wanted === undefined || wanted.until <= now;
  });
  if (number === undefined) return undefined;
  return { number, wanted: { by: worker, until: now + 1_000 * markLeases * leaseSeconds } };
}
