// An instance's knowledge of a store's consumers between calls: their rules, and the marks of each version of a
// partition. Forgetting costs a read.

import { LRUCache } from "lru-cache";

import type { Clock, Random } from "../core/clock.ts";
import type { ConsumerName, StoreId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { Telemetry } from "../core/telemetry.ts";
import type { Store } from "../store/store.ts";
import type { Table } from "../table/port.ts";
import type { Consumer } from "./consumer.ts";
import type { Snapshot } from "./decide.ts";
import type { Mark } from "./mark.ts";
import { SpacePages } from "./pages.ts";
import type { Partition } from "./partition.ts";
import { readMarks } from "./rows.ts";

export interface ConsumersParts {
  readonly clock: Clock;
  /** The storage's time. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

const consumersMax = 1_000;
const marksMax = 20_000;

/** All consumers of an instance share it. */
export class ConsumersInstance {
  readonly parts: ConsumersParts;
  readonly pages: SpacePages;
  readonly #consumers = new LRUCache<string, Consumer>({ max: consumersMax });
  readonly #marks = new LRUCache<string, readonly Mark[]>({
    maxSize: marksMax,
    sizeCalculation: (marks) => marks.length + 1,
  });

  constructor(parts: ConsumersParts) {
    this.parts = parts;
    this.pages = new SpacePages(parts.clock);
  }

  consumer(store: StoreId, name: ConsumerName): Consumer | undefined {
    return this.#consumers.get(`${store} ${name}`);
  }

  remember(store: StoreId, consumer: Consumer): void {
    this.#consumers.set(`${store} ${consumer.name}`, consumer);
  }

  /**
   * A partition with its marks, which are read once for each version of their set. Marks that are newer than the
   * partition are of a row that has changed since: what is decided by them is refused.
   */
  async snapshot(
    { store, table }: StoreParts,
    consumer: Consumer,
    number: number,
    partition: Partition,
    signal: AbortSignal | undefined,
  ): Promise<Snapshot> {
    if (partition.marks === 0) return { partition, marks: [] };
    const { name, life, generation } = consumer;
    const key = JSON.stringify([store.id, name, life, generation, number, partition.marksVersion]);
    const known = this.#marks.get(key);
    if (known !== undefined) return { partition, marks: known };
    const marks = await readMarks(table, name, { life, generation, partition: number }, signal);
    this.#marks.set(key, marks);
    return { partition, marks };
  }
}

/** One store's part. */
export interface StoreParts {
  readonly store: Store;
  readonly table: Table;
}
