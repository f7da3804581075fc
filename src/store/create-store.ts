// A store over a backend: what is the same whatever keeps the rows. It cuts a produce into chunks and names them,
// commits over several segments, reads several spaces as one, and waits for running work when it is closed.

import type { Random } from "../core/clock.ts";
import { newTransactionId } from "../core/clock.ts";
import type { AppendRecord, Entry, SegmentStatus } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName, StoreId, TransactionId } from "../core/ids.ts";
import { parseInteger } from "../core/ids.ts";
import { parseCursor } from "../codec/cursor.ts";
import { derivedTransactionId } from "../codec/transaction.ts";
import { readLastAtLeast, readSegmentAtLeast, readStatusAtLeast } from "./at-least.ts";
import { mergeSpaces } from "./merge.ts";
import type {
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  Deleted,
  DeleteOptions,
  DeletionWish,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  RecentSpaces,
  SegmentRecords,
  SpaceStatus,
  SpaceTrim,
  Store,
  StreamOutcome,
  StreamRequest,
  StreamStatus,
  TrimPoint,
  WrittenArgs,
  WrittenPlace,
} from "./store.ts";
import type { RestoredRecord, RestoreOutcome } from "./restoring.ts";
import { restoreEntries } from "./restoring.ts";
import { changeStream } from "./streams.ts";
import { checkTogether } from "./together.ts";
import { RunningWork } from "./work.ts";
import { checkedBytes } from "../core/entry.ts";
import { limits } from "../core/limits.ts";

type Signal = AbortSignal | undefined;

/**
 * The backend that keeps the rows of one store. Arguments, answers and errors are those of `Store`; reads are lazy, as
 * there.
 */
export interface Backend {
  readSpaces(options?: NamesOptions): AsyncIterable<SpaceName>;
  readSegments(space: SpaceName, options?: NamesOptions): AsyncIterable<SegmentName>;
  readSegment(space: SpaceName, segment: SegmentName, args?: ConsumeSegmentArgs): AsyncIterable<Entry>;
  /** `together`: how many spaces share what this read may hold. */
  readSpace(space: SpaceName, args: ConsumeSpaceArgs | undefined, together: number): AsyncIterable<Entry>;
  readSpaceStatus(space: SpaceName, signal: Signal): Promise<SpaceStatus>;
  /** Absent: entries alone tell it. */
  readWritten?(space: SpaceName, args: WrittenArgs): AsyncIterable<WrittenPlace>;
  /**
   * A cheap look: no entry that the arguments want has an earlier timestamp; Infinity: there is none. Absent: nothing
   * is known.
   */
  firstTimestamp?(space: SpaceName, args: ConsumeSpaceArgs): Promise<number>;
  confirmSpace?(space: SpaceName): Promise<void>;
  readLast(space: SpaceName, segment: SegmentName, signal: Signal): Promise<Entry | undefined>;
  readStatus(space: SpaceName, segment: SegmentName, signal: Signal): Promise<SegmentStatus>;
  /** One transaction a segment, all or nothing. Each segment once, each with records, together no more than a chunk. */
  commit(
    space: SpaceName,
    given: readonly SegmentRecords[],
    id: TransactionId,
    options: ProduceOptions,
  ): Promise<readonly ProducedChunk[]>;
  /** One transaction, of a chunk at most. `keyed`: the id is kept, so that a repeat is known as one. */
  changeStream(
    space: SpaceName,
    segment: SegmentName,
    request: StreamRequest,
    transaction: { readonly id: TransactionId; readonly keyed: boolean },
    signal: Signal,
  ): Promise<StreamOutcome>;
  streamOf(space: SpaceName, segment: SegmentName, signal: Signal): Promise<StreamStatus | undefined>;
  trimSegment(space: SpaceName, segment: SegmentName, before: number, signal: Signal): Promise<SegmentStatus>;
  trimSpace(space: SpaceName, before: TrimPoint, signal: Signal): Promise<SpaceTrim>;
  /** Each sequence once, ascending. */
  redact(space: SpaceName, segment: SegmentName, sequences: readonly number[], signal: Signal): Promise<void>;
  /**
   * The earliest there is of a space, where who goes on from this place would be told `trimmed`; not for the empty
   * cursor.
   */
  trimmedTo(space: SpaceName, offset: Cursor): Promise<Cursor | undefined>;
  deleteSpace(space: SpaceName, wish: DeletionWish, signal: Signal): Promise<Deleted | undefined>;
  restoreSpace(space: SpaceName, signal: Signal): Promise<void>;
  deleteStore(wish: DeletionWish, signal: Signal): Promise<Deleted>;
  restoreStore(signal: Signal): Promise<void>;
  /**
   * Commits records of a backup, all or nothing, behind what the space has, ascending; none: only brings what is
   * committed into the segments.
   */
  restoreRecords(space: SpaceName, records: readonly RestoredRecord[], signal: Signal): Promise<RestoreOutcome>;
  onCommit(space: SpaceName, listener: () => void): () => void;
  appliedThrough(space: SpaceName, signal: Signal): Promise<number>;
  /**
   * Brings the segment up to what its space has up to this timestamp: reads of it that begin from then on have that.
   * False: the space has not come to it.
   */
  bringUp(space: SpaceName, segment: SegmentName, through: number, signal: Signal): Promise<boolean>;
  spaceTail(space: SpaceName, count: number, signal: Signal): Promise<Cursor>;
  readonly recent?: RecentSpaces;
  /** Called once, when nothing of it runs any more. */
  closed(): void;
}

