// A store's rows in LevelDB: the local backend that tests run on. Nothing of it is in the function app.
//
// Promise: the same answers as the product's backend. A chunk is one atomic batch, written while its segment's lock is
// held since before it was read; timestamps strictly increase in a space; the record, the block, the head and the
// inventory become visible together, so `committed` and `applied` are one.

import type { Entry, SegmentStatus } from "../../../src/core/entry.ts";
import { contentBytes } from "../../../src/core/entry.ts";
import type { Clock, Random } from "../../../src/core/clock.ts";
import {
  leaseNotGranted,
  leaseSuperseded,
  sequenceMismatch,
  transactionIdMismatch,
  unreachable,
} from "../../../src/core/errors.ts";
import type { Cursor, NodeId, SegmentName, SpaceName, StoreId, TransactionId } from "../../../src/core/ids.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Compressor } from "../../../src/codec/block.ts";
import { cursorAfter } from "../../../src/codec/cursor.ts";
import { contentDigest } from "../../../src/codec/transaction.ts";
import type { Backend } from "../../../src/store/create-store.ts";
import type {
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  Deleted,
  DeletionWish,
  LeaseToken,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  SegmentRecords,
  SpaceStatus,
  SpaceTrim,
  StreamOutcome,
  StreamRequest,
  StreamStatus,
  TrimPoint,
} from "../../../src/store/store.ts";
import type { RestoreOutcome } from "../../../src/store/restoring.ts";
import { areJson, decideStream, refusedPlain, streamRefused } from "../../../src/store/stream-rules.ts";
import { changesOf, rowsOf } from "./commit.ts";
import type { SegmentChange } from "./commit.ts";
import type { LevelDatabase } from "./database.ts";
import { decide } from "./decision.ts";
import type { Proposal, SegmentView } from "./decision.ts";
import { LevelDeletion } from "./deletion.ts";
import { KnownNames } from "./inventory.ts";
import { storeKeys, timestampOfKey } from "./keys.ts";
import type { StoreKeys } from "./keys.ts";
import type { KeyValue } from "./keyspace.ts";
import { lastEntry, readSegment, readSegments, readSpace, readSpaces, readTail, trimmedTo } from "./read.ts";
import type { Source } from "./read.ts";
import { decodeFences, decodeHead, decodeProducer, decodeTransaction, decodeTrim, encodeFences } from "./rows.ts";
import { firstAnswer, numbersOf, statusOf } from "./answers.ts";
import { redacted } from "./redact.ts";
import { restoredRows } from "./restore.ts";
import { recordsBefore, trimmedSegment, trimmedSpace } from "./trim.ts";

export interface LevelStoreParts {
  readonly database: LevelDatabase;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly node: NodeId;
  /** The token of the last grant of a lease; absent: none is ever granted. */
  readonly lastToken?: (store: StoreId, key: string) => Promise<number>;
}

export class LevelBackend implements Backend {
  readonly #id: StoreId;
  readonly #parts: LevelStoreParts;
  readonly #keys: StoreKeys;
  readonly #source: Source;
  readonly #known: KnownNames;
  readonly #deletion: LevelDeletion;
  readonly #onClosed: () => void;

  constructor(id: StoreId, parts: LevelStoreParts, onClosed: () => void) {
    this.#id = id;
    this.#parts = parts;
    this.#keys = storeKeys(id);
    this.#source = { keyspace: parts.database.keyspace, keys: this.#keys, compressor: parts.compressor };
    this.#known = new KnownNames(parts.clock);
    this.#deletion = new LevelDeletion(id, parts.database, this.#keys, parts.clock, this.#known);
    this.#onClosed = onClosed;
  }

  readSpaces(options?: NamesOptions): AsyncIterable<SpaceName> {
    return this.#there(undefined, () => readSpaces(this.#source, options, (space) => this.#deletion.isHidden(space)));
  }

  readSegments(space: SpaceName, options?: NamesOptions): AsyncIterable<SegmentName> {
    return this.#there(space, () => readSegments(this.#source, space, options));
  }

  readSegment(space: SpaceName, segment: SegmentName, args?: ConsumeSegmentArgs): AsyncIterable<Entry> {
    return this.#there(space, () => readSegment(this.#source, space, segment, args));
  }

