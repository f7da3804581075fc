// A segment: one stream, entries 1, 2, 3 ...

import { appendCall, appendResult, batchCall } from "./append.ts";
import type { AppendOptions, AppendResult, WriteOptions } from "./append.ts";
import type { Codec } from "./codecs.ts";
import { encodingOf, entryOf, recordText } from "./entries.ts";
import type { Entry, EntryJson, SegmentStatus, StreamRecord } from "./entries.ts";
import { followedEntries, follower } from "./follow.ts";
import type { Follower } from "./follow.ts";
import type { OperationOptions } from "./options.ts";
import { encodeName } from "./paths.ts";
import { Producer } from "./producer.ts";
import type { Outgoing, Produced, ProducerOptions } from "./producer.ts";
import { pagedEntries } from "./read.ts";
import type { PagedEntries } from "./read.ts";
import { readLink } from "./read-link.ts";
import type { ReadLinkOptions } from "./read-link.ts";
import { reading } from "./reading.ts";
import type { MinOptions, SegmentBounds } from "./reading.ts";
import { trimSegment } from "./trim.ts";
import type { Transport } from "./transport.ts";

export type SegmentReadOptions = SegmentBounds & OperationOptions;

/** Made by `SpaceClient.getSegmentClient`, without a request: a segment comes into being with its first record. */
export class SegmentClient<T> {
  readonly storeId: string;
  readonly spaceName: string;
  readonly segmentName: string;
  readonly #transport: Transport;
  readonly #path: string;
  readonly #codec: Codec<T>;

  /** @internal */
  constructor(transport: Transport, storeId: string, spaceName: string, segmentName: string, codec: Codec<T>) {
    this.storeId = storeId;
    this.spaceName = spaceName;
    this.segmentName = segmentName;
    this.#transport = transport;
    this.#codec = codec;
    this.#path = `/v1/stores/${encodeName(storeId)}/spaces/${encodeName(spaceName)}/segments/${encodeName(segmentName)}`;
  }

  /**
   * Writes records to the end of the segment, or only where you expect its end to be. It is repeated until it is
   * answered: what is written is written once. More than 1,000 records, or 768 KiB, are several transactions, one after
   * the other.
   */
  async append(
    records: StreamRecord<T> | readonly StreamRecord<T>[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const all = isOne(records) ? [records] : records;
    return appendResult(await this.#transport.json(appendCall(this.#path, all, this.#codec, options), options));
  }

  /**
   * For many small appends: they gather to few requests. `options.idempotencyKey` is not for it: each batch has its
   * own.
   */
  createProducer(options: ProducerOptions & Omit<WriteOptions, "idempotencyKey"> = {}): Producer<StreamRecord<T>> {
    const segment = this.segmentName;
    const encode = (record: StreamRecord<T>): Outgoing => ({
      segment,
      text: recordText(record, this.#codec, encodingOf(this.#codec)),
    });
    const write = async (batch: readonly Outgoing[]): Promise<readonly Produced[]> => {
      const texts = batch.map(({ text }) => text);
      const answer = await this.#transport.json(batchCall(this.#path, texts, this.#codec, options), options);
      const { firstSequence, offset } = appendResult(answer);
      return batch.map((_, index) => ({ segment, sequence: firstSequence + index, offset }));
    };
    return new Producer(encode, write, options);
  }

  /** Reads the entries that exist now, in order of sequence. Iterating makes the first request. */
  read(options: SegmentReadOptions = {}): PagedEntries<T> {
    return pagedEntries(this.#transport, () => this.#reading(options), this.#codec, options);
  }

  /** Reads the entries that exist, then those that come, for as long as you like. */
  follow(options: SegmentReadOptions = {}): Follower<Entry<T>> {
    return follower(this.#transport, followedEntries(this.#reading(options), this.#codec), options);
  }

  /** The last entry; undefined when there is none. */
  async getLastEntry(options: OperationOptions & MinOptions = {}): Promise<Entry<T> | undefined> {
    const query = { min: options.min };
    const call = { method: "GET", path: `${this.#path}/last`, query, accept: "application/json" } as const;
    const entry = (await this.#transport.json(call, options)) as EntryJson;
    return entry.sequence === 0 ? undefined : entryOf(entry, this.#codec);
  }

  /** Where it begins and ends. */
  async getStatus(options: OperationOptions & MinOptions = {}): Promise<SegmentStatus> {
    const query = { min: options.min };
    const call = { method: "GET", path: this.#path, query, accept: "application/json" } as const;
    return (await this.#transport.json(call, options)) as SegmentStatus;
  }

  /**
   * Removes what is before this sequence, for good. Needs the permission to manage. Answers the status when all of it
   * is gone.
   */
  trim(beforeSequence: number, options: OperationOptions = {}): Promise<SegmentStatus> {
    const jobsPath = `/v1/stores/${encodeName(this.storeId)}/jobs`;
    return trimSegment(this.#transport, { path: `${this.#path}/trim`, jobsPath }, beforeSequence, options);
  }

  /**
   * A link that lets its holder read this segment, and nothing else, without a key, until it expires. Makes no request:
   * the app checks it by the same key, and taking the key out of its setting ends all its links.
   */
  createReadLink(options: ReadLinkOptions): Promise<string> {
    const { segmentName: segment, spaceName: space, storeId: store } = this;
    return readLink({ url: this.#transport.url, store, space, segment }, options);
  }

  #reading(options: SegmentReadOptions): ReturnType<typeof reading> {
    return reading("segment", `${this.#path}/entries`, options);
  }
}

function isOne<T>(records: StreamRecord<T> | readonly StreamRecord<T>[]): records is StreamRecord<T> {
  return !Array.isArray(records);
}
