// What a writer writes to its log: a record with the head that it makes, or a head alone; each under the version that it replaces.

import type { SubmitResult, Table, Write } from "../../../table/port.ts";
import type { LogReader, LogVersion } from "../log/log-reader.ts";
import { recordRow } from "../rows/keys.ts";
import type { LogHead } from "../rows/log-rows.ts";
import { encodeLogHead, encodeRecord } from "../rows/log-rows.ts";
import type { Attempt } from "./log-state.ts";

/** A write whose failure leaves its outcome open is thrown; a refusal too means no more than: look at the log. */
export class LogWrites {
  readonly #table: Pick<Table, "create" | "submit">;
  readonly #log: Pick<LogReader, "headRow" | "partition">;

  constructor(table: Pick<Table, "create" | "submit">, log: Pick<LogReader, "headRow" | "partition">) {
    this.#table = table;
    this.#log = log;
  }

  /** The commit point: the record is in the log if and only if this succeeds. */
  commit(version: LogVersion, head: LogHead, { content, record }: Attempt): Promise<SubmitResult> {
    const { headRow } = this.#log;
    const properties = encodeLogHead(head);
    return this.#submit([
      version.etag === undefined
        ? { kind: "insert", row: headRow, properties }
        : { kind: "replace", row: headRow, properties, ifMatch: version.etag },
      { kind: "insert", row: recordRow(record.timestamp), properties: encodeRecord(record, content.data) },
    ]);
  }

  /** A head that lists less, and says nothing else. */
  settle(etag: string, head: LogHead): Promise<SubmitResult> {
    return this.#submit([{ kind: "replace", row: this.#log.headRow, properties: encodeLogHead(head), ifMatch: etag }]);
  }

  async #submit(writes: readonly Write[]): Promise<SubmitResult> {
    const { partition } = this.#log;
    const result = await this.#table.submit(partition, writes);
    if (result.kind === "done" || result.reason !== "table_missing") return result;
    // The same attempt under the same condition: nothing is to be learned before it.
    await this.#table.create();
    return this.#table.submit(partition, writes);
  }
}
