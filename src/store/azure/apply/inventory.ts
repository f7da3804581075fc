// Confirms the rows of a space and its segments in the inventory: names are found from the first acknowledgement on.

import { StoreError } from "../../../core/errors.ts";
import type { SpaceName } from "../../../core/ids.ts";
import { backOff } from "../instance/back-off.ts";
import type { ApplierDeps } from "./applier.ts";
import { isTransient } from "../instance/failure.ts";
import { nameRow, segmentsPartition, spacesPartition } from "../rows/keys.ts";
import type { PendingItem, PendingRecord } from "./segment-queue.ts";
import { deletedThrough, listedName, nameProperties } from "../rows/name-rows.ts";

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
    const { record, transaction } = item;
    await this.#list(segmentsPartition(this.#space), transaction.segment, record.summary.timestamp);
    item.listed = true;
  }

  /**
   * `opening`: the log's first record, as long as it is pending. Whoever is acknowledged finds the space by its name,
   * also when that record is somebody else's.
   */
  async listSpace(opening: PendingRecord | undefined): Promise<void> {
    if (opening === undefined || opening.spaceListed) return;
    await this.#list(spacesPartition, this.#space, opening.summary.timestamp);
    opening.spaceListed = true;
  }

  #list(partition: string, name: string, timestamp: number): Promise<void> {
    const key = `${partition} ${name} ${timestamp}`;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const listing = this.#listNow(partition, nameRow(name), timestamp).finally(() => this.#running.delete(key));
    this.#running.set(key, listing);
    return listing;
  }

  async #listNow(partition: string, row: string, timestamp: number): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      try {
        if (await this.#isListed(partition, row, timestamp)) return;
      } catch (error) {
        if (!isTransient(error) || failures >= this.#deps.options.applyAttemptsMax) throw error;
      }
      if (failures >= this.#deps.options.applyAttemptsMax) {
        throw new StoreError("overloaded", "Others write to this name all the time. Try again a little later.", {
          effect: "committed",
          retryAfterMs: 1_000,
        });
      }
      await backOff(this.#deps, failures);
    }
  }

  /**
   * One try. False: somebody else's write came between. A mark stays that was set after the record: its name was
   * deleted since.
   */
  async #isListed(partition: string, row: string, timestamp: number): Promise<boolean> {
    const { table } = this.#deps;
    const inserted = await table.submit(partition, [{ kind: "insert", row, properties: listedName }]);
    if (inserted.kind === "done") return true;
    const { row: there } = await table.get(partition, row, { select: nameProperties });
    if (there === undefined) return false;
    const through = deletedThrough(there);
    if (through === undefined || through >= timestamp) return true;
    const write = { kind: "replace", row, properties: listedName, ifMatch: there.etag } as const;
    return (await table.submit(partition, [write])).kind === "done";
  }
}
