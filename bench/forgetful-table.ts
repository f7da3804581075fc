// A table that takes every write and keeps nothing: what an instance holds over it is what the instance itself
// remembers.

import type { Table, TableAccount } from "../src/table/port.ts";

export function forgetfulAccount(): TableAccount {
  let version = 0;
  const now = (): number => Math.floor(Date.now() / 1_000) * 1_000;
  const table: Table = {
    get: () => Promise.resolve({ row: undefined, serviceTime: now() }),
    query: () => Promise.resolve({ rows: [], continuation: undefined, serviceTime: now() }),
    submit: (_, writes) => {
      // As long as the service's own: ETags are remembered.
      const etag = (): string => `W/"datetime'2030-01-01T00%3A00%3A00.${String((version += 1)).padStart(7, "0")}Z'"`;
      return Promise.resolve({ kind: "done", etags: writes.map(etag), serviceTime: now() });
    },
    create: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
  return {
    table: () => table,
    tableNames: async function* () {
      // There are none.
    },
  };
}
