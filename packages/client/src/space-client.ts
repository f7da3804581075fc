// A space: a group of segments with one order of its own.

import { transactionCall, transactionResults } from "./append.ts";
import type { AppendResult, SegmentRecords, WriteOptions } from "./append.ts";
import type { Codec } from "./codecs.ts";
import type { Entry, SegmentStatus } from "./entries.ts";
import { followedEntries, follower } from "./follow.ts";
import type { Follower } from "./follow.ts";
import { names } from "./names.ts";
import type { PagedNames } from "./names.ts";
import type { OperationOptions } from "./options.ts";
import { encodeName } from "./paths.ts";
import { pagedEntries } from "./read.ts";
import type { PagedEntries } from "./read.ts";
import { reading } from "./reading.ts";
import type { SpaceBounds } from "./reading.ts";
import { followedStatuses, statusesNow } from "./statuses.ts";
import type { StatusOptions } from "./statuses.ts";
import { SegmentClient } from "./segment-client.ts";
import { trimSpace } from "./trim.ts";
import type { SpaceTrim, TrimSpaceOptions } from "./trim.ts";
import type { Transport } from "./transport.ts";

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

  /** Writes to several segments, up to 80 with 1,000 records and 768 KiB together: all of it, or nothing. One result a segment, in order. */
  async transact(segments: readonly SegmentRecords<T>[], options: WriteOptions = {}): Promise<readonly AppendResult[]> {
    const call = transactionCall(this.#path, segments, this.#codec, options);
    return transactionResults(await this.#transport.json(call, options));
  }

  /** What there is now in all its segments, in the one order that all readers see. */
  read(options: SpaceReadOptions = {}): PagedEntries<T> {
    return pagedEntries(
      this.#transport,
      () => reading("space", `${this.#path}/entries`, options),
      this.#codec,
      options,
    );
  }

  /** What there is, then what comes, for as long as you like. */
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

  /** The same, then those that change. Of several changes of a segment only the last may be told. */
  followStatuses(options: StatusOptions = {}): Follower<SegmentStatus> {
    return follower(this.#transport, followedStatuses(`${this.#path}/status`, options), options);
  }

  /** Removes what is older than a time, or comes up to an offset, for good, from its segments too. Needs the permission to manage. */
  trim(options: TrimSpaceOptions): Promise<SpaceTrim> {
    return trimSpace(this.#transport, `${this.#path}/trim`, options);
  }

  /** The names of its segments, in the order of their UTF-8. */
  listSegments(options: OperationOptions = {}): PagedNames {
    return names(this.#transport, `${this.#path}/segments`, "segments", options);
  }
}
