// Ways in which what is stored can be wrong, each with all that a check must find of it.

import { expect } from "vitest";

import type { SegmentName, SpaceName } from "../../../../../src/core/ids.ts";
import type { FindingKind } from "../../../../../src/store/azure/fsck/finding.ts";
import {
  blockRow,
  logHeadRow,
  logPartition,
  nameRow,
  openLogRow,
  openLogsPartition,
  recordRow,
  segmentHeadRow,
  segmentPartition,
  segmentsPartition,
  spacesPartition,
  transactionRow,
} from "../../../../../src/store/azure/rows/keys.ts";
import {
  encodeBlockRow,
  encodeTombstone,
  encodeTransactionRow,
} from "../../../../../src/store/azure/rows/segment-rows.ts";
import type { Stored } from "./stored.ts";
import { all, alpha, beta, gamma, keyOfAll, keyOfAlpha, orders, storeId, tableName, users } from "./stored.ts";

export const inAlpha = segmentPartition(orders, alpha);
export const inOrders = logPartition(orders);

export async function timestamps(stored: Stored): Promise<number[]> {
  const entries = await all(stored.instance().store.consumeSpace(orders));
  return [...new Set(entries.map(({ timestamp }) => timestamp))];
}

export interface Damage {
  readonly what: string;
  readonly spoil: (stored: Stored) => Promise<void>;
  /** All that must be found, each with its place. */
  readonly finds: readonly (readonly [FindingKind, SpaceName?, SegmentName?])[];
}

/** What can be rebuilt beside live writers. */
export const repairable: readonly Damage[] = [
  {
    what: "a block is gone from the middle of a segment",
    spoil: (stored) => stored.delete(inAlpha, blockRow(3)),
    finds: [["block_missing", orders, alpha]],
  },
  {
    what: "the last block of a segment is gone",
    spoil: (stored) => stored.delete(inAlpha, blockRow(6)),
    finds: [["block_missing", orders, alpha]],
  },
  {
    what: "a block is not what was written",
    spoil: (stored) => stored.change(inAlpha, blockRow(3), { d00: Buffer.from("nonsense") }),
    finds: [["block_unreadable", orders, alpha]],
  },
  {
    what: "a block holds the entries of another",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inAlpha, blockRow(6));
      await stored.change(inAlpha, blockRow(3), { d00: row?.properties["d00"] });
    },
    finds: [["block_differs", orders, alpha]],
  },
  {
    what: "a block begins elsewhere than its row says",
    spoil: (stored) => stored.change(inAlpha, blockRow(5), { f: 5n }),
    finds: [
      ["block_missing", orders, alpha],
      ["block_differs", orders, alpha],
    ],
  },
  {
    what: "two blocks hold the same entries",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inAlpha, blockRow(2));
      const properties = encodeBlockRow(1, row?.properties["d00"] as Uint8Array);
      await stored.table.submit(inAlpha, [{ kind: "insert", row: blockRow(4), properties }]);
    },
    finds: [["block_extra", orders, alpha]],
  },
  {
    what: "readable entries were given up as lost",
    spoil: async (stored) => {
      const [, second = 0] = await timestamps(stored);
      const properties = encodeTombstone(3, second);
      await stored.table.submit(inAlpha, [{ kind: "upsert", row: blockRow(3), properties }]);
    },
    finds: [["tombstone_needless", orders, alpha]],
  },
  {
    what: "other entries were given up than a record has",
    spoil: async (stored) => {
      const properties = encodeTombstone(3, 1);
      await stored.table.submit(inAlpha, [{ kind: "upsert", row: blockRow(3), properties }]);
    },
    finds: [["block_differs", orders, alpha]],
  },
  {
    what: "the head gives another last entry than the last block",
    spoil: async (stored) => {
      const other = segmentPartition(orders, beta);
      const { row } = await stored.table.get(other, segmentHeadRow(other));
      await stored.change(inAlpha, segmentHeadRow(inAlpha), { e: row?.properties["e"] });
    },
    finds: [["last_entry_differs", orders, alpha]],
  },
  {
    what: "what an id was used for is forgotten",
    spoil: (stored) => stored.delete(inAlpha, transactionRow(keyOfAlpha)),
    finds: [["id_missing", orders, alpha]],
  },
  {
    what: "an id is said to have been used elsewhere",
    spoil: (stored) => stored.change(inAlpha, transactionRow(keyOfAll), { f: 3n }),
    finds: [["id_differs", orders, alpha]],
  },
  {
    what: "an id is said to have been used that never was",
    spoil: async (stored) => {
      const id = storeId as unknown as typeof keyOfAll;
      const place = {
        id,
        number: 1,
        firstSequence: 1,
        lastSequence: 1,
        timestamp: 1,
        digest: "00".repeat(16),
        segments: 1,
      };
      const row = transactionRow(id);
      await stored.table.submit(inAlpha, [{ kind: "insert", row, properties: encodeTransactionRow(place) }]);
    },
    finds: [["id_extra", orders, alpha]],
  },
  {
    what: "a segment is not listed",
    spoil: (stored) => stored.delete(segmentsPartition(orders), nameRow(beta)),
    finds: [["segment_unlisted", orders, beta]],
  },
  {
    what: "a space is not listed",
    spoil: (stored) => stored.delete(spacesPartition, nameRow(users)),
    finds: [["space_unlisted", users]],
  },
  {
    what: "a segment is listed that never was",
    spoil: async (stored) => {
      const row = nameRow("never");
      await stored.table.submit(segmentsPartition(orders), [{ kind: "insert", row, properties: { v: 1n } }]);
    },
    finds: [["name_extra", orders, "never" as SegmentName]],
  },
  {
    what: "a space is listed that never was",
    spoil: async (stored) => {
      await stored.table.submit(spacesPartition, [{ kind: "insert", row: nameRow("never"), properties: { v: 1n } }]);
    },
    finds: [["name_extra", "never" as SpaceName]],
  },
  {
    what: "the monitor would not visit a log that says it is open",
    spoil: (stored) => stored.delete(openLogsPartition, openLogRow(storeId, orders), stored.registry),
    finds: [["log_not_open", orders]],
  },
  {
    what: "a segment lags behind what its log counts as applied",
    spoil: async (stored) => {
      const { row: block } = await stored.table.get(inAlpha, blockRow(3));
      const [, second = 0] = await timestamps(stored);
      const entries = await all(stored.instance().store.consumeSegment(orders, alpha));
      const third = entries[2];
      expect(block).toBeDefined();
      for (const last of [5, 6]) await stored.delete(inAlpha, blockRow(last));
      await stored.delete(inAlpha, transactionRow(keyOfAll));
      await stored.change(inAlpha, segmentHeadRow(inAlpha), {
        l: 3n,
        lt: BigInt(second),
        tn: 2n,
        ti: third?.trx.id,
        e: undefined,
      });
    },
    finds: [["segment_behind", orders, alpha]],
  },
];

