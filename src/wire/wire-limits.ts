// The sizes and counts of the HTTP interface that are not the store's own, each with the reason for its value.

import { limits } from "../core/limits.ts";

export const wireLimits = {
  /** Entries of one JSON page when nothing is said, and at most. */
  pageEntriesDefault: 1_000,
  pageEntriesMax: 10_000,
  /** The newest entries that are found from the end: what one page of the storage holds. */
  lastEntriesMax: 1_000,
  /**
   * A JSON page ends with the entry that crosses this many characters: what a client holds in memory without a thought.
   */
  pageCharactersMax: 4 * 1024 * 1024,
  /** Names of one JSON page when nothing is said, and at most. */
  pageNamesDefault: 1_000,
  pageNamesMax: 10_000,
  /** Stores of one page: each is a read of its row. */
  pageStoresMax: 100,
  labelCharactersMax: 200,
  /** Spaces named in one consume: each is read ahead by a page. */
  consumeSpacesMax: 100,
  /** Prefixes, and conditions, of one filter: each entry is held against all of them. */
  filterPartsMax: 16,
  /** How long a page looks for entries that a filter lets through, milliseconds: `next` says how far it came. */
  filteredPageMs: 10_000,
  /**
   * The least age by which entries may go, seconds: writers' clocks, and what waits for its segment, are nothing beside
   * it.
   */
  retentionSecondsMin: 3_600,
  /** How long a dry run looks, milliseconds. */
  dryRunMs: 10_000,
  /** Long-poll, seconds: well below what proxies allow a silent answer. */
  waitSecondsMax: 30,
  /** Arrays and objects within each other in a `json` payload: the smallest limit of common parsers is 512. */
  jsonDepthMax: 500,
  /** One record as JSON text, characters: each byte of it may be written as six (`\u0041`), and the rest is keys. */
  recordCharactersMax: 6 * limits.recordBytesMax + 4_096,
  /** A body that asks for something, bytes: a hundred spaces with their cursors are a tenth of it. */
  controlBodyBytesMax: 1024 * 1024,
  /** Bytes of a body that are parsed before others get their turn, but for one record: about two milliseconds. */
  turnBytesMax: 256 * 1024,
  /**
   * A body of several segments, bytes: what one commit takes, each byte of it written as six, and the keys of its
   * records.
   */
  transactionBodyBytesMax: 6 * limits.chunkBytesMax + 3 * 1024 * 1024,
  /** Blank lines of one NDJSON body: they cost time and say nothing. */
  blankLinesMax: 100_000,
  /** Streamed bodies leave in pieces of about this size, characters. */
  pieceCharacters: 64 * 1024,
  /** A request id that a caller gave, characters. */
  requestIdCharactersMax: 128,
} as const;
