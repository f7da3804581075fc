// Confirms the rows of a space and its segments in the inventory: names are found from the first acknowledgement on.

import type { SpaceName } from "../../../core/ids.ts";
import { backOff } from "../instance/back-off.ts";
import type { ApplierDeps } from "./applier.ts";
import { isTransient } from "../instance/failure.ts";
import { nameRow, segmentsPartition, spacesPartition } from "../rows/keys.ts";
import type { PendingItem, PendingRecord } from "./segment-queue.ts";
import { formatFirst } from "../rows/format.ts";

export class Inventory {
  readonly #space: SpaceName;
  readonly #deps: Pick<ApplierDeps, "table" | "clock" | "random" | "options">;
  /** Requests on their way: all who need a name at the same time share one. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(space: SpaceName, deps: Pick<ApplierDeps, "table" | "clock" | "random" | "options">) {
    this.#space = space;
    this.#deps = deps;
  }

  /** Only a segment's first transaction needs it. */
  async listSegment(item: PendingItem): Promise<void> {
    if (item.listed) return;
    await this.#list(segmentsPartition(this.#space), item.transaction.segment);
    item.listed = true;
  }

  /**
   * `opening`: the log's first record, as long as it is pending. A caller whose record is acknowledged finds the space
   * by its name, also when the first record is somebody else's.
   */
  async listSpace(opening: PendingRecord | undefined): Promise<void> {
    if (opening === undefined || opening.spaceListed) return;
    await this.#list(spacesPartition, this.#space);
    opening.spaceListed = true;
  }

  #list(partition: string, name: string): Promise<void> {
    const key = `${partition} ${name}`;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const listing = this.#upsert(partition, name).finally(() => this.#running.delete(key));
    this.#running.set(key, listing);
    return listing;
  }

  async #upsert(partition: string, name: string): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#deps.table.submit(partition, [
          { kind: "upsert", row: nameRow(name), properties: { v: formatFirst } },
        ]);
        return;
      } catch (error) {
        if (!isTransient(error) || failures >= this.#deps.options.applyAttemptsMax) throw error;
        await backOff(this.#deps, failures);
      }
    }
  }
}
