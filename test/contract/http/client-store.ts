// A store that is somewhere else, by way of the client library: the claims judge what an application is given.
//
// Promise: every call that the client has goes through it, with nothing repeated, so that a failure is seen as it is.
// What it has no call for goes straight to the interface: records that arrive one by one or whose places do not follow
// one another, places that only `after` hid, deletions, what a space has, and how far segments are.

import { encodeCursor, parseCursor } from "../../../src/codec/cursor.ts";
import type { Place } from "../../../src/codec/cursor.ts";
import type { AppendRecord, Entry, SegmentStatus } from "../../../src/core/entry.ts";
import { anyEntry } from "../../../src/core/entry-filter.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Cursor, SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import type {
  ConsumeArgs,
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  FilterOptions,
  MinOptions,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  SegmentRecords,
  SpaceTrim,
  StreamOptions,
  TrimPoint,
} from "../../../src/store/store.ts";
import { RunningWork } from "../../../src/store/work.ts";
import { bytes, isStreamkitError, StreamkitClient } from "streamkit-client";
import type * as client from "streamkit-client";
import { chunkOf, HttpStore } from "./http-store.ts";

type ClientEntry = client.Entry<Uint8Array>;

export class ClientStore extends HttpStore {
  readonly #url: string;
  readonly #path: string;
  readonly #client: client.StoreClient;
  readonly #calls = new RunningWork();

  constructor(base: string, id: StoreId, path: string = id) {
    super(base, id, path);
    this.#url = base;
    this.#path = path;
    this.#client = this.#connect(fetch);
  }

  override getSpaces(options: NamesOptions = {}): AsyncIterable<SpaceName> {
    const pages = this.#client.listSpaces({ abortSignal: options.signal }).byPage(namePages(options));
    return this.#calls.stream(told(namesOf(pages, options), (name) => name as SpaceName));
  }

  override getSegments(space: SpaceName, options: NamesOptions = {}): AsyncIterable<SegmentName> {
    const pages = this.#space(space).listSegments({ abortSignal: options.signal }).byPage(namePages(options));
    return this.#calls.stream(told(namesOf(pages, options), (name) => name as SegmentName));
  }

  override consumeSegment(space: SpaceName, segment: SegmentName, args: ConsumeSegmentArgs = {}): AsyncIterable<Entry> {
    if (args.passed !== undefined) return super.consumeSegment(space, segment, args);
    const { from, to, min, after, until, limit, clamp, signal } = args;
    const bounds = { from, to, min, ...boundsOf({ after, until, limit, clamp, signal }) };
    const entries = this.#segment(space, segment).read(bounds);
    return this.#calls.stream(told(entries, entryOf));
  }

