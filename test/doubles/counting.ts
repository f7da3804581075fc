// Counts what goes through a table account: what tests hold and the benchmark reports.
//
// Promise: changes nothing of what passes.

import type { Row, Table, TableAccount, Write } from "../../src/table/port.ts";
import { TableFailure } from "../../src/table/port.ts";
import { entityBytes } from "../../src/table/sizes.ts";

export interface Counts {
  readonly get: number;
  readonly query: number;
  readonly submit: number;
  readonly create: number;
  readonly remove: number;
  /** All of them: what the service bills as transactions. */
  readonly requests: number;
  /** Operations of all submits that were done. */
  readonly rowsWritten: number;
  /** By the service's formula of an entity's size. */
  readonly bytesWritten: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
  /** Submits that were refused. */
  readonly refused: number;
  /** Requests that ended in a TableFailure. */
  readonly failed: number;
}

export interface CountingAccount extends TableAccount {
  /** As of now; a value of its own. */
  readonly counts: Counts;
  reset(): void;
}

const none: Counts = {
  get: 0,
  query: 0,
  submit: 0,
  create: 0,
  remove: 0,
  requests: 0,
  rowsWritten: 0,
  bytesWritten: 0,
  rowsRead: 0,
  bytesRead: 0,
  refused: 0,
  failed: 0,
};

export function countingAccount(account: TableAccount): CountingAccount {
  let counts: { -readonly [Name in keyof Counts]: number } = { ...none };

  const counted = async <T>(
    kind: "get" | "query" | "submit" | "create" | "remove",
    request: () => Promise<T>,
  ): Promise<T> => {
    counts[kind] += 1;
    counts.requests += 1;
    try {
      return await request();
    } catch (error) {
      if (error instanceof TableFailure) counts.failed += 1;
      throw error;
    }
  };
  const read = (row: Row): void => {
    counts.rowsRead += 1;
    counts.bytesRead += entityBytes(row.partition, row.row, row.properties);
  };
  const written = (partition: string, write: Write): void => {
    counts.rowsWritten += 1;
    if (write.kind !== "delete") counts.bytesWritten += entityBytes(partition, write.row, write.properties);
  };

  const wrap = (table: Table): Table => ({
    get: async (partition, row, options) => {
      const result = await counted("get", () => table.get(partition, row, options));
      if (result.row !== undefined) read(result.row);
      return result;
    },
    query: async (range, options) => {
      const page = await counted("query", () => table.query(range, options));
      page.rows.forEach(read);
      return page;
    },
    submit: async (partition, writes, options) => {
      const result = await counted("submit", () => table.submit(partition, writes, options));
      if (result.kind === "refused") counts.refused += 1;
      else writes.forEach((write) => written(partition, write));
      return result;
    },
    create: () => counted("create", () => table.create()),
    remove: () => counted("remove", () => table.remove()),
  });

  return {
    table: (name) => wrap(account.table(name)),
    tableNames: (after, before) => account.tableNames(after, before),
    get counts() {
      return { ...counts };
    },
    reset: () => {
      counts = { ...none };
    },
  };
}
