// Lists a space's log as open, so that the monitor visits it.

import type { SpaceName, StoreId } from "../../../core/ids.ts";
import type { Table } from "../../../table/port.ts";
import { openLogRow, openLogsPartition } from "../rows/keys.ts";
import type { LogVersion } from "./log-reader.ts";
import { formatFirst } from "../rows/format.ts";

export class Registration {
  readonly #registry: Table;
  readonly #store: StoreId;
  readonly #space: SpaceName;
  /** The last registration that was begun, and for which version. */
  #last: { readonly version: LogVersion; readonly done: Promise<void> } | undefined;

  constructor(registry: Table, store: StoreId, space: SpaceName) {
    this.#registry = registry;
    this.#store = store;
    this.#space = space;
  }

  /**
   * Resolves when commits under this version may say that the log is registered: when its head says so already, or the
   * row was written since it was read. Once for a version; again when that failed.
   */
  registered(version: LogVersion): Promise<void> {
    if (version.head.registered) return Promise.resolve();
    if (this.#last?.version === version) return this.#last.done;
    const begun = { version, done: this.register() };
    this.#last = begun;
    begun.done.catch(() => {
      if (this.#last === begun) this.#last = undefined;
    });
    return begun.done;
  }

  /**
   * Writes the row, whatever is there: its ETag changes, which stops a monitor that was about to delete it. Counts for
   * commits under a log version that was read before this was called, and for no other: see `Monitor`.
   */
  async register(): Promise<void> {
    const row = openLogRow(this.#store, this.#space);
    const upsert = [{ kind: "upsert", row, properties: { v: formatFirst } }] as const;
    const result = await this.#registry.submit(openLogsPartition, upsert);
    if (result.kind === "done") return;
    await this.#registry.create();
    const again = await this.#registry.submit(openLogsPartition, upsert);
    if (again.kind === "refused") throw new Error(`The table of open logs refuses an upsert: ${again.reason}.`);
  }
}
