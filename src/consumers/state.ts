// How a consumer stands: of each partition who holds it, how far it has come and how far it is behind, what fails and
// what is parked.

import type { ConsumerName } from "../core/ids.ts";
import { parseCursor } from "../codec/cursor.ts";
import { readBatch } from "./batch.ts";
import type { Consumer } from "./consumer.ts";
import type { Snapshot } from "./decide.ts";
import { isExpired } from "./decide.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import { storedView } from "./view.ts";

export interface PartitionStanding extends Snapshot {
  readonly number: number;
  readonly isHeld: boolean;
  /** How long the first entry that it has not come to has been waiting, milliseconds; 0: there is none. */
  readonly lagMs: number;
}

export interface Standing {
  readonly consumer: Consumer;
  readonly partitions: readonly PartitionStanding[];
  readonly now: number;
}

export async function readStanding(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  signal: AbortSignal,
): Promise<Standing> {
  const { consumer, partitions, now } = await storedView(instance, parts, name, signal);
  const since = instance.parts.clock.elapsed();
  const reading = { store: parts.store, pages: instance.pages, consumer, since, signal };
  const standings: PartitionStanding[] = [];
  for (const [number, { partition }] of partitions) {
    const snapshot = await instance.snapshot(parts, consumer, number, partition, signal);
    const bounds = { entriesMax: 1, bytesMax: Infinity };
    const { entries, looked, isEnd } = await readBatch(reading, number, partition.position, snapshot.marks, bounds);
    const [next] = entries;
    // The partition has found nothing yet: nothing up to there is its own.
    const times = looked.map((cursor) => (cursor === "" ? now : parseCursor(cursor).timestamp));
    const waitsSince = next?.entry.timestamp ?? (isEnd ? now : Math.min(...times));
    const isHeld = partition.holder !== undefined && !isExpired(partition, now);
    standings.push({ ...snapshot, number, isHeld, lagMs: Math.max(0, now - waitsSince) });
  }
  return { consumer, partitions: standings, now };
}