  readSpace(space: SpaceName, args?: ConsumeSpaceArgs): AsyncIterable<Entry> {
    return this.#there(space, () => readSpace(this.#source, space, args));
  }

  async readSpaceStatus(space: SpaceName, signal: AbortSignal | undefined): Promise<SpaceStatus> {
    let [entries, bytes, firstTimestamp, lastTimestamp] = [0, 0, 0, 0];
    for await (const entry of readSpace(this.#source, space, { signal })) {
      entries += 1;
      bytes += contentBytes(entry);
      if (firstTimestamp === 0) firstTimestamp = entry.timestamp;
      lastTimestamp = entry.timestamp;
    }
    return { space, counts: { entries, bytes }, pending: 0, firstTimestamp, lastTimestamp };
  }

  confirmSpace(space: SpaceName): Promise<void> {
    return this.#deletion.check(space);
  }

  async readLast(space: SpaceName, segment: SegmentName, signal: AbortSignal | undefined): Promise<Entry | undefined> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    return lastEntry(this.#source, this.#keys.blocks(space, segment, 1));
  }

  async readStatus(space: SpaceName, segment: SegmentName, signal?: AbortSignal): Promise<SegmentStatus> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    return statusOf(space, segment, decodeHead(await this.#source.keyspace.get(this.#keys.head(space, segment))));
  }

  async trimSegment(...[space, segment, before, signal]: Parameters<Backend["trimSegment"]>): Promise<SegmentStatus> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    const head = await this.#parts.database.holdSegments(this.#id, space, [segment], async () => {
      const { head, changes } = await trimmedSegment(this.#source, space, segment, before);
      await this.#source.keyspace.write(changes);
      return head;
    });
    return statusOf(space, segment, head);
  }

