// A store in Azure Tables: the product's backend. Each call finds the space's writer, or reads the rows.

import type { AppendRecord, Entry, SegmentStatus } from "../../core/entry.ts";
import { contentBytes } from "../../core/entry.ts";
import { newTransactionId } from "../../core/clock.ts";
import { withFields } from "../../core/logger.ts";
import type { Cursor, SegmentName, SpaceName, StoreId, TransactionId } from "../../core/ids.ts";
import { cursorAfter } from "../../codec/cursor.ts";
import { contentDigest, derivedTransactionId } from "../../codec/digest.ts";
import type { Table } from "../../table/port.ts";
import { chunkRecords } from "../chunks.ts";
import { mergeSpaces } from "../merge.ts";
import type {
  ConsumeArgs,
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  SegmentRecords,
  Store,
  StreamOptions,
} from "../store.ts";
import { checkTogether } from "../together.ts";
import { RunningWork } from "../work.ts";
import { asStoreError } from "./instance/failure.ts";
import type { SegmentAppend, SegmentAppended } from "./append/append-request.ts";
import { LogReader } from "./log/log-reader.ts";
import type { LogHead } from "./rows/log-rows.ts";
import { doneThrough } from "./rows/pending.ts";
import { firstTimestamp, readLast, readSegment, readSegments, readSpace, readSpaces, readStatus } from "./read/read.ts";
import type { ListSource, Source } from "./read/read.ts";
import type { Instance } from "./space/instance.ts";
import type { SpaceWriter } from "./space/space-writer.ts";
import type { SpaceWriters } from "./space/space-writers.ts";
import { readTail } from "./read/tail.ts";

/** Bytes that an entry takes in a record beside its content and its names: identity, lengths, sequence, timestamp. */
const entryFixedBytes = 88;

export class AzureStore implements Store {
  readonly id: StoreId;
  readonly #instance: Instance;
  readonly #table: Table;
  readonly #source: Source;
  readonly #lists: ListSource;
  readonly #writers: SpaceWriters;
  readonly #onClosed: () => void;
  readonly #work = new RunningWork();

  /** `onClosed`: called once it refuses all work, so that the next to ask for this store gets a new one. */
  constructor(
    id: StoreId,
    instance: Instance,
    table: Table,
    writers: SpaceWriters,
    onClosed: () => void = () => undefined,
  ) {
    this.id = id;
    this.#instance = instance;
    this.#table = table;
    const { compressor, logger, openMemory } = instance;
    this.#source = { table, compressor, openMemory: () => openMemory(id) };
    this.#lists = { table, logger: withFields(logger, { store: id }) };
    this.#writers = writers;
    this.#onClosed = onClosed;
  }

  getSpaces(options?: NamesOptions): AsyncIterable<SpaceName> {
    return this.#work.stream(readSpaces(this.#lists, options));
  }

  getSegments(space: SpaceName, options?: NamesOptions): AsyncIterable<SegmentName> {
    return this.#work.stream(readSegments(this.#lists, space, options));
  }

  consumeSegment(space: SpaceName, segment: SegmentName, args?: ConsumeSegmentArgs): AsyncIterable<Entry> {
    return this.#work.stream(readSegment(this.#source, space, segment, args));
  }

  consumeSpace(space: SpaceName, args?: ConsumeSpaceArgs): AsyncIterable<Entry> {
    return this.#work.stream(readSpace(this.#source, space, args));
  }

