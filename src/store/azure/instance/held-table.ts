// A store's table as an instance may use it: as long as the store, and the space, are there (`standing.ts`).
//
// Promise: whoever reads is answered only with what was there, as far as may be believed when he asked; that is asked
// beside the read. A write to rows that may be removed is not sent before it is known. A commit is sent beside the
// question, and told only with its answer: in a space that was deleted the ETag of the log's head refuses it, in a
// store that was deleted nobody sees it. A table that is missing is made for a store that is there, and what is written
// to it then is confirmed only when the store still is.

import type { SpaceName } from "../../../core/ids.ts";
import type { SubmitResult, Table } from "../../../table/port.ts";
import type { StoreStanding } from "./standing.ts";

export interface HeldOptions {
  /** The space that a part of the table belongs to. */
  readonly space?: SpaceName;
  /** Writes are commits to a log. */
  readonly commits?: boolean;
}

export function heldTable(table: Table, standing: StoreStanding, { commits = false, space }: HeldOptions = {}): Table {
  let isNew = false;
  /** `asked` was begun no later than the request. */
  const both = async <T>(asked: Promise<void> | undefined, request: Promise<T>): Promise<T> => {
    if (asked === undefined) return request;
    const [result] = await Promise.all([request, asked]);
    return result;
  };
  const known = async (): Promise<void> => {
    for (let asked = standing.check(space); asked !== undefined; asked = standing.check(space)) await asked;
  };
  return {
    get: (partition, row, options) => both(standing.check(space), table.get(partition, row, options)),
    query: (range, options) => both(standing.check(space), table.query(range, options)),
    submit: async (partition, writes, options): Promise<SubmitResult> => {
      if (!commits) await known();
      const asked = commits ? standing.check(space) : undefined;
      const result = await both(asked, table.submit(partition, writes, options));
      if (isNew) {
        await standing.confirm();
        isNew = false;
      }
      return result;
    },
    create: async () => {
      await standing.confirm();
      await table.create();
      isNew = true;
    },
    remove: () => table.remove(),
  };
}