  async trimSpace(space: SpaceName, before: TrimPoint, signal: AbortSignal | undefined): Promise<SpaceTrim> {
    const { database } = this.#parts;
    await this.#deletion.check(space);
    for (;;) {
      signal?.throwIfAborted();
      const seen = await recordsBefore(this.#source, space, before);
      const done = await database.holdSegments(this.#id, space, seen.segments, () =>
        database.holdSpace(this.#id, space, async () => {
          const records = await recordsBefore(this.#source, space, before);
          // A record may have come meanwhile, of a segment that is not held.
          if (!records.segments.every((segment) => seen.segments.includes(segment))) return false;
          await this.#source.keyspace.write(await trimmedSpace(this.#source, space, records));
          return true;
        }),
      );
      if (!done) continue;
      const trim = decodeTrim(await this.#source.keyspace.get(this.#keys.trim(space)));
      return { earliest: cursorAfter(space, trim?.timestamp ?? 0), state: "done" };
    }
  }

  async restoreRecords(...[space, records, signal]: Parameters<Backend["restoreRecords"]>): Promise<RestoreOutcome> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    const [first] = records;
    if (first === undefined) return { kind: "done" };
    const segments = [...new Set(records.flatMap(({ batches }) => batches.map(({ segment }) => segment)))];
    const { clock, database } = this.#parts;
    return database.holdSegments(this.#id, space, segments, () =>
      database.holdSpace(this.#id, space, async (): Promise<RestoreOutcome> => {
        const lastTimestamp = await this.#lastTimestamp(space);
        if (first.timestamp <= lastTimestamp) return { kind: "behind", lastTimestamp };
        await this.#source.keyspace.write(await restoredRows(this.#source, space, records, clock.now()));
        this.#known.add(space, segments);
        database.committed(this.#id, space);
        return { kind: "done" };
      }),
    );
  }

  async redact(...[space, segment, sequences, signal]: Parameters<Backend["redact"]>): Promise<void> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    const { database } = this.#parts;
    const write = async () => this.#source.keyspace.write(await redacted(this.#source, space, segment, sequences));
    await database.holdSegments(this.#id, space, [segment], () => database.holdSpace(this.#id, space, write));
  }

  trimmedTo(space: SpaceName, offset: Cursor): Promise<Cursor | undefined> {
    return trimmedTo(this.#source, space, offset);
  }

  deleteSpace(space: SpaceName, wish: DeletionWish): Promise<Deleted | undefined> {
    return this.#deletion.delete(space, wish);
  }

  restoreSpace(space: SpaceName): Promise<void> {
    return this.#deletion.restore(space);
  }

  async deleteStore(wish: DeletionWish): Promise<Deleted> {
    return (await this.#deletion.delete(undefined, wish)) ?? { removedFrom: 0 };
  }

  restoreStore(): Promise<void> {
    return this.#deletion.restore(undefined);
  }

  onCommit(space: SpaceName, listener: () => void): () => void {
    return this.#parts.database.onCommit(this.#id, space, listener);
  }

  async appliedThrough(space: SpaceName, signal: AbortSignal | undefined): Promise<number> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    return this.#lastTimestamp(space);
  }

  /** What is committed is in its segments at once. */
  async bringUp(
    space: SpaceName,
    _segment: SegmentName,
    through: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    return (await this.appliedThrough(space, signal)) >= through;
  }

  async spaceTail(space: SpaceName, count: number, signal: AbortSignal | undefined): Promise<Cursor> {
    await this.#deletion.check(space);
    return readTail(this.#source, space, count, signal);
  }

  closed(): void {
    this.#onClosed();
  }

  commit(
    space: SpaceName,
    given: readonly SegmentRecords[],
    id: TransactionId,
    { lease }: ProduceOptions,
  ): Promise<readonly ProducedChunk[]> {
    const segments = given.map(({ segment }) => segment);
    return this.#parts.database.holdSegments(this.#id, space, segments, async () => {
      await this.#deletion.check(space);
      const views = await Promise.all(given.map((one) => this.#view(space, one, id)));
      const decision = decide({ id, views });
      switch (decision.kind) {
        case "commit":
          this.#checkStreams(views);
          return this.#write(space, { id, views }, lease);
        case "duplicate":
          return decision.repeats.map((repeat) => firstAnswer(space, repeat));
        case "id_taken":
          throw transactionIdMismatch(id);
        case "conflict": {
          const { expected, received, view } = decision;
          await this.#fence(space, lease);
          const { lastSequence } = view.head;
          const winner = await this.#winner(space, view.segment, received);
          throw sequenceMismatch({ segment: view.segment, expected, received, lastSequence, winner });
        }
        default:
          return unreachable(decision);
      }
    });
  }

  changeStream(
    space: SpaceName,
    segment: SegmentName,
    { records, wish }: StreamRequest,
    { id, keyed }: { readonly id: TransactionId; readonly keyed: boolean },
  ): Promise<StreamOutcome> {
    const { clock, database } = this.#parts;
    return database.holdSegments(this.#id, space, [segment], async () => {
      await this.#deletion.check(space);
      const view = await this.#view(space, { segment, records }, id);
      const { stream, lastSequence } = view.head;
      const repeat = keyed && view.earlier !== undefined;
      if (repeat && stream !== undefined) return { kind: "written", stream, lastSequence };
      const producer =
        wish.kind === "append" && wish.producer !== undefined
          ? decodeProducer(await this.#source.keyspace.get(this.#keys.producer(space, segment, wish.producer.id)))
          : undefined;
      const seen = { stream, producer, timestamp: clock.now(), isJson: () => areJson(records) };
      const decision = decideStream(wish, seen);
      if (decision.kind === "answer") return { kind: "answered", answer: decision.answer, lastSequence };
      const planned = await this.#planned(space, { id, views: [{ ...view, change: decision.change }] }, undefined);
      const head = planned[0]?.head;
      if (head?.stream === undefined) throw new Error("A stream was written to, and is none.");
      return { kind: "written", stream: head.stream, lastSequence: head.lastSequence };
    });
  }

  async streamOf(
    space: SpaceName,
    segment: SegmentName,
    signal: AbortSignal | undefined,
  ): Promise<StreamStatus | undefined> {
    signal?.throwIfAborted();
    await this.#deletion.check(space);
    const { stream, ...head } = decodeHead(await this.#source.keyspace.get(this.#keys.head(space, segment)));
    if (stream === undefined) return undefined;
    return { stream, firstSequence: Math.max(1, head.firstSequence), lastSequence: head.lastSequence };
  }

  /** A stream takes no entries that it must not have, whoever writes them. */
  #checkStreams(views: readonly SegmentView[]): void {
    const timestamp = this.#parts.clock.now();
    for (const { head, records } of views) {
      const answer = refusedPlain({ stream: head.stream, timestamp, isJson: () => areJson(records) });
      if (answer !== undefined) throw streamRefused(answer);
    }
  }

  /** Asked for before the first of them. */
  async *#there<T>(space: SpaceName | undefined, items: () => AsyncIterable<T>): AsyncGenerator<T> {
    await this.#deletion.check(space);
    yield* items();
  }

  async #view(space: SpaceName, { segment, records }: SegmentRecords, id: TransactionId): Promise<SegmentView> {
    const { keyspace } = this.#source;
    const head = decodeHead(await keyspace.get(this.#keys.head(space, segment)));
    const earlier = decodeTransaction(await keyspace.get(this.#keys.transaction(space, segment, id)));
    return { segment, records, digest: contentDigest(records), head, earlier };
  }

  /**
   * The row that remembers the lease's token, if one is given; throws when a newer one has committed. What it was
   * checked against stands as long as the space is held.
   */
  async #fence(space: SpaceName, lease: LeaseToken | undefined): Promise<readonly KeyValue[]> {
    if (lease === undefined) return [];
    const key = this.#keys.fences(space);
    const fences = new Map(decodeFences(await this.#source.keyspace.get(key)));
    const newest = fences.get(lease.key);
    if (newest !== undefined && lease.token < newest) throw leaseSuperseded(lease.key, newest, lease.token);
    if (newest !== lease.token) {
      const last = (await this.#parts.lastToken?.(this.#id, lease.key)) ?? 0;
      if (lease.token > last) throw leaseNotGranted(lease.key, last, lease.token);
      // Its key may have been dropped, with newer tokens that have written.
      if (newest === undefined && lease.token < last) throw leaseSuperseded(lease.key, last, lease.token);
    }
    fences.delete(lease.key);
    fences.set(lease.key, lease.token);
    const kept = [...fences].slice(-limits.leaseKeysPerSpaceMax);
    return [{ key, value: encodeFences(new Map(kept)) }];
  }

  async #write(space: SpaceName, proposal: Proposal, lease: LeaseToken | undefined): Promise<readonly ProducedChunk[]> {
    const changes = await this.#planned(space, proposal, lease);
    return changes.map(({ view, head, transaction }) => ({
      status: statusOf(space, view.segment, head),
      transaction: { ...numbersOf(transaction), duplicate: false },
    }));
  }

  async #planned(
    space: SpaceName,
    proposal: Proposal,
    lease: LeaseToken | undefined,
  ): Promise<readonly SegmentChange[]> {
    const { database, clock, compressor, node } = this.#parts;
    const changes = await database.holdSpace(this.#id, space, async () => {
      const fence = await this.#fence(space, lease);
      const timestamp = Math.max(clock.now(), (await this.#lastTimestamp(space)) + 1);
      const commit = { space, node, timestamp, proposal };
      const planned = changesOf(commit);
      const rows = await rowsOf(commit, planned, this.#keys, compressor, this.#known);
      await this.#source.keyspace.write([...rows, ...fence]);
      return planned;
    });
    this.#known.add(
      space,
      changes.map(({ view }) => view.segment),
    );
    database.committed(this.#id, space);
    return changes;
  }

  /** 0 when the space never had a record. */
  async #lastTimestamp(space: SpaceName): Promise<number> {
    const row = await this.#source.keyspace.last(this.#keys.records(space, 0));
    if (row !== undefined) return timestampOfKey(row.key);
    return decodeTrim(await this.#source.keyspace.get(this.#keys.trim(space)))?.timestamp ?? 0;
  }

  /** The transaction that a sequence was committed by. */
  async #winner(space: SpaceName, segment: SegmentName, sequence: number): Promise<TransactionId | undefined> {
    for await (const entry of readSegment(this.#source, space, segment, { from: sequence, to: sequence })) {
      return entry.trx.id;
    }
    return undefined;
  }
}
