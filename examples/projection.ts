// How many of each item were ordered, kept in SQLite: a follower of the space that goes on where it stopped, whatever
// stops it.
//
// The count and the place are written in one transaction of SQLite, so that each event counts once.

import { DatabaseSync } from "node:sqlite";
import { StreamkitClient } from "streamkit-client";
import type { OrderEvent } from "./order-service.ts";

export class ItemCounts {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS counts (item TEXT PRIMARY KEY, count INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), offset TEXT NOT NULL);
    `);
  }

  /** Until the signal aborts. */
  async run(url: string, storeId: string, abortSignal: AbortSignal): Promise<void> {
    const orders = new StreamkitClient(url).getStoreClient(storeId).getSpaceClient<OrderEvent>("orders");
    const place = this.#database.prepare("SELECT offset FROM place").get() as { readonly offset: string } | undefined;
    for await (const { payload, offset } of orders.follow({ offset: place?.offset, abortSignal })) {
      this.#database.exec("BEGIN");
      if (payload.type === "added") this.#add(payload.item, payload.count);
      this.#database.prepare("INSERT OR REPLACE INTO place VALUES (1, ?)").run(offset);
      this.#database.exec("COMMIT");
    }
  }

  counts(): Readonly<Record<string, number>> {
    const rows = this.#database.prepare("SELECT item, count FROM counts ORDER BY item").all();
    return Object.fromEntries(rows.map(({ item, count }) => [String(item), Number(count)]));
  }

  close(): void {
    this.#database.close();
  }

  #add(item: string, count: number): void {
    const sql = "INSERT INTO counts VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET count = count + excluded.count";
    this.#database.prepare(sql).run(item, count);
  }
}
