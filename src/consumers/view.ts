// The rows that a call decides on: as its claims carry them, if that is enough, else as they are stored.

import { StoreError } from "../core/errors.ts";
import type { ConsumerName } from "../core/ids.ts";
import type { Claim } from "./claim.ts";
import { rowOf } from "./claim.ts";
import type { Consumer } from "./consumer.ts";
import { consumerPartition } from "./consumer.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import { decodePartition, partitionRowKey } from "./partition.ts";
import type { SeenPartition } from "./rows.ts";
import { readSeen } from "./rows.ts";

export interface View {
  readonly consumer: Consumer;
  readonly partitions: ReadonlyMap<number, SeenPartition>;
  readonly now: number;
  readonly lookedAt: number;
  /** Every partition is there, as it is stored. */
  readonly isWhole: boolean;
}

/** Undefined: the claims do not carry enough, or are too old to be decided on alone. */
export function viewOfClaims(
  instance: ConsumersInstance,
  { store }: StoreParts,
  name: ConsumerName,
  claims: readonly Claim[],
  mayBeOld: "any age" | "half a lease",
): View | undefined {
  const consumer = instance.consumer(store.id, name);
  if (consumer === undefined || claims.length === 0) return undefined;
  const now = instance.parts.serviceClock.now();
  const lookedAt = Math.min(...claims.map((claim) => claim.lookedAt));
  if (mayBeOld === "half a lease" && now - lookedAt >= 500 * consumer.leaseSeconds) return undefined;
  const partitions = new Map<number, SeenPartition>();
  for (const claim of claims) {
    const { life, revision, partition, etag } = claim;
    if (life !== consumer.life || revision !== consumer.revision) return undefined;
    const row = rowOf(claim, consumerPartition(name), partitionRowKey(life, partition));
    try {
      partitions.set(partition, { partition: decodePartition(row, consumer.spaces), etag });
    } catch {
      // Not as it was given: what is stored decides.
      return undefined;
    }
  }
  return { consumer, partitions, now, lookedAt, isWhole: false };
}

/** One query. `not_found` when there is no such consumer. */
export async function storedView(
  instance: ConsumersInstance,
  { store, table }: StoreParts,
  name: ConsumerName,
  signal?: AbortSignal,
): Promise<View> {
  const { row, partitions, now } = await readSeen(table, name, signal);
  if (row?.kind !== "live") throw noConsumer(name);
  instance.remember(store.id, row.consumer);
  return { consumer: row.consumer, partitions, now, lookedAt: now, isWhole: true };
}

export function noConsumer(name: ConsumerName): StoreError {
  return new StoreError("not_found", `There is no consumer ${JSON.stringify(name)}.`);
}
