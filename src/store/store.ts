// The store as its callers see it, whatever keeps it. Backends implement it; the contract suite judges them.
//
// Streams are lazy async iterables: nothing is requested before the first `next`, memory is bounded by a page, leaving
// the loop or aborting the signal stops the requests. An error on the way is thrown after what was read before it.

import type { Place } from "../codec/cursor.ts";
import type { AppendRecord, Entry, SegmentStatus } from "../core/entry.ts";
import type { EntryFilter } from "../core/entry-filter.ts";
import type { Cursor, SegmentName, SpaceName, StoreId, TransactionId } from "../core/ids.ts";
import type { StreamState } from "../core/stream.ts";
import type { RestoringStore } from "./restoring.ts";
import type { StreamAnswer, StreamWish } from "./stream-rules.ts";
import type { Redacting } from "./redacting.ts";

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface NamesOptions extends StreamOptions {
  /** Names that sort (as UTF-8) after this one; it need not exist. */
  readonly after?: string | undefined;
  /** 0 or absent: all. */
  readonly limit?: number | undefined;
}

/**
 * Trimmed entries are never read. A reader that begins at the beginning begins at what there is. A reader whose place
 * is before something that was trimmed gets `trimmed`, with the `earliest` to go on from, also when it has begun
 * already.
 */
export interface ClampOptions {
  /** Go on from the earliest there is, instead of being told. */
  readonly clamp?: boolean | undefined;
}

/** For who has written, or has read the space further: a segment may be behind its space for a moment. */
export interface MinOptions {
  /**
   * An offset of the segment's space: the segment is read with everything that its space has up to there. What is not
   * in it yet is brought there first. An offset that the space has not come to, or of another space, is
   * `invalid_argument`.
   */
  readonly min?: Cursor | undefined;
}

/** Bounds that are 0 or absent are open. */
export interface ConsumeSegmentArgs extends StreamOptions, ClampOptions, MinOptions {
  /** First and last sequence, both inclusive. `to` below `from` is empty. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Timestamps, milliseconds: exclusive. */
  readonly after?: number | undefined;
  /** Timestamps, milliseconds: inclusive. */
  readonly until?: number | undefined;
  readonly limit?: number | undefined;
  /** Told, in order, the sequence of each entry that `after` hides: who goes on behind the last misses none. */
  readonly passed?: (sequence: number) => void;
}

export interface FilterOptions {
  /** Only entries that match. `limit` counts those alone. */
  readonly filter?: EntryFilter | undefined;
  /**
   * Told, in the order of each space, places that the filter hid everything up to, since the entry before: whoever goes
   * on behind the last of them never reads that again.
   */
  readonly passed?: ((place: Place) => void) | undefined;
}

export interface ConsumeSpaceArgs extends StreamOptions, ClampOptions, FilterOptions {
  /** Only entries after this place. A cursor of another space is `invalid_argument`. */
  readonly offset?: Cursor | undefined;
  readonly after?: number | undefined;
  readonly until?: number | undefined;
  readonly limit?: number | undefined;
}

export interface ConsumeArgs extends StreamOptions, ClampOptions, FilterOptions {
  /** The spaces to read, each with the place to go on from (an empty cursor: its start). */
  readonly offsets: ReadonlyMap<SpaceName, Cursor>;
  readonly after?: number | undefined;
  readonly until?: number | undefined;
  /** Over all spaces together. */
  readonly limit?: number | undefined;
}

/** Entries, and their bytes: payloads and metadata. */
export interface Counts {
  readonly entries: number;
  readonly bytes: number;
}

/** The content of a space, in numbers. */
export interface SpaceStatus {
  readonly space: SpaceName;
  /**
   * What a reader of the space is given from its start. Undefined: nobody has counted yet what an earlier version
   * wrote; the monitor does, when the space is written again.
   */
  readonly counts: Counts | undefined;
  /** Commits that are not in all of their segments yet. */
  readonly pending: number;
  /** Timestamps of its first and its last commit; 0 if it has none, or has them no more. */
  readonly firstTimestamp: number;
  readonly lastTimestamp: number;
}