  consume({ offsets, limit, ...bounds }: ConsumeArgs): AsyncIterable<Entry> {
    const streams = [...offsets].map(([space, offset]) => {
      const args = { ...bounds, offset, ...(limit === undefined ? {} : { limit }) };
      return {
        space,
        from: () => firstTimestamp(this.#source, space, args),
        entries: readSpace(this.#source, space, args, offsets.size),
      };
    });
    return this.#work.stream(mergeSpaces(streams, limit));
  }

  peek(space: SpaceName, segment: SegmentName, options?: StreamOptions): Promise<Entry | undefined> {
    return this.#work.run(() => readLast(this.#source, space, segment, options?.signal));
  }

  getSegmentStatus(space: SpaceName, segment: SegmentName, options?: StreamOptions): Promise<SegmentStatus> {
    return this.#work.run(() => readStatus(this.#source, space, segment, options?.signal));
  }

  produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options?: ProduceOptions,
  ): AsyncIterable<ProducedChunk> {
    return this.#work.stream(this.#produce(space, segment, records, options));
  }

  produceAll(
    space: SpaceName,
    segments: readonly SegmentRecords[],
    options: ProduceOptions = {},
  ): Promise<readonly ProducedChunk[]> {
    return this.#work.run(async () => {
      await checkTogether(segments);
      const given = segments.filter(({ records }) => records.length > 0);
      const parts = given.map(({ segment, records }) => partOf(space, segment, records));
      const id = options.transactionId ?? newTransactionId(this.#instance.random);
      const chunks = parts.length === 0 ? [] : await this.#commit(space, parts, id, options);
      const bySegment = new Map(chunks.map((chunk) => [chunk.status.segment, chunk]));
      return Promise.all(
        segments.map(async ({ segment }) => {
          return bySegment.get(segment) ?? { status: await readStatus(this.#source, space, segment, options.signal) };
        }),
      );
    });
  }

  onCommit(space: SpaceName, listener: () => void): () => void {
    return this.#writer(space).onCommit(listener);
  }

  async appliedThrough(space: SpaceName, options?: StreamOptions): Promise<number> {
    const { timestamp, unapplied } = await this.#logHead(space, options?.signal);
    return doneThrough(unapplied, timestamp);
  }

  async spaceTail(space: SpaceName, count: number, options?: StreamOptions): Promise<Cursor> {
    const { timestamp, count: records } = await this.#logHead(space, options?.signal);
    if (count === 0) return cursorAfter(space, timestamp);
    return this.#work.run(() => readTail(this.#table, space, { timestamp, records }, count, options?.signal));
  }

  async close(): Promise<void> {
    await this.#work.close();
    this.#writers.close(this.id);
    this.#onClosed();
  }

  async *#produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options: ProduceOptions = {},
  ): AsyncGenerator<ProducedChunk> {
    const first = options.transactionId ?? newTransactionId(this.#instance.random);
    let position = 0;
    for await (const chunk of chunkRecords(records)) {
      const id = derivedTransactionId(first, position);
      yield* await this.#commit(space, [partOf(space, segment, chunk)], id, options);
      position += 1;
    }
    if (position === 0) yield { status: await readStatus(this.#source, space, segment, options.signal) };
  }

  async #commit(
    space: SpaceName,
    parts: readonly SegmentAppend[],
    id: TransactionId,
    options: ProduceOptions,
  ): Promise<readonly ProducedChunk[]> {
    options.signal?.throwIfAborted();
    const keyed = options.transactionId !== undefined;
    const writer = this.#writer(space);
    const produced = await writer.produce(
      { id, keyed, lease: options.lease, parts },
      options.ack ?? "applied",
      options.signal,
    );
    return parts.flatMap((part, index) => {
      const result = produced.parts[index];
      return result === undefined ? [] : [chunkOf(space, part.segment, result, produced.duplicate)];
    });
  }

  #logHead(space: SpaceName, signal: AbortSignal | undefined): Promise<LogHead> {
    return this.#work.run(async () => {
      signal?.throwIfAborted();
      try {
        return (await new LogReader(this.#table, space, this.#instance.compressor).readHead(signal)).head;
      } catch (error) {
        signal?.throwIfAborted();
        throw asStoreError(error, "none");
      }
    });
  }

  #writer(space: SpaceName): SpaceWriter {
    return this.#writers.get(this.id, space, this.#table);
  }
}

function partOf(space: SpaceName, segment: SegmentName, records: readonly AppendRecord[]): SegmentAppend {
  const firstSequence = records[0]?.sequence;
  const names = Buffer.byteLength(space) + Buffer.byteLength(segment);
  let plainBytes = 256;
  let allBytes = 0;
  let gap: SegmentAppend["gap"];
  records.forEach((record, index) => {
    const bytes = contentBytes(record);
    allBytes += bytes;
    plainBytes += bytes + names + entryFixedBytes;
    const { sequence } = record;
    if (gap !== undefined || sequence === undefined || firstSequence === undefined) return;
    if (sequence !== firstSequence + index) gap = { index, received: sequence };
  });
  return { segment, records, digest: contentDigest(records), plainBytes, contentBytes: allBytes, firstSequence, gap };
}

function chunkOf(space: SpaceName, segment: SegmentName, result: SegmentAppended, duplicate: boolean): ProducedChunk {
  const { id, number, firstSequence, lastSequence, timestamp } = result.place;
  return {
    status: {
      space,
      segment,
      firstSequence: 1,
      firstTimestamp: result.firstTimestamp,
      lastSequence,
      lastTimestamp: timestamp,
    },
    transaction: { id, number, firstSequence, lastSequence, duplicate },
  };
}