  override consumeSpace(space: SpaceName, args: ConsumeSpaceArgs = {}): AsyncIterable<Entry> {
    const { offset, passed } = args;
    const read = (): client.PagedEntries<Uint8Array> =>
      this.#space(space).read({ offset, ...boundsOf(args), ...filterOf(args) });
    if (passed === undefined) return this.#calls.stream(told(lazily(read), entryOf));
    return this.#calls.stream(
      told(
        withPassed(
          lazily(() => read().byPage()),
          passed,
        ),
        entryOf,
      ),
    );
  }

  override consume(args: ConsumeArgs): AsyncIterable<Entry> {
    const { passed } = args;
    const offsets = Object.fromEntries(args.offsets);
    const read = (): client.PagedEntries<Uint8Array> =>
      this.#client.read({ offsets, codec: bytes(), ...boundsOf(args), ...filterOf(args) });
    if (passed === undefined) return this.#calls.stream(told(lazily(read), entryOf));
    return this.#calls.stream(
      told(
        withPassed(
          lazily(() => read().byPage()),
          passed,
        ),
        entryOf,
      ),
    );
  }

  override peek(
    space: SpaceName,
    segment: SegmentName,
    { min, signal }: StreamOptions & MinOptions = {},
  ): Promise<Entry | undefined> {
    return this.#call(async () => {
      const entry = await this.#segment(space, segment).getLastEntry({ min, abortSignal: signal });
      return entry === undefined ? undefined : entryOf(entry);
    });
  }

  override getSegmentStatus(
    space: SpaceName,
    segment: SegmentName,
    { min, signal }: StreamOptions & MinOptions = {},
  ): Promise<SegmentStatus> {
    return this.#call(async () => {
      return (await this.#segment(space, segment).getStatus({ min, abortSignal: signal })) as SegmentStatus;
    });
  }

  override produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options: ProduceOptions = {},
  ): AsyncIterable<ProducedChunk> {
    if (!(Symbol.iterator in records)) return super.produce(space, segment, records, options);
    const given = [...records];
    const expected = expectedOf(given);
    if (given.length === 0 || expected === undefined) return super.produce(space, segment, given, options);
    return this.#calls.stream(
      told(this.#append(space, segment, given.map(recordOf), { expected, ...writeOf(options) }), (chunk) => chunk),
    );
  }

  override produceAll(
    space: SpaceName,
    segments: readonly SegmentRecords[],
    options: ProduceOptions = {},
  ): Promise<readonly ProducedChunk[]> {
    const expected = segments.map(({ records }) => expectedOf(records));
    if (segments.some(({ records }, index) => records.length === 0 || expected[index] === undefined)) {
      return super.produceAll(space, segments, options);
    }
    return this.#call(async () => {
      const { connected, answers } = this.#watched();
      const parts = segments.map(({ segment, records }, index) => {
        return { segment, records: records.map(recordOf), expected: expected[index] };
      });
      const results = await connected.getSpaceClient(space, { codec: bytes() }).transact(parts, writeOf(options));
      const { segments: chunks } = (await answers.at(-1)) as { readonly segments: readonly unknown[] };
      return chunks.map(chunkOf).map((chunk, index) => agreed([chunk], results[index]));
    });
  }

  override trimSegment(
    space: SpaceName,
    segment: SegmentName,
    before: number,
    { signal }: StreamOptions = {},
  ): Promise<SegmentStatus> {
    return this.#call(async () => {
      return (await this.#segment(space, segment).trim(before, { abortSignal: signal })) as SegmentStatus;
    });
  }

  override trimSpace(space: SpaceName, before: TrimPoint, { signal }: StreamOptions = {}): Promise<SpaceTrim> {
    const point = "timestamp" in before ? { beforeTimestamp: before.timestamp } : { upToOffset: before.offset };
    return this.#call(async () => (await this.#space(space).trim({ ...point, abortSignal: signal })) as SpaceTrim);
  }

  /** A follower of the space: what was there before is a hint as well. */
  override onCommit(space: SpaceName, listener: () => void): () => void {
    const follower = this.#space(space).follow();
    const listen = async (): Promise<void> => {
      for await (const entry of follower) if (entry.sequence > 0) listener();
    };
    // A hint is never a promise: one that fails is none.
    listen().catch(() => undefined);
    return () => void follower.close();
  }

  /** Where a reader begins that asks for the newest. */
  override spaceTail(space: SpaceName, count: number, { signal }: StreamOptions = {}): Promise<Cursor> {
    const abortSignal = signal;
    return this.#call(async () => {
      if (count === 0) {
        for await (const page of this.#space(space).read({ offset: "end", abortSignal }).byPage()) {
          return JSON.parse(page.continuationToken) as Cursor;
        }
      }
      for await (const entry of this.#space(space).read({ last: count, abortSignal })) {
        const first = entryOf(entry);
        return encodeCursor({ ...first, sequence: first.sequence - 1 });
      }
      return "" as Cursor;
    });
  }

  override async close(): Promise<void> {
    await Promise.all([super.close(), this.#calls.close()]);
  }

  /** The client sums up what it appended: each transaction is taken out of the answer that it got, and compared. */
  async *#append(
    space: SpaceName,
    segment: SegmentName,
    records: readonly client.StreamRecord<Uint8Array>[],
    options: client.AppendOptions,
  ): AsyncGenerator<ProducedChunk> {
    const { connected, answers } = this.#watched();
    const target = connected.getSpaceClient(space, { codec: bytes() }).getSegmentClient(segment);
    const result = await target.append(records, options);
    const { status, transactions } = (await answers.at(-1)) as {
      readonly status: SegmentStatus;
      readonly transactions: readonly { readonly offset: Cursor; readonly lastSequence: number }[];
    };
    const { firstSequence, firstTimestamp } = status;
    const chunks = transactions.map((transaction) => {
      const { offset, lastSequence } = transaction;
      const { timestamp: lastTimestamp } = parseCursor(offset);
      // The answer has the status as of the last transaction.
      return chunkOf({
        status: { space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp },
        transaction,
      });
    });
    agreed(chunks, result);
    yield* chunks;
  }

  #call<T>(work: () => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      try {
        return await work();
      } catch (failure) {
        throw storeErrorOf(failure);
      }
    });
  }

  #connect(through: typeof fetch): client.StoreClient {
    const options = { retryOptions: { deadlineInMs: 0 }, fetch: through };
    return new StreamkitClient(this.#url, undefined, options).getStoreClient(this.#path);
  }

  /** A client whose answers can be looked at. */
  #watched(): { readonly connected: client.StoreClient; readonly answers: readonly Promise<unknown>[] } {
    const answers: Promise<unknown>[] = [];
    const connected = this.#connect(async (...call) => {
      const response = await fetch(...call);
      const answer = response.clone().json();
      // Only the client says what is wrong with it.
      answer.catch(() => undefined);
      answers.push(answer);
      return response;
    });
    return { connected, answers };
  }

  #space(space: SpaceName): client.SpaceClient<Uint8Array> {
    return this.#client.getSpaceClient(space, { codec: bytes() });
  }

  #segment(space: SpaceName, segment: SegmentName): client.SegmentClient<Uint8Array> {
    return this.#space(space).getSegmentClient(segment);
  }
}