export interface WrittenArgs extends StreamOptions {
  /** A timestamp, milliseconds: exclusive. */
  readonly after: number;
}

/** One transaction of a segment, by its last entry. */
export interface WrittenPlace {
  readonly segment: SegmentName;
  readonly timestamp: number;
  readonly lastSequence: number;
}

/** `applied`: every read anywhere sees it. `committed`: durable and in its space; its segment follows. */
export type Ack = "applied" | "committed";

export interface ProduceOptions extends StreamOptions {
  /**
   * Makes a retry safe: the id of the first chunk's transaction; later chunks' ids derive from it and their position.
   * The same id with the same content is answered as the first time, marked duplicate; with other content it is
   * `transaction_id_mismatch`. Without one the store makes one.
   */
  readonly transactionId?: TransactionId | undefined;
  /** Default `applied`. */
  readonly ack?: Ack | undefined;
  /** Commits only while no newer token of this lease has committed to the space; else `lease_held`. */
  readonly lease?: LeaseToken | undefined;
}

/** Proof of a lease: who holds it is given a token that is greater than all before it. */
export interface LeaseToken {
  readonly key: string;
  readonly token: number;
}

/** The sequences and the id of one committed chunk. */
export interface CommittedTransaction {
  readonly id: TransactionId;
  readonly number: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** It had been committed before; nothing was written now. */
  readonly duplicate: boolean;
}

export interface ProducedChunk {
  /** The segment as of this chunk. */
  readonly status: SegmentStatus;
  /** Absent when no records were given. */
  readonly transaction?: CommittedTransaction;
}

export interface SegmentRecords {
  readonly segment: SegmentName;
  readonly records: readonly AppendRecord[];
}

/** A change of the stream that a segment is, with the records that are appended to it. */
export interface StreamRequest {
  readonly wish: StreamWish;
  /** None where the wish says it all. */
  readonly records: readonly AppendRecord[];
}

/** `lastSequence`: of the segment after it, or when it was decided. */
export type StreamOutcome =
  | { readonly kind: "written"; readonly stream: StreamState; readonly lastSequence: number }
  | { readonly kind: "answered"; readonly answer: StreamAnswer; readonly lastSequence: number };

