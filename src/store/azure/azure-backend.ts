// A store's rows in Azure Tables: the product's backend. Each call finds the space's writer, or reads the rows.

import type { Entry, SegmentStatus } from "../../core/entry.ts";
import { formatNotEnabled, StoreError } from "../../core/errors.ts";
import { withFields } from "../../core/logger.ts";
import type { Logger } from "../../core/logger.ts";
import type { Cursor, SegmentName, SpaceName, StoreId, TransactionId } from "../../core/ids.ts";
import { cursorAfter } from "../../codec/cursor.ts";
import type { Table } from "../../table/port.ts";
import type { Backend } from "../create-store.ts";
import type { RestoredRecord, RestoreOutcome } from "../restoring.ts";
import type {
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  Deleted,
  DeletionWish,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  RecentSpaces,
  SegmentRecords,
  SpaceStatus,
  SpaceTrim,
  StreamOutcome,
  StreamRequest,
  StreamStatus,
  TrimPoint,
  WrittenArgs,
  WrittenPlace,
} from "../store.ts";
import { withDeadline } from "../../table/deadline.ts";
import type { DeletionDeps } from "./delete/deletion.ts";
import { deleteSpace, deleteStore, restoreSpace, restoreStore } from "./delete/deletion.ts";
import { checkRedactable, redactEntries } from "./delete/redact.ts";
import { asStoreError, isDeleted } from "./instance/failure.ts";
import { heldTable } from "./instance/held-table.ts";
import type { StoreStanding } from "./instance/standing.ts";
import { chunkOf, partOf } from "./parts.ts";
import { LogReader } from "./log/log-reader.ts";
import type { LogHead } from "./rows/log-rows.ts";
import { logPartition } from "./rows/keys.ts";
import { doneThrough } from "./rows/pending.ts";
import { listOpenSpaces } from "./read/open-spaces.ts";
import { emptySegment, statusOf } from "./rows/segment-rows.ts";
import {
  firstTimestamp,
  readLast,
  readSegment,
  readSegments,
  readSpace,
  readSpaces,
  readStatus,
  readStream,
  trimmedTo,
} from "./read/read.ts";
import type { ListSource, Source } from "./read/read.ts";
import type { Instance } from "./space/instance.ts";
import type { SpaceWriter, SpaceWriters } from "./space/space-writer.ts";
import { readSpaceStatus } from "./read/space-status.ts";
import { readWritten } from "./read/written.ts";
import { readTail } from "./read/tail.ts";
import type { TrimDeps } from "./trim/segment-trim.ts";
import { trimSegment } from "./trim/segment-trim.ts";
import { trimSpace } from "./trim/space-trim.ts";

/** Looks for the newest entries that rows merged meanwhile may spoil. */
const tailTriesMax = 5;

type Signal = AbortSignal | undefined;

export class AzureBackend implements Backend {
  readonly recent: RecentSpaces;
  readonly #id: StoreId;
  readonly #instance: Instance;
  readonly #table: Table;
  readonly #standing: StoreStanding;
  readonly #logger: Logger;
  readonly #writers: SpaceWriters;
  readonly #onClosed: () => void;

  /** `onClosed`: called once it refuses all work, so that the next to ask for this store gets a new one. */
  constructor(
    id: StoreId,
    instance: Instance,
    table: Table,
    writers: SpaceWriters,
    onClosed: () => void = () => undefined,
  ) {
    this.#id = id;
    this.#instance = instance;
    this.#table = table;
    this.#standing = instance.standing(id);
    this.#logger = withFields(instance.logger, { store: id });
    this.#writers = writers;
    this.#onClosed = onClosed;
    this.recent = {
      // Half of it, as machines' clocks are not the service's.
      ms: instance.options.logIdleMs / 2,
      list: (max, options) => listOpenSpaces(instance.registry, id, max, options?.signal),
    };
  }