export function createStore(id: StoreId, backend: Backend, random: Random): Store {
  const work = new RunningWork();
  const { recent } = backend;
  const readWritten = backend.readWritten?.bind(backend);
  const confirmSpace = backend.confirmSpace?.bind(backend);

  async function* produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options: ProduceOptions = {},
  ): AsyncGenerator<ProducedChunk> {
    // Nobody can repeat a chunk of a request without an id, but an id to trace it by is still worth having.
    const first = options.transactionId ?? newTransactionId(random);
    let position = 0;
    for await (const chunk of chunkRecords(records)) {
      options.signal?.throwIfAborted();
      const id = derivedTransactionId(first, position);
      yield* await backend.commit(space, [{ segment, records: chunk }], id, options).catch((error: unknown) => {
        throw counted(error, chunk.length);
      });
      position += 1;
    }
    if (position === 0) yield { status: await backend.readStatus(space, segment, options.signal) };
  }

  async function produceAll(
    space: SpaceName,
    segments: readonly SegmentRecords[],
    options: ProduceOptions = {},
  ): Promise<readonly ProducedChunk[]> {
    await checkTogether(segments);
    options.signal?.throwIfAborted();
    const given = segments.filter(({ records }) => records.length > 0);
    const transactionId = options.transactionId ?? newTransactionId(random);
    const chunks = given.length === 0 ? [] : await backend.commit(space, given, transactionId, options);
    const bySegment = new Map(chunks.map((chunk) => [chunk.status.segment, chunk]));
    return Promise.all(
      segments.map(async ({ segment }) => {
        return bySegment.get(segment) ?? { status: await backend.readStatus(space, segment, options.signal) };
      }),
    );
  }

  return {
    id,
    getSpaces: (options) => work.stream(backend.readSpaces(options)),
    getSegments: (space, options) => work.stream(backend.readSegments(space, options)),
    consumeSegment: (space, segment, { min, ...args } = {}) => {
      const { signal } = args;
      return work.stream(
        min === undefined
          ? backend.readSegment(space, segment, args)
          : readSegmentAtLeast(backend, { space, segment, min, signal }, args),
      );
    },
    consumeSpace: (space, args) => work.stream(backend.readSpace(space, args, 1)),
    consume: ({ offsets, limit, ...bounds }) => {
      const streams = [...offsets].map(([space, offset]) => {
        const args = { ...bounds, offset, limit };
        return {
          space,
          from: async () => backend.firstTimestamp?.(space, args) ?? 0,
          entries: backend.readSpace(space, args, offsets.size),
        };
      });
      return work.stream(namingTrimmed(backend, offsets, mergeSpaces(streams, limit)));
    },
    getSpaceStatus: (space, options) => work.run(() => backend.readSpaceStatus(space, options?.signal)),
    ...(confirmSpace === undefined ? {} : { confirmSpace: (space) => work.run(() => confirmSpace(space)) }),
    ...(readWritten === undefined ? {} : { getWritten: (space, args) => work.stream(readWritten(space, args)) }),
    peek: (space, segment, { min, signal } = {}) =>
      work.run(() =>
        min === undefined
          ? backend.readLast(space, segment, signal)
          : readLastAtLeast(backend, { space, segment, min, signal }),
      ),
    getSegmentStatus: (space, segment, { min, signal } = {}) =>
      work.run(() =>
        min === undefined
          ? backend.readStatus(space, segment, signal)
          : readStatusAtLeast(backend, { space, segment, min, signal }),
      ),
    produce: (space, segment, records, options) => work.stream(produce(space, segment, records, options)),
    produceAll: (space, segments, options) => work.run(() => produceAll(space, segments, options)),
    changeStream: (space, segment, request, options) =>
      work.run(() => changeStream(backend, random, space, segment, request, options?.signal)),
    streamOf: (space, segment, options) => work.run(() => backend.streamOf(space, segment, options?.signal)),
    trimSegment: (space, segment, before, options) =>
      work.run(() => {
        const first = parseInteger("before", before, 1);
        return backend.trimSegment(space, segment, first, options?.signal);
      }),
    trimSpace: (space, before, options) =>
      work.run(() => {
        if ("timestamp" in before) parseInteger("before", before.timestamp, 0);
        else if (before.offset !== "") checkSpace(space, before.offset);
        return backend.trimSpace(space, before, options?.signal);
      }),
    redact: (space, segment, sequences, options) =>
      work.run(() => backend.redact(space, segment, checkedSequences(sequences), options?.signal)),
    deleteSpace: (space, options) => work.run(() => backend.deleteSpace(space, wishOf(options), options?.signal)),
    restoreSpace: (space, options) => work.run(() => backend.restoreSpace(space, options?.signal)),
    deleteStore: (options) => work.run(() => backend.deleteStore(wishOf(options), options?.signal)),
    restoreStore: (options) => work.run(() => backend.restoreStore(options?.signal)),
    restoreEntries: (space, entries, options) =>
      work.run(() => restoreEntries(backend, space, entries, options?.signal)),
    onCommit: (space, listener) => backend.onCommit(space, listener),
    appliedThrough: (space, options) => work.run(() => backend.appliedThrough(space, options?.signal)),
    spaceTail: (space, count, options) => work.run(() => backend.spaceTail(space, count, options?.signal)),
    ...(recent === undefined
      ? {}
      : { recent: { ms: recent.ms, list: (max, options) => work.run(() => recent.list(max, options)) } }),
    close: async () => {
      await work.close();
      backend.closed();
    },
  };
}

