// Every size and count the product promises or refuses, each in one place, with its unit last and the reason it has
// that value.

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /**
   * A space's name: with the longest segment name the partition key stays within the service's 512 characters (hex).
   */
  spaceNameBytesMax: 96,
  segmentNameBytesMax: 144,
  /** Sequences, timestamps and transaction numbers are exact integers in JavaScript and in JSON. */
  sequenceMax: Number.MAX_SAFE_INTEGER,
  /**
   * The largest count, sequence or timestamp in a head: a larger one is damage, and the numbers that follow it are
   * still exact.
   */
  headNumberMax: 2 ** 52,
  /** Payload plus metadata (`contentBytes`) of one record, bytes. */
  recordBytesMax: 768 * KiB,
  /** One chunk of a produce: records, and the sum of their `contentBytes`. A chunk is one transaction. */
  chunkRecordsMax: 1_000,
  chunkBytesMax: 768 * KiB,
  /** Transactions of one all-or-nothing produce to several segments of a space. */
  produceAllSegmentsMax: 80,
  /** Lease keys whose tokens one space keeps, so that old holders are refused: they ride in the head of its log. */
  leaseKeysPerSpaceMax: 64,
  leaseKeyBytesMax: 96,
  leaseHolderBytesMax: 256,
  /**
   * How long a lease lasts unless it is renewed, seconds: no answer is a whole second old, no holder is gone for more
   * than a day.
   */
  leaseTtlSecondsMin: 1,
  leaseTtlSecondsMax: 86_400,
  /**
   * Spaces, and partitions, of one consumer: its rows change in one transaction, and each has a place in every space.
   */
  consumerSpacesMax: 16,
  consumerPartitionsMax: 64,
  consumersPerStoreMax: 100,
  consumerNameBytesMax: 96,
  workerNameBytesMax: 256,
  /** Why an entry failed, bytes: kept in a row that each call rewrites. */
  failureReasonBytesMax: 1 * KiB,
  /** Entries of one redaction: each may be a row of the log and a block of its own, which a call rewrites. */
  redactedTogetherMax: 100,
  /** How long what was deleted can be restored, milliseconds: a week, and a year at the most. */
  graceMsDefault: 7 * 86_400_000,
  graceMsMax: 366 * 86_400_000,
  /** Subscriptions of one store: each message is held against all of them. */
  subscriptionsPerStoreMax: 100,
  /**
   * Messages that wait for one target that fails, about: what comes beyond is given up. Entries are read with a cursor,
   * and miss nothing.
   */
  waitingPerSubscriptionMax: 1_000,
  /** Where a webhook is, characters. */
  webhookUrlCharactersMax: 2_048,
  /** Compressed data of one log record or block, bytes: an entity holds 1 MiB, the rest is for keys and summary. */
  dataBytesMax: 896 * KiB,
  /** The same data before compression: bounds what a page of reads can grow to. */
  plainBytesMax: 4 * MiB,
  /** Azure: one binary property, bytes. */
  propertyBytesMax: 64 * KiB,
  /** Azure: one entity, bytes. */
  entityBytesMax: 1 * MiB,
  /** Azure: one entity-group transaction: operations and bytes of request body. */
  batchOperationsMax: 100,
  batchBytesMax: 4 * MiB,
  /** Azure: a row or partition key, characters. */
  keyCharactersMax: 512,
  /** Azure: rows in one page of a query. */
  pageRowsMax: 1_000,
  /** One HTTP request body, bytes: the Functions host's own limit. */
  requestBytesMax: 100 * MiB,
  /** Content of one queue message, bytes: 64 KiB in the service, base64 on the way. */
  messageBytesMax: 48 * KiB,
} as const;