/** What live writers may act on: rebuilt only when there are none. */
export const offline: readonly Damage[] = [
  {
    what: "the head of a segment is gone",
    spoil: (stored) => stored.delete(inAlpha, segmentHeadRow(inAlpha)),
    finds: [["segment_head_missing", orders, alpha]],
  },
  {
    what: "all rows of a segment are gone",
    spoil: async (stored) => {
      const rows = stored.account.rows(tableName).filter(({ partition }) => partition === inAlpha);
      for (const { row } of [...rows]) await stored.delete(inAlpha, row);
    },
    finds: [
      ["segment_head_missing", orders, alpha],
      ["block_missing", orders, alpha],
      ["id_missing", orders, alpha],
      ["id_missing", orders, alpha],
    ],
  },
  {
    what: "the head of a segment names another transaction",
    spoil: (stored) => stored.change(inAlpha, segmentHeadRow(inAlpha), { ti: keyOfAll }),
    finds: [["segment_head_differs", orders, alpha]],
  },
  {
    what: "the head of a segment cannot be read",
    spoil: (stored) => stored.change(inAlpha, segmentHeadRow(inAlpha), { l: "six" }),
    finds: [["segment_head_differs", orders, alpha]],
  },
  {
    what: "a segment ends in the middle of a transaction",
    spoil: (stored) => stored.change(inAlpha, segmentHeadRow(inAlpha), { l: 4n, e: undefined }),
    finds: [
      ["segment_behind", orders, alpha],
      ["segment_head_differs", orders, alpha],
    ],
  },
  {
    what: "a segment has entries that its log never had",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inAlpha, blockRow(6));
      const properties = encodeBlockRow(7, row?.properties["d00"] as Uint8Array);
      await stored.table.submit(inAlpha, [{ kind: "insert", row: blockRow(7), properties }]);
      await stored.change(inAlpha, segmentHeadRow(inAlpha), { l: 7n, tn: 5n, e: undefined });
    },
    finds: [
      ["segment_beyond_log", orders, alpha],
      ["block_differs", orders, alpha],
    ],
  },
  {
    what: "a block is beyond its segment's head",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inAlpha, blockRow(6));
      const properties = encodeBlockRow(7, row?.properties["d00"] as Uint8Array);
      await stored.table.submit(inAlpha, [{ kind: "insert", row: blockRow(7), properties }]);
    },
    finds: [
      ["segment_beyond_log", orders, alpha],
      ["block_extra", orders, alpha],
    ],
  },
  {
    what: "a segment is there that its log never had",
    spoil: async (stored) => {
      const partition = segmentPartition(orders, gamma);
      const head = await stored.table.get(inAlpha, segmentHeadRow(inAlpha));
      const properties = head.row?.properties ?? {};
      await stored.table.submit(partition, [{ kind: "insert", row: segmentHeadRow(partition), properties }]);
    },
    finds: [["segment_beyond_log", orders, gamma]],
  },
  {
    what: "the head of a log is gone",
    spoil: (stored) => stored.delete(inOrders, logHeadRow(orders)),
    finds: [["log_head_missing", orders]],
  },
  {
    what: "the head of a log cannot be read",
    spoil: (stored) => stored.change(inOrders, logHeadRow(orders), { apply: Buffer.from("?") }),
    finds: [["log_head_differs", orders]],
  },
  {
    what: "the head of a log names another last record",
    spoil: (stored) => stored.change(inOrders, logHeadRow(orders), { id: "another" }),
    finds: [["log_head_differs", orders]],
  },
  {
    what: "the head of a log counts other entries than its last record",
    spoil: (stored) => stored.change(inOrders, logHeadRow(orders), { ce: 1n }),
    finds: [["log_head_differs", orders]],
  },
  {
    what: "the head of a log has forgotten its counts",
    spoil: (stored) => stored.change(inOrders, logHeadRow(orders), { ce: undefined, cb: undefined }),
    finds: [["log_head_differs", orders]],
  },
  {
    what: "the head of a log lists a pending record that is not there",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inOrders, logHeadRow(orders));
      const apply = Buffer.concat([row?.properties["apply"] as Uint8Array, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])]);
      await stored.change(inOrders, logHeadRow(orders), { apply });
    },
    finds: [["pending_unknown", orders]],
  },
  {
    what: "the head of a log lists a pending record of a time that cannot be",
    spoil: async (stored) => {
      const { row } = await stored.table.get(inOrders, logHeadRow(orders));
      const apply = Buffer.concat([row?.properties["apply"] as Uint8Array, Buffer.alloc(8, 0xff)]);
      await stored.change(inOrders, logHeadRow(orders), { apply });
    },
    finds: [["log_head_differs", orders]],
  },
];

