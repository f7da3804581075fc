// One ordered keyspace of bytes, and LevelDB as the one that is used.
//
// Promise: keys sort as bytes; a write is atomic and every read that begins after it sees it; the pages of one range
// are one snapshot. It is a port so that tests can fail a page, cut a write or spoil a value where a real disk would.

import { ClassicLevel } from "classic-level";

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A row to be there, or, without a value, to be gone. */
export interface KeyChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** From `from` (inclusive) to `to` (exclusive). Always both, so that no read leaks into a neighbour. */
export interface Range {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface Keyspace {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** The rows of a range in order, a page at a time; nothing is read before the first `next` or after leaving. */
  pages(range: Range): AsyncIterable<readonly KeyValue[]>;
  /** The last row of a range. */
  last(range: Range): Promise<KeyValue | undefined>;
  /** All of them or none. */
  write(rows: readonly KeyChange[]): Promise<void>;
  close(): Promise<void>;
}

/** Ends a page: bytes of keys and values, so that a page is a few of the largest blocks and memory stays bounded. */
const pageBytesMax = 1024 * 1024;
/** Ends a page of small rows, so that other work gets its turn. */
const pageRowsMax = 256;

/** Opens the LevelDB in a folder, which is created when it is missing. One process at a time can hold it. */
export async function openKeyspace(location: string): Promise<Keyspace> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: "view", valueEncoding: "view" });
  await level.open();
  return {
    get: (key) => level.get(key),
    async *pages({ from, to }) {
      const iterator = level.iterator({ gte: from, lt: to, highWaterMarkBytes: pageBytesMax });
      try {
        for (;;) {
          const rows = await iterator.nextv(pageRowsMax);
          if (rows.length === 0) return;
          yield rows.map(([key, value]) => ({ key, value }));
        }
      } finally {
        await iterator.close();
      }
    },
    async last({ from, to }) {
      for await (const [key, value] of level.iterator({ gte: from, lt: to, reverse: true, limit: 1 })) {
        return { key, value };
      }
      return undefined;
    },
    write: (rows) =>
      level.batch(
        rows.map(({ key, value }) => (value === undefined ? { type: "del", key } : { type: "put", key, value })),
      ),
    close: () => level.close(),
  };
}