async function* told<T, U>(items: AsyncIterable<T>, map: (item: T) => U): AsyncGenerator<U> {
  try {
    for await (const item of items) yield map(item);
  } catch (failure) {
    throw storeErrorOf(failure);
  }
}

/** What a call refuses at once, it refuses when it is iterated, as a store does. */
async function* lazily<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
  yield* open();
}

function storeErrorOf(failure: unknown): unknown {
  if (!isStreamkitError(failure)) return failure;
  const { code, message, effect = "none", details } = failure;
  if (code === "connection_failed") {
    return new StoreError("storage_unavailable", message, { effect: "unknown", cause: failure });
  }
  return new StoreError(code as StoreError["code"], message, { effect, details, cause: failure });
}

/** The entries of pages; after each it is told how far the reader came without one. */
async function* withPassed(
  pages: AsyncIterable<client.Page<Uint8Array>>,
  passed: (place: Place) => void,
): AsyncGenerator<ClientEntry> {
  const places = new Map<string, string>();
  for await (const { entries, continuationToken } of pages) {
    for (const entry of entries) {
      places.set(entry.space, entry.offset);
      yield entry;
    }
    const next = JSON.parse(continuationToken) as string | Readonly<Record<string, string>>;
    for (const offset of typeof next === "string" ? [next] : Object.values(next)) {
      if (offset === "") continue;
      const place = parseCursor(offset);
      if (places.get(place.space) !== offset) passed(place);
    }
  }
}

async function* namesOf(pages: AsyncIterable<client.NamePage>, { limit = 0 }: NamesOptions): AsyncGenerator<string> {
  let left = limit === 0 ? Infinity : limit;
  for await (const { names } of pages) {
    for (const name of names) {
      yield name;
      left -= 1;
      if (left === 0) return;
    }
  }
}

function namePages({ after, limit }: NamesOptions): client.PageSettings {
  const continuationToken = after === undefined ? undefined : Buffer.from(after).toString("base64url");
  return { continuationToken, maxPageSize: limit };
}

/** A store has no limit at 0. */
function boundsOf({
  after,
  until,
  limit,
  clamp,
  signal,
}: ConsumeSpaceArgs): client.ReadBounds & client.OperationOptions {
  return { after, until, limit: limit === 0 ? undefined : limit, clamp, abortSignal: signal };
}

function filterOf({ filter = anyEntry }: FilterOptions): client.EntryFilter {
  const where = Object.fromEntries([...filter.where].map(([key, values]) => [key, [...values]]));
  return { prefix: filter.prefixes.length === 0 ? undefined : filter.prefixes, where };
}

function writeOf({ ack, lease, transactionId, signal }: ProduceOptions): client.WriteOptions {
  return { ack, lease, idempotencyKey: transactionId, abortSignal: signal };
}

/** Where the segment must end for records that have their places; undefined: the client cannot say it. */
function expectedOf(records: readonly AppendRecord[]): number | "any" | undefined {
  const first = records[0]?.sequence;
  if (first === undefined) return records.every(({ sequence }) => sequence === undefined) ? "any" : undefined;
  return records.every(({ sequence }, index) => sequence === first + index) ? first - 1 : undefined;
}

function recordOf({ payload, metadata }: AppendRecord): client.StreamRecord<Uint8Array> {
  return { payload, ...(metadata.size === 0 ? {} : { metadata: Object.fromEntries(metadata) }) };
}

function entryOf(entry: ClientEntry): Entry {
  const { sequence, timestamp, transaction, payload, metadata, space, segment, redacted } = entry;
  const trx = transaction as Entry["trx"];
  const names = { space: space as SpaceName, segment: segment as SegmentName };
  const place = { sequence, timestamp, trx, ...names };
  return { ...place, payload, metadata: new Map(Object.entries(metadata)), ...(redacted === true ? { redacted } : {}) };
}

/** The last of what was appended; fails when the client sums it up differently. */
function agreed(chunks: readonly ProducedChunk[], result: client.AppendResult | undefined): ProducedChunk {
  const [first, last] = [chunks[0], chunks.at(-1)];
  const duplicate = chunks.every(({ transaction }) => transaction?.duplicate);
  if (
    last === undefined ||
    result?.transactionId !== first?.transaction?.id ||
    result?.firstSequence !== first?.transaction?.firstSequence ||
    result?.lastSequence !== last.transaction?.lastSequence ||
    result?.duplicate !== duplicate
  ) {
    throw new Error(`The client answers ${JSON.stringify(result)} for ${JSON.stringify(chunks)}.`);
  }
  return last;
}