/** Where the log is damaged itself, nothing is changed. */
export const hopeless: readonly Damage[] = [
  {
    what: "the entries of a record cannot be read",
    spoil: async (stored) => {
      const [, second = 0] = await timestamps(stored);
      await stored.change(inOrders, recordRow(second), { d00: Buffer.from("nonsense") });
    },
    finds: [["record_unreadable", orders]],
  },
  {
    what: "nothing of a record can be read",
    spoil: async (stored) => {
      const [, second = 0] = await timestamps(stored);
      await stored.change(inOrders, recordRow(second), { s: Buffer.from("nonsense") });
    },
    finds: [
      ["record_unreadable", orders],
      ["sequence_fork", orders, alpha],
      ["block_differs", orders, alpha],
    ],
  },
  {
    what: "a record is gone from the middle of a log",
    spoil: async (stored) => {
      const [, second = 0] = await timestamps(stored);
      await stored.delete(inOrders, recordRow(second));
    },
    finds: [
      ["record_missing", orders],
      ["sequence_fork", orders, alpha],
      ["block_differs", orders, alpha],
    ],
  },
  {
    what: "the last record of a log is gone",
    spoil: async (stored) => {
      const last = (await timestamps(stored)).at(-1) ?? 0;
      await stored.delete(inOrders, recordRow(last));
    },
    finds: [
      ["log_head_differs", orders],
      ["log_head_differs", orders],
      ["segment_beyond_log", orders, alpha],
    ],
  },
  {
    what: "a record has other entries than its summary says",
    spoil: async (stored) => {
      const [first = 0, second = 0] = await timestamps(stored);
      const { row } = await stored.table.get(inOrders, recordRow(first));
      await stored.change(inOrders, recordRow(second), { d00: row?.properties["d00"] });
    },
    finds: [["record_differs", orders, alpha]],
  },
  {
    what: "a whole log is gone",
    spoil: async (stored) => {
      const rows = stored.account.rows(tableName).filter(({ partition }) => partition === logPartition(users));
      for (const { partition, row } of [...rows]) await stored.delete(partition, row);
    },
    finds: [["segment_beyond_log", users, gamma]],
  },
];
