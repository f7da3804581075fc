// A space: a group of segments with one order of its own.

import { batchesCall, transactionCall, transactionResults } from "./append.ts";
import type { AppendResult, SegmentRecords, WriteOptions } from "./append.ts";
import type { Codec } from "./codecs.ts";
import { deleteAt, restoreAt } from "./deletion.ts";
import type { DeleteOptions, Deletion } from "./deletion.ts";
import { encodingOf, recordText } from "./entries.ts";
import type { Entry, SegmentStatus, StreamRecord } from "./entries.ts";
import { followedEntries, follower } from "./follow.ts";
import type { Follower } from "./follow.ts";
import { names } from "./names.ts";
import type { PagedNames } from "./names.ts";
import type { OperationOptions } from "./options.ts";
import { encodeName } from "./paths.ts";
import { Producer } from "./producer.ts";
import type { Outgoing, Produced, ProducerOptions } from "./producer.ts";
import { pagedEntries } from "./read.ts";
import type { PagedEntries } from "./read.ts";
import { reading } from "./reading.ts";
import type { SpaceBounds } from "./reading.ts";
import { RetentionClient } from "./retention.ts";
import type { Retention } from "./retention.ts";
import { followedStatuses, statusesNow } from "./statuses.ts";
import type { StatusOptions } from "./statuses.ts";
import { SegmentClient } from "./segment-client.ts";
import { trimSpace } from "./trim.ts";
import type { SpaceTrim, TrimSpaceOptions } from "./trim.ts";
import type { Transport } from "./transport.ts";

export interface SpaceStatus {
  readonly space: string;
  /** Undefined: nobody has counted yet what an earlier version of the service wrote. */
  readonly entries?: number;
  /** Payloads and metadata, before compression. */
  readonly bytes?: number;
  /** Commits that are not in all of their segments yet. */
  readonly pending: number;
  /** Of its first and its last commit, milliseconds since 1970; 0: there is none. */
  readonly firstTimestamp: number;
  readonly lastTimestamp: number;
  /** Undefined: all is kept. */
  readonly retention?: Retention;
}

export type SpaceReadOptions = SpaceBounds & OperationOptions;

/** Made by `StoreClient.getSpaceClient`, without a request. */
export class SpaceClient<T> {
  readonly storeId: string;
  readonly spaceName: string;
  readonly #transport: Transport;
  readonly #path: string;
  readonly #codec: Codec<T>;

  /** @internal */
  constructor(transport: Transport, storeId: string, spaceName: string, codec: Codec<T>) {
    this.storeId = storeId;
    this.spaceName = spaceName;
    this.#transport = transport;
    this.#codec = codec;
    this.#path = `/v1/stores/${encodeName(storeId)}/spaces/${encodeName(spaceName)}`;
  }