/** The error of a chunk that is committed all the same says how many records that are. */
function counted(error: unknown, committedRecords: number): unknown {
  if (!(error instanceof StoreError) || error.effect !== "committed") return error;
  const { code, message, effect, details, retryAfterMs } = error;
  return new StoreError(code, message, {
    effect,
    cause: error,
    details: { ...details, committedRecords },
    retryAfterMs,
  });
}

/** The error of a read that meets what was trimmed names all spaces of it, with the earliest that there is of each. */
async function* namingTrimmed(
  backend: Pick<Backend, "trimmedTo">,
  offsets: ReadonlyMap<SpaceName, Cursor>,
  entries: AsyncIterable<Entry>,
): AsyncGenerator<Entry> {
  try {
    yield* entries;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "trimmed") throw error;
    const { message, details } = error;
    const known = new Map([[details["space"], details["earliest"]]]);
    const resumed = [...offsets].filter(([space, offset]) => offset !== "" && !known.has(space));
    const others = await Promise.all(
      resumed.map(async ([space, offset]) => [space, await backend.trimmedTo(space, offset)] as const),
    );
    for (const [space, earliest] of others) if (earliest !== undefined) known.set(space, earliest);
    const trimmed = [...known].map(([space, earliest]) => ({ space, earliest }));
    throw new StoreError("trimmed", message, { cause: error, details: { ...details, trimmed } });
  }
}