export interface StreamStatus {
  readonly stream: StreamState;
  /** The segment's first sequence: entries before it were trimmed. */
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** One look at many spaces: those with news. */
export interface RecentSpaces {
  /** How long a space is among them after each of its commits, at least, milliseconds; by any machine's clock. */
  readonly ms: number;
  /**
   * All spaces with a commit within `ms` before this was called, if it is answered within `ms`; others may be among
   * them. Undefined: they are more than `max`.
   */
  list(max: number, options?: StreamOptions): Promise<ReadonlySet<SpaceName> | undefined>;
}

/**
 * Up to where a space is to be trimmed: entries with a lower timestamp, or those at or before a cursor. Whole commits
 * go, no parts of one.
 */
export type TrimPoint = { readonly timestamp: number } | { readonly offset: Cursor };

/** How far a trim of a space has come. */
export interface SpaceTrim {
  /**
   * The place that what is there follows: a reader who has come so far has missed nothing; the empty cursor: nothing
   * was ever trimmed.
   */
  readonly earliest: Cursor;
  /**
   * `done`: nothing before the point is there. `pending`: it stopped before a commit that is not in all its segments,
   * or not notified of, or not written off yet. `more`: there was more than one call removes. The same call goes on
   * from there.
   */
  readonly state: "done" | "pending" | "more";
}

/** A deletion as it is asked for. */
export interface DeletionWish {
  /** How long it can be restored, milliseconds. */
  readonly graceMs: number;
  /** It is never restored, and all that it had is removed as soon as can be. */
  readonly erase: boolean;
}

/** `removedFrom`: until then it can be restored, if that was not given up; from then on its rows go. */
export interface Deleted {
  readonly removedFrom: number;
}

/**
 * One turn of removing what was deleted. `live`: it is there, and nothing is removed. `waits`: its time comes later.
 * `more`: the turn was over, or others wrote to the same rows; so many were removed.
 */
export type RemovalResult =
  | { readonly state: "live" | "done" }
  | { readonly state: "waits"; readonly until: number }
  | { readonly state: "more"; readonly rows: number };

export interface RemovalTurn {
  /** Its time is up: what is left is for the next one. */
  readonly isOver: () => boolean;
}

/**
 * Removes what was deleted and may be restored no more. Each turn may be done twice, and by several at the same time.
 */
export interface Removals {
  removeSpace(store: StoreId, space: SpaceName, turn: RemovalTurn): Promise<RemovalResult>;
  removeStore(store: StoreId, turn: RemovalTurn): Promise<RemovalResult>;
}

/** `againAt`: when there will be more to merge, though nothing is written; undefined: there will be nothing. */
export type CompactionResult =
  { readonly state: "more" } | { readonly state: "done"; readonly againAt: number | undefined };

/**
 * Merges small rows of a space into large ones; of a space that was deleted it leaves them. Each turn may be done
 * twice, and by several at the same time.
 */
export interface Compactions {
  compactSpace(store: StoreId, space: SpaceName, turn: RemovalTurn): Promise<CompactionResult>;
}

/** Absent: it can be restored for seven days. */
export interface DeleteOptions extends StreamOptions, Partial<DeletionWish> {}

/**
 * One store.
 *
 * Errors: StoreError with `invalid_argument`, `stream_closed`, `sequence_mismatch`, `transaction_id_mismatch`,
 * `record_too_large`, `trimmed`, `deleted`, `format_not_enabled`, `throttled`, `overloaded`, `storage_unavailable`,
 * `corrupt_data`.
 */
export interface Store extends Redacting, RestoringStore {
  readonly id: StoreId;
  /** Names in UTF-8 order. Complete as soon as a produce to them was acknowledged. */
  getSpaces(options?: NamesOptions): AsyncIterable<SpaceName>;
  getSegments(space: SpaceName, options?: NamesOptions): AsyncIterable<SegmentName>;

  /** By sequence. */
  consumeSegment(space: SpaceName, segment: SegmentName, args?: ConsumeSegmentArgs): AsyncIterable<Entry>;
  /**
   * By (timestamp, segment, sequence), segments compared as UTF-8: one order, the same for every reader at all times.
   */
  consumeSpace(space: SpaceName, args?: ConsumeSpaceArgs): AsyncIterable<Entry>;
  /** Several spaces, merged by (timestamp, space, segment, sequence). */
  consume(args: ConsumeArgs): AsyncIterable<Entry>;
  /** Zeros for a space that never was. A few requests, whatever its size. */
  getSpaceStatus(space: SpaceName, options?: StreamOptions): Promise<SpaceStatus>;
  /**
   * `deleted` when the space or its store was: whoever shows what he read before asks this first. A backend answers it
   * from what it knows for as long as that may be believed; absent where it cannot.
   */
  confirmSpace?(space: SpaceName): Promise<void>;
  /**
   * Where the segments of the space were written after a timestamp, in the order of the space, without the entries.
   * Cheaper than consumeSpace where a backend can tell it; absent where it cannot.
   */
  getWritten?(space: SpaceName, args: WrittenArgs): AsyncIterable<WrittenPlace>;

  /** The last entry, or undefined when there is none, or none any more. */
  peek(space: SpaceName, segment: SegmentName, options?: StreamOptions & MinOptions): Promise<Entry | undefined>;
  /** Cheaper than peek where a backend can tell it without the entry; absent where it cannot. */
  getSegmentStatus?(
    space: SpaceName,
    segment: SegmentName,
    options?: StreamOptions & MinOptions,
  ): Promise<SegmentStatus>;

