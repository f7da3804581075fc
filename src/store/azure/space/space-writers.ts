// The writers of the spaces that an instance writes: one for each, made when needed, dropped when idle and not used for long.

import type { SpaceName, StoreId } from "../../../core/ids.ts";
import type { Table } from "../../../table/port.ts";
import type { Instance } from "./instance.ts";
import { SpaceWriter } from "./space-writer.ts";

export class SpaceWriters {
  readonly #instance: Instance;
  /** Longest unused first. */
  readonly #writers = new Map<string, SpaceWriter>();

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  get(store: StoreId, space: SpaceName, table: Table): SpaceWriter {
    const key = `${store} ${space}`;
    const known = this.#writers.get(key);
    const writer = known ?? new SpaceWriter(this.#instance, store, space, table);
    this.#writers.delete(key);
    this.#writers.set(key, writer);
    if (known === undefined) this.#dropIdle(writer);
    return writer;
  }

  /** Ends what only time would end: what is pending is left to the monitor. */
  close(store: StoreId): void {
    for (const [key, writer] of this.#writers) {
      if (writer.store !== store) continue;
      writer.close();
      this.#writers.delete(key);
    }
  }

  closeAll(): void {
    for (const writer of this.#writers.values()) writer.close();
    this.#writers.clear();
  }

  /** `wanted` is about to be used: two writers of one space would not know what the other has sent. */
  #dropIdle(wanted: SpaceWriter): void {
    let excess = this.#writers.size - this.#instance.options.spaceCacheMax;
    for (const [key, writer] of this.#writers) {
      if (excess <= 0) return;
      if (writer === wanted || !writer.isIdle) continue;
      this.#writers.delete(key);
      excess -= 1;
    }
  }
}