function checkedSequences(sequences: readonly number[]): readonly number[] {
  const { redactedTogetherMax } = limits;
  if (sequences.length === 0 || sequences.length > redactedTogetherMax) {
    throw invalidArgument("sequences", `1 to ${redactedTogetherMax} sequences`, sequences.length);
  }
  const checked = sequences.map((sequence, index) => parseInteger(`sequences[${index}]`, sequence, 1));
  return [...new Set(checked)].sort((one, other) => one - other);
}

function wishOf({ erase = false, graceMs = limits.graceMsDefault }: DeleteOptions = {}): DeletionWish {
  return { erase, graceMs: parseInteger("graceMs", graceMs, 0, limits.graceMsMax) };
}

function checkSpace(space: SpaceName, offset: Cursor): void {
  const place = parseCursor(offset);
  if (place.space !== space) throw invalidArgument("offset", `a cursor of space ${JSON.stringify(space)}`, place.space);
}

// Cuts the records of a produce into chunks, each to become one transaction.
//
// Promise: where the cuts are is a function of the records alone, never of when they arrive or how: the repeat of a
// request gives the same chunks, so the same transactions. A record that no store may take is refused here.

/**
 * A chunk is as long as `chunkRecordsMax` and `chunkBytesMax` allow, and is yielded as soon as nothing more fits.
 *
 * Lazy: takes no record beyond the one that shows a chunk to be complete, and closes the source when left. An error at
 * a record (or of the source) is thrown after the chunks that were complete before it; the chunk it interrupts is never
 * yielded, so what fits one chunk is accepted whole or not at all. `field` names the records in errors:
 * `invalid_argument`, `record_too_large`.
 */
export async function* chunkRecords(
  records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
  field = "records",
): AsyncGenerator<readonly AppendRecord[], void, undefined> {
  const cutter = new Cutter(field);
  if (Symbol.iterator in records) {
    for (const record of records) {
      for (const chunk of cutter.add(record)) yield chunk;
    }
  } else {
    for await (const record of records) {
      for (const chunk of cutter.add(record)) yield chunk;
    }
  }
  const last = cutter.rest();
  if (last.length > 0) yield last;
}

class Cutter {
  readonly #field: string;
  #chunk: AppendRecord[] = [];
  #bytes = 0;
  #index = 0;
  #sequenced: boolean | undefined;

  constructor(field: string) {
    this.#field = field;
  }

  /** The chunks that this record completes: the one before it, or the one it fills. */
  *add(record: AppendRecord): Iterable<readonly AppendRecord[]> {
    const size = this.#check(record);
    if (this.#chunk.length > 0 && this.#bytes + size > limits.chunkBytesMax) yield this.rest();
    this.#chunk.push(record);
    this.#bytes += size;
    this.#index += 1;
    if (this.#chunk.length === limits.chunkRecordsMax) yield this.rest();
  }

  rest(): readonly AppendRecord[] {
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#bytes = 0;
    return chunk;
  }

  /** Answers the record's size. */
  #check(record: AppendRecord): number {
    const name = `${this.#field}[${this.#index}]`;
    const sequenced = record.sequence !== undefined;
    if (sequenced) parseInteger(`${name}.sequence`, record.sequence, 1);
    this.#sequenced ??= sequenced;
    if (sequenced !== this.#sequenced) {
      throw invalidArgument(`${name}.sequence`, "a sequence in every record of a request, or in none");
    }
    for (const [key, value] of record.metadata) {
      if (!key.isWellFormed() || !value.isWellFormed()) throw invalidArgument(`${name}.metadata`, "valid Unicode", key);
    }
    return checkedBytes(record, name);
  }
}