  /**
   * Appends records in chunks (at most 1,000 records, 768 KiB), each a transaction of its own, all or nothing, in
   * order; yields each as it commits. After an error nothing further is committed; what was yielded stays.
   * No records: yields the present status once, writes nothing.
   */
  produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options?: ProduceOptions,
  ): AsyncIterable<ProducedChunk>;

  /**
   * To several segments of one space under one id, one transaction each, all or nothing; 1,000 records, 768 KiB
   * together.
   */
  produceAll(
    space: SpaceName,
    segments: readonly SegmentRecords[],
    options?: ProduceOptions,
  ): Promise<readonly ProducedChunk[]>;

  /**
   * Makes a stream of a segment, appends to it, closes it, or says that it is used. Decided where sequences are
   * decided, so it holds on any number of instances; answered once every read sees it. Records of more than a chunk are
   * appended in chunks: the producer, `seq` and the closing move with the last, and a producer's repeat completes what
   * an interruption left. A stream is made with a chunk at most.
   */
  changeStream(
    space: SpaceName,
    segment: SegmentName,
    request: StreamRequest,
    options?: StreamOptions,
  ): Promise<StreamOutcome>;
  /** The segment's state as a stream, whether or not it has ended by itself; undefined: it is no stream. */
  streamOf(space: SpaceName, segment: SegmentName, options?: StreamOptions): Promise<StreamStatus | undefined>;

  /**
   * Removes the entries of a segment before a sequence, for good; beyond the end it means the end as of the call,
   * entries that are committed and not applied yet included. Answers the status, whose `firstSequence` says how far it
   * has come: less than was asked for where there was more than one call removes; the same call goes on from there.
   * Nobody who reads the segment from then on sees them; its space shows them until the space itself is trimmed.
   */
  trimSegment(space: SpaceName, segment: SegmentName, before: number, options?: StreamOptions): Promise<SegmentStatus>;
  /**
   * Removes the entries of a space before a point, from its segments, too. An offset of another space is
   * `invalid_argument`.
   */
  trimSpace(space: SpaceName, before: TrimPoint, options?: StreamOptions): Promise<SpaceTrim>;

  /**
   * Deletes the space: from the answer on no instance shows anything of it, lists its name, or commits to it
   * (`deleted`). It is answered after some seconds, when that is known everywhere. Until its time is up it can be
   * restored; then all that it had is removed, and the space may be written again: its segments begin at 1, its offsets
   * go on. Undefined: there is no such space. A repeat changes nothing, but that it may ask for an erasure.
   */
  deleteSpace(space: SpaceName, options?: DeleteOptions): Promise<Deleted | undefined>;
  /** Undoes the deletion; changes nothing of a space that was not deleted. `deleted`: it is too late. */
  restoreSpace(space: SpaceName, options?: StreamOptions): Promise<void>;
  /** The same of the store, whose id is never used again once its time is up. */
  deleteStore(options?: DeleteOptions): Promise<Deleted>;
  restoreStore(options?: StreamOptions): Promise<void>;
  /**
   * Calls back soon after something was committed to the space by this process: a hint for live readers, never a
   * promise. Returns how to stop.
   */
  onCommit(space: SpaceName, listener: () => void): () => void;
  /**
   * Every record of the space with a timestamp up to this one is in its segment, and its segment in the names: what is
   * read of segments from now on has it. 0 when that is said of none. One point read.
   */
  appliedThrough(space: SpaceName, options?: StreamOptions): Promise<number>;
  /**
   * The place in the space that its newest `count` entries follow, and then what is committed from now on; the start
   * when there are fewer. With a count of 0 it is one point read, and equal places mean that nothing was committed
   * between.
   */
  spaceTail(space: SpaceName, count: number, options?: StreamOptions): Promise<Cursor>;

  /** Absent where a backend has to look at each space. */
  readonly recent?: RecentSpaces;

  /** Refuses new work, lets running work end. */
  close(): Promise<void>;
}

export interface StoreFactory {
  /** The same store object for the same id, as long as it is in use. Does no request. */
  open(id: StoreId): Store;
  close(): Promise<void>;
}