  getSegmentClient(segmentName: string): SegmentClient<T>;
  /** With payloads of its own. */
  getSegmentClient<Own>(segmentName: string, options: { readonly codec: Codec<Own> }): SegmentClient<Own>;
  getSegmentClient<Own>(
    segmentName: string,
    options?: { readonly codec: Codec<Own> },
  ): SegmentClient<T> | SegmentClient<Own> {
    if (options === undefined)
      return new SegmentClient(this.#transport, this.storeId, this.spaceName, segmentName, this.#codec);
    return new SegmentClient(this.#transport, this.storeId, this.spaceName, segmentName, options.codec);
  }

  /**
   * Writes to several segments, up to 80 with 1,000 records and 768 KiB together: all of it, or nothing. One result a
   * segment, in order.
   */
  async transact(segments: readonly SegmentRecords<T>[], options: WriteOptions = {}): Promise<readonly AppendResult[]> {
    const call = transactionCall(this.#path, segments, this.#codec, options);
    return transactionResults(await this.#transport.json(call, options));
  }

  /** For many small appends to many segments: they gather to few transactions. Each record names its segment. */
  createProducer(
    options: ProducerOptions & Omit<WriteOptions, "idempotencyKey"> = {},
  ): Producer<StreamRecord<T> & { readonly segment: string }> {
    const encode = (record: StreamRecord<T> & { readonly segment: string }): Outgoing => ({
      segment: record.segment,
      text: recordText(record, this.#codec, encodingOf(this.#codec)),
    });
    const write = async (batch: readonly Outgoing[]): Promise<readonly Produced[]> => {
      const bySegment = new Map<string, string[]>();
      for (const { segment, text } of batch) {
        const texts = bySegment.get(segment);
        if (texts === undefined) bySegment.set(segment, [text]);
        else texts.push(text);
      }
      const answer = await this.#transport.json(batchesCall(this.#path, bySegment, this.#codec, options), options);
      const results = new Map(transactionResults(answer).map((result) => [result.status.segment, result]));
      const next = new Map([...results].map(([segment, { firstSequence }]) => [segment, firstSequence]));
      return batch.map(({ segment }) => {
        const sequence = next.get(segment) ?? 0;
        next.set(segment, sequence + 1);
        return { segment, sequence, offset: results.get(segment)?.offset ?? "" };
      });
    };
    return new Producer(encode, write, options);
  }

  /** Reads the entries that its segments have now, in the one order that all readers see. */
  read(options: SpaceReadOptions = {}): PagedEntries<T> {
    return pagedEntries(
      this.#transport,
      () => reading("space", `${this.#path}/entries`, options),
      this.#codec,
      options,
    );
  }

  /** Reads the entries that exist, then those that come, for as long as you like. */
  follow(options: SpaceReadOptions = {}): Follower<Entry<T>> {
    return follower(
      this.#transport,
      followedEntries(reading("space", `${this.#path}/entries`, options), this.#codec),
      options,
    );
  }

  /** Where its segments begin and end: those that there are now, in the order of their names. */
  getStatuses(options: StatusOptions = {}): AsyncIterable<SegmentStatus> {
    return statusesNow(this.followStatuses(options));
  }

  /** The same, then the statuses that change. Several changes of a segment may come as one. */
  followStatuses(options: StatusOptions = {}): Follower<SegmentStatus> {
    return follower(this.#transport, followedStatuses(`${this.#path}/status`, options), options);
  }

  /**
   * Removes what is older than a time, or comes up to an offset, for good, from its segments too. Needs the permission
   * to manage.
   */
  trim(options: TrimSpaceOptions): Promise<SpaceTrim> {
    const jobsPath = `/v1/stores/${encodeName(this.storeId)}/jobs`;
    return trimSpace(this.#transport, { path: `${this.#path}/trim`, jobsPath }, options);
  }

  /** How much there is, since when, and for how long. */
  async getStatus(options: OperationOptions = {}): Promise<SpaceStatus> {
    const call = { method: "GET", path: this.#path, accept: "application/json" } as const;
    return (await this.#transport.json(call, options)) as SpaceStatus;
  }

  /** How long entries are kept. */
  get retention(): RetentionClient {
    return new RetentionClient(this.#transport, `${this.#path}/retention`);
  }

  /**
   * Deletes the space: when it is answered, nobody reads or writes it any more. Until `removedFrom` it can be restored;
   * once it has been removed it may be written again. Undefined: there is no such space. Needs the permission to
   * manage.
   */
  delete(options: DeleteOptions): Promise<Deletion | undefined> {
    return deleteAt(this.#transport, this.#path, options);
  }

  /** All of it is there again; `deleted`: it is too late. A space that was not deleted stays as it is. */
  restore(options: OperationOptions = {}): Promise<void> {
    return restoreAt(this.#transport, this.#path, options);
  }

  /** The names of its segments, in the order of their UTF-8. */
  listSegments(options: OperationOptions = {}): PagedNames {
    return names(this.#transport, `${this.#path}/segments`, "segments", options);
  }
}