  readSpaces(options?: NamesOptions): AsyncIterable<SpaceName> {
    return readSpaces(this.#lists(), options);
  }

  readSegments(space: SpaceName, options?: NamesOptions): AsyncIterable<SegmentName> {
    return readSegments(this.#lists(space), space, options);
  }

  readSegment(space: SpaceName, segment: SegmentName, args?: ConsumeSegmentArgs): AsyncIterable<Entry> {
    return readSegment(this.#source(space), space, segment, args);
  }

  readSpace(space: SpaceName, args: ConsumeSpaceArgs | undefined, together: number): AsyncIterable<Entry> {
    return readSpace(this.#source(space), space, args, together);
  }

  readSpaceStatus(space: SpaceName, signal: Signal): Promise<SpaceStatus> {
    const table = this.#held(space);
    const reader = new LogReader(table, space, this.#instance.compressor);
    return this.#reading(signal, () => readSpaceStatus({ table, reader, signal }, space));
  }

  confirmSpace(space: SpaceName): Promise<void> {
    return this.#reading(undefined, async () => this.#standing.check(space));
  }

  readWritten(space: SpaceName, args: WrittenArgs): AsyncIterable<WrittenPlace> {
    const { compressor } = this.#instance;
    return readWritten({ table: this.#held(space), compressor, partition: logPartition(space) }, args);
  }

  firstTimestamp(space: SpaceName, args: ConsumeSpaceArgs): Promise<number> {
    return firstTimestamp(this.#source(space), space, args);
  }

  readLast(space: SpaceName, segment: SegmentName, signal: Signal): Promise<Entry | undefined> {
    return readLast(this.#source(space), space, segment, signal);
  }

  readStatus(space: SpaceName, segment: SegmentName, signal: Signal): Promise<SegmentStatus> {
    return readStatus(this.#source(space), space, segment, signal);
  }

  async commit(
    space: SpaceName,
    given: readonly SegmentRecords[],
    id: TransactionId,
    options: ProduceOptions,
  ): Promise<readonly ProducedChunk[]> {
    const parts = given.map(({ segment, records }) => partOf(space, segment, records));
    const request = { id, keyed: options.transactionId !== undefined, lease: options.lease, parts };
    const produced = await this.#there(space, () =>
      this.#writer(space).produce(request, options.ack ?? "applied", options.signal),
    );
    return parts.flatMap((part, index) => {
      const result = produced.parts[index];
      return result === undefined ? [] : [chunkOf(space, part.segment, result, produced.duplicate)];
    });
  }

  async changeStream(
    space: SpaceName,
    segment: SegmentName,
    { records, wish }: StreamRequest,
    { id, keyed }: { readonly id: TransactionId; readonly keyed: boolean },
    signal: Signal,
  ): Promise<StreamOutcome> {
    if (this.#instance.options.formatVersion === 1) throw formatNotEnabled("A stream");
    const part = { ...partOf(space, segment, records), wish };
    const request = { id, keyed, lease: undefined, parts: [part] };
    const result = await this.#there(space, () => this.#writer(space).change(request, "applied", signal));
    if ("answer" in result) return { kind: "answered", answer: result.answer, lastSequence: result.lastSequence };
    const [appended] = result.parts;
    // A part that had been appended before, to a stream that has ended since.
    if (appended?.stream === undefined) return { kind: "answered", answer: { kind: "no_stream" }, lastSequence: 0 };
    return { kind: "written", stream: appended.stream, lastSequence: appended.place.lastSequence };
  }

  streamOf(space: SpaceName, segment: SegmentName, signal: Signal): Promise<StreamStatus | undefined> {
    return readStream(this.#source(space), space, segment, signal);
  }

  async trimSegment(space: SpaceName, segment: SegmentName, before: number, signal: Signal): Promise<SegmentStatus> {
    this.#checkFormat("A trim");
    return this.#changing(signal, async () => {
      const writer = this.#writer(space);
      await writer.applyPending(segment);
      const trimmed = await trimSegment(this.#trimDeps(space, signal), space, segment, before, "own");
      if (trimmed === undefined) return statusOf(space, segment, emptySegment);
      writer.applier.observe(segment, trimmed);
      return statusOf(space, segment, trimmed.head);
    });
  }

  async trimSpace(space: SpaceName, before: TrimPoint, signal: Signal): Promise<SpaceTrim> {
    this.#checkFormat("A trim");
    return this.#changing(signal, async () => {
      const writer = this.#writer(space);
      await writer.applyPending();
      return trimSpace({ ...this.#trimDeps(space, signal), reader: writer.reader }, space, before);
    });
  }

  async redact(space: SpaceName, segment: SegmentName, sequences: readonly number[], signal: Signal): Promise<void> {
    this.#checkFormat("A redaction");
    const writer = this.#writer(space);
    const deps = { ...this.#trimDeps(space, signal), reader: writer.reader };
    await this.#changing(signal, () => writer.applyPending(segment));
    await checkRedactable(deps, space, segment, sequences);
    await this.#changing(signal, () => redactEntries(deps, space, segment, sequences));
  }

  async deleteSpace(space: SpaceName, wish: DeletionWish, signal: Signal): Promise<Deleted | undefined> {
    this.#checkFormat("A deletion");
    return this.#changing(signal, async () => {
      // A space of a store that was deleted goes with it.
      await this.#standing.confirm();
      return deleteSpace(this.#deletion(), space, wish);
    });
  }

  async restoreSpace(space: SpaceName, signal: Signal): Promise<void> {
    const restore = () => this.#standing.confirm().then(() => restoreSpace(this.#deletion(), space));
    return this.#changing(signal, restore, isDeleted);
  }

  async deleteStore(wish: DeletionWish, signal: Signal): Promise<Deleted> {
    this.#checkFormat("A deletion");
    return this.#changing(signal, () => deleteStore(this.#deletion(), wish));
  }

  async restoreStore(signal: Signal): Promise<void> {
    return this.#changing(signal, () => restoreStore(this.#deletion()), isDeleted);
  }

  async restoreRecords(
    space: SpaceName,
    records: readonly RestoredRecord[],
    signal: AbortSignal | undefined,
  ): Promise<RestoreOutcome> {
    this.#checkFormat("Restoring entries");
    return this.#changing(signal, async () => {
      await this.#standing.check(space);
      return this.#writer(space).restore(records, signal);
    });
  }

  trimmedTo(space: SpaceName, offset: Cursor): Promise<Cursor | undefined> {
    return trimmedTo(this.#source(space), space, offset);
  }

  onCommit(space: SpaceName, listener: () => void): () => void {
    return this.#writer(space).onCommit(listener);
  }

  async appliedThrough(space: SpaceName, signal: Signal): Promise<number> {
    const { timestamp, unapplied } = await this.#logHead(space, signal);
    return doneThrough(unapplied, timestamp);
  }

  /** A call that hangs is given up after as long as a produce would wait. */
  async bringUp(space: SpaceName, segment: SegmentName, through: number, signal: Signal): Promise<boolean> {
    const { clock, options } = this.#instance;
    const outcome = await withDeadline(clock, options.produceTimeoutMs, signal, () =>
      this.#writer(space).bringUp(segment, through),
    );
    switch (outcome.kind) {
      case "done":
        return outcome.value;
      case "threw":
        throw asStoreError(outcome.error, "none");
      case "aborted":
        throw outcome.reason;
      case "timeout":
        throw new StoreError("overloaded", "The segment could not be brought up to `min` in time.", {
          effect: "none",
          retryAfterMs: 1_000,
        });
    }
  }

  async spaceTail(space: SpaceName, count: number, signal: Signal): Promise<Cursor> {
    for (let tries = 0; tries < tailTriesMax; tries += 1) {
      const { timestamp, count: records } = await this.#logHead(space, signal);
      if (count === 0) return cursorAfter(space, timestamp);
      const place = await readTail(this.#source(space), space, { timestamp, records }, count, signal);
      if (place !== undefined) return place;
    }
    const what = `The rows of space ${JSON.stringify(space)} are being merged. Try again a little later.`;
    throw new StoreError("overloaded", what, { retryAfterMs: 1_000 });
  }

  closed(): void {
    this.#writers.close(this.#id);
    this.#onClosed();
  }

  /**
   * A writer may answer from memory: that the space is there is asked beside it, and is known before anybody is told.
   */
  async #there<T>(space: SpaceName, write: () => Promise<T>): Promise<T> {
    const asked = this.#standing.check(space);
    asked?.catch(() => undefined);
    const written = await write();
    await asked?.catch((error: unknown) => {
      throw isDeleted(error) ? error : asStoreError(error, "unknown");
    });
    return written;
  }

  /** The store's table, or a space's part of it, as long as that is there. */
  #held(space?: SpaceName): Table {
    return heldTable(this.#table, this.#standing, space === undefined ? {} : { space });
  }

  #source(space: SpaceName): Source {
    const { compressor, openMemory } = this.#instance;
    return { table: this.#held(space), compressor, openMemory: () => openMemory(this.#id) };
  }

  #lists(space?: SpaceName): ListSource {
    return { table: this.#held(space), logger: this.#logger };
  }

  #checkFormat(what: string): void {
    if (this.#instance.options.formatVersion === 1) throw formatNotEnabled(what);
  }

  #deletion(): DeletionDeps {
    const { clock, options, random, registry } = this.#instance;
    return { store: this.#id, registry, table: this.#table, clock, random, options };
  }

  #trimDeps(space: SpaceName, signal: Signal): TrimDeps {
    const { clock, compressor, options, random, telemetry } = this.#instance;
    return { table: this.#held(space), clock, compressor, options, random, telemetry, signal };
  }

  /**
   * A change that fails keeps what it has done, and a repeat goes on from there. `isRefused`: failures of this kind
   * come before anything is written.
   */
  async #changing<T>(
    signal: Signal,
    change: () => Promise<T>,
    isRefused: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await change();
    } catch (error) {
      signal?.throwIfAborted();
      throw isRefused(error) ? error : asStoreError(error, "unknown");
    }
  }

  #logHead(space: SpaceName, signal: Signal): Promise<LogHead> {
    const reader = new LogReader(this.#held(space), space, this.#instance.compressor);
    return this.#reading(signal, async () => (await reader.readHead(signal)).head);
  }

  async #reading<T>(signal: Signal, read: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await read();
    } catch (error) {
      signal?.throwIfAborted();
      throw asStoreError(error, "none");
    }
  }

  #writer(space: SpaceName): SpaceWriter {
    return this.#writers.get(this.#id, space, this.#table);
  }
}
