// A store that is somewhere else: the same interface, spoken over the HTTP API with nothing but fetch.
//
// Promise: it decides nothing. What the server refuses is refused with the server's code, what it streams is streamed
// on; leaving or aborting ends the request. Closing is the exception: an app has no call for it, so behind HTTP the
// claims about `close` judge this client alone. What an app does that is told to end, test/e2e/local-host.test.ts
// judges.

import { encodeCursor, parseCursor } from "../../../src/codec/cursor.ts";
import type { AppendRecord, Entry, SegmentStatus } from "../../../src/core/entry.ts";
import { anyEntry, filtersAnything } from "../../../src/core/entry-filter.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Cursor, SegmentName, SpaceName, StoreId } from "../../../src/core/ids.ts";
import type {
  ConsumeArgs,
  ConsumeSegmentArgs,
  ConsumeSpaceArgs,
  Deleted,
  DeleteOptions,
  FilterOptions,
  MinOptions,
  NamesOptions,
  ProducedChunk,
  ProduceOptions,
  SegmentRecords,
  SpaceStatus,
  SpaceTrim,
  Store,
  StreamOptions,
  TrimPoint,
} from "../../../src/store/store.ts";
import type { RestoredEntries } from "../../../src/store/restoring.ts";
import { RunningWork } from "../../../src/store/work.ts";
import { HttpClient } from "./http-client.ts";
import type { Query } from "./http-client.ts";
import { entryOf, entryOrNone, recordJson, restoredJson } from "./http-json.ts";

/** A space as the interface tells it. */
type ToldSpace = Omit<SpaceStatus, "counts"> & { readonly entries?: number; readonly bytes?: number };

export class HttpStore implements Store {
  readonly id: StoreId;
  /** The store as the interface is asked for it. */
  readonly #path: string;
  readonly #http: HttpClient;
  readonly #work = new RunningWork();

  /** `base`: of the interface, without the store; `path`: the store's own part, where it is not its id. */
  constructor(base: string, id: StoreId, path: string = id) {
    this.id = id;
    this.#path = path;
    this.#http = new HttpClient(`${base}/v1/stores/${path}`);
  }

  getSpaces(options: NamesOptions = {}): AsyncIterable<SpaceName> {
    return this.#work.stream(this.#lines("/spaces", namesQuery(options), options, (line) => line as SpaceName));
  }

  getSegments(space: SpaceName, options: NamesOptions = {}): AsyncIterable<SegmentName> {
    const path = `/spaces/${encodeURIComponent(space)}/segments`;
    return this.#work.stream(this.#lines(path, namesQuery(options), options, (line) => line as SegmentName));
  }

  /** Streams are judged over HTTP by the protocol's own conformance suite. */
  changeStream(): Promise<never> {
    return Promise.reject(new Error("Streams have an interface of their own over HTTP."));
  }

  streamOf(): Promise<never> {
    return this.changeStream();
  }

  consumeSegment(space: SpaceName, segment: SegmentName, args: ConsumeSegmentArgs = {}): AsyncIterable<Entry> {
    const { from, to, min, after, until, limit, clamp } = args;
    const query = { from, to, min, after, until, limit, clamp: clampOf(clamp) };
    const path = `${segmentPath(space, segment)}/entries`;
    const passes = new Passed(args);
    const ended = (next: unknown): void => passes.upTo(Number(next));
    const entries = mapped(this.#http.lines(path, query, { ...signalOf(args), ended }), entryOf);
    return this.#work.stream(
      mapped(entries, (entry) => {
        passes.upTo(entry.sequence);
        return entry;
      }),
    );
  }

  consumeSpace(space: SpaceName, args: ConsumeSpaceArgs = {}): AsyncIterable<Entry> {
    return this.#work.stream(this.#consumeSpace(space, args));
  }

  consume(args: ConsumeArgs): AsyncIterable<Entry> {
    const { offsets, after, until, limit, clamp, passed } = args;
    const told = { offsets: Object.fromEntries(offsets), after, until, limit, clamp, ...filterOf(args) };
    const ended = (next: unknown): void => {
      for (const [space, offset] of Object.entries(next as Readonly<Record<string, string>>)) {
        if (offset !== offsets.get(space as SpaceName)) passed?.(parseCursor(offset));
      }
    };
    const body = JSON.stringify(told);
    const request = { method: "POST", body, contentType: "application/json", ...signalOf(args), ended };
    return this.#work.stream(mapped(this.#http.lines("/consume", {}, request), entryOf));
  }

  peek(space: SpaceName, segment: SegmentName, options: StreamOptions & MinOptions = {}): Promise<Entry | undefined> {
    return this.#work.run(async () => {
      const path = `${segmentPath(space, segment)}/last`;
      return entryOrNone(await this.#http.json(path, { min: options.min }, signalOf(options)));
    });
  }

  getSegmentStatus(
    space: SpaceName,
    segment: SegmentName,
    options: StreamOptions & MinOptions = {},
  ): Promise<SegmentStatus> {
    return this.#work.run(() => this.#status(space, segment, options));
  }

  getSpaceStatus(space: SpaceName, options: StreamOptions = {}): Promise<SpaceStatus> {
    return this.#work.run(async () => {
      const told = (await this.#http.json(`/spaces/${encodeURIComponent(space)}`, {}, signalOf(options))) as ToldSpace;
      const { bytes, entries, ...others } = told;
      return { ...others, counts: entries === undefined || bytes === undefined ? undefined : { entries, bytes } };
    });
  }

  produce(
    space: SpaceName,
    segment: SegmentName,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
    options: ProduceOptions = {},
  ): AsyncIterable<ProducedChunk> {
    const request = {
      method: "POST",
      contentType: "application/x-ndjson",
      body: recordLines(records),
      ...writeOf(options),
    };
    const lines = this.#http.lines(`${segmentPath(space, segment)}/records`, queryOf(options), request);
    return this.#work.stream(ofTheRest(mapped(lines, chunkOf)));
  }

  produceAll(
    space: SpaceName,
    segments: readonly SegmentRecords[],
    options: ProduceOptions = {},
  ): Promise<readonly ProducedChunk[]> {
    const told = segments.map(({ segment, records }) => ({ segment, records: records.map(recordJson) }));
    const request = {
      method: "POST",
      contentType: "application/json",
      body: JSON.stringify({ segments: told }),
      ...writeOf(options),
    };
    return this.#work.run(async () => {
      const path = `/spaces/${encodeURIComponent(space)}/transactions`;
      const answer = await this.#http.json(path, queryOf(options), request);
      return (answer as { readonly segments: readonly unknown[] }).segments.map(chunkOf);
    });
  }

  trimSegment(...[space, segment, before, options = {}]: Parameters<Store["trimSegment"]>): Promise<SegmentStatus> {
    return this.#work.run(async () => {
      return (await this.#post(`${segmentPath(space, segment)}/trim`, { before }, options)) as SegmentStatus;
    });
  }

  trimSpace(space: SpaceName, before: TrimPoint, options: StreamOptions = {}): Promise<SpaceTrim> {
    return this.#work.run(async () => {
      const path = `/spaces/${encodeURIComponent(space)}/trim`;
      const point = "timestamp" in before ? before.timestamp : before.offset;
      const { earliest, state } = (await this.#post(path, { before: point }, options)) as SpaceTrim;
      return { earliest, state };
    });
  }

  redact(...[space, segment, sequences, options = {}]: Parameters<Store["redact"]>): Promise<void> {
    return this.#work.run(() => this.#silent(`${segmentPath(space, segment)}/redact`, options, { sequences }));
  }

  deleteSpace(space: SpaceName, options: DeleteOptions = {}): Promise<Deleted | undefined> {
    return this.#work.run(() => this.#delete(`/spaces/${encodeURIComponent(space)}`, space, options));
  }

  deleteStore(options: DeleteOptions = {}): Promise<Deleted> {
    return this.#work.run(async () => (await this.#delete("", this.#path, options)) ?? { removedFrom: 0 });
  }

  restoreSpace(space: SpaceName, options: StreamOptions = {}): Promise<void> {
    return this.#work.run(() => this.#silent(`/spaces/${encodeURIComponent(space)}/restore`, options));
  }

  restoreStore(options: StreamOptions = {}): Promise<void> {
    return this.#work.run(() => this.#silent("/restore", options));
  }

  restoreEntries(
    space: SpaceName,
    entries: AsyncIterable<Entry> | Iterable<Entry>,
    options: StreamOptions = {},
  ): Promise<RestoredEntries> {
    return this.#work.run(async () => {
      let body = "";
      for await (const entry of entries) body += `${JSON.stringify(restoredJson(entry))}\n`;
      const path = `/spaces/${encodeURIComponent(space)}/restore-entries`;
      const request = { method: "POST", contentType: "application/x-ndjson", body, ...signalOf(options) };
      return (await this.#http.json(path, {}, request)) as RestoredEntries;
    });
  }

  /** A live reader of the space: what was there before is a hint as well. */
  onCommit(space: SpaceName, listener: () => void): () => void {
    const stopping = new AbortController();
    const path = `/spaces/${encodeURIComponent(space)}/entries`;
    const listen = async (): Promise<void> => {
      for await (const event of this.#http.events(path, stopping.signal)) {
        if (event.startsWith("id:") && !stopping.signal.aborted) listener();
      }
    };
    // A hint is never a promise: one that fails is none.
    listen().catch(() => undefined);
    return () => stopping.abort();
  }

  /** The interface does not tell it; what every segment of the space shows does. */
  appliedThrough(space: SpaceName, options: StreamOptions = {}): Promise<number> {
    return this.#work.run(async () => {
      const entries: Entry[] = [];
      for await (const entry of this.#consumeSpace(space, options)) entries.push(entry);
      const lasts = new Map<SegmentName, number>();
      for (const segment of new Set(entries.map((entry) => entry.segment))) {
        lasts.set(segment, (await this.#status(space, segment, options)).lastSequence);
      }
      const behind = entries.find(({ segment, sequence }) => sequence > (lasts.get(segment) ?? 0));
      const applied = entries.filter(({ timestamp }) => behind === undefined || timestamp < behind.timestamp);
      return applied.at(-1)?.timestamp ?? 0;
    });
  }

  /** Where a reader begins that asks for the newest. */
  spaceTail(space: SpaceName, count: number, options: StreamOptions = {}): Promise<Cursor> {
    return this.#work.run(async () => {
      const path = `/spaces/${encodeURIComponent(space)}/entries`;
      if (count === 0) {
        const page = await this.#http.json(path, { offset: "end" }, signalOf(options));
        return (page as { readonly next: Cursor }).next;
      }
      for await (const first of this.#lines(path, { last: count }, options, entryOf)) {
        return encodeCursor({ ...first, sequence: first.sequence - 1 });
      }
      return "" as Cursor;
    });
  }

  close(): Promise<void> {
    return this.#work.close();
  }

  #consumeSpace(space: SpaceName, args: ConsumeSpaceArgs): AsyncIterable<Entry> {
    const { offset, after, until, limit, clamp, signal, passed } = args;
    const path = `/spaces/${encodeURIComponent(space)}/entries`;
    const query = { offset, after, until, limit, clamp: clampOf(clamp), ...filterOf(args) };
    let last: string = offset ?? "";
    const ended = (next: unknown): void => {
      if (next !== last && filtersAnything(args.filter ?? anyEntry)) passed?.(parseCursor(next as string));
    };
    return mapped(this.#http.lines(path, query, { ...signalOf({ signal }), ended }), (line) => {
      const entry = entryOf(line);
      last = encodeCursor(entry);
      return entry;
    });
  }

  async #status(space: SpaceName, segment: SegmentName, options: StreamOptions & MinOptions): Promise<SegmentStatus> {
    const query = { min: options.min };
    return (await this.#http.json(segmentPath(space, segment), query, signalOf(options))) as SegmentStatus;
  }

  #post(path: string, body: unknown, options: StreamOptions): Promise<unknown> {
    const request = { method: "POST", contentType: "application/json", body: JSON.stringify(body) };
    return this.#http.json(path, {}, { ...request, ...signalOf(options) });
  }

  async #delete(path: string, confirm: string, options: DeleteOptions): Promise<Deleted | undefined> {
    const { erase, graceMs } = options;
    const graceSeconds = graceMs === undefined ? undefined : graceMs / 1_000;
    const query = { confirm, erase: erase === true ? "true" : undefined, graceSeconds };
    const told = await this.#http.jsonOrNone(path, query, { method: "DELETE", ...signalOf(options) });
    return told === undefined ? undefined : { removedFrom: (told as Deleted).removedFrom };
  }

  async #silent(path: string, options: StreamOptions, body?: unknown): Promise<void> {
    const json = body === undefined ? {} : { contentType: "application/json", body: JSON.stringify(body) };
    await this.#http.jsonOrNone(path, {}, { method: "POST", ...json, ...signalOf(options) });
  }

  #lines<T>(path: string, query: Query, options: StreamOptions, read: (line: unknown) => T): AsyncIterable<T> {
    return mapped(this.#http.lines(path, query, signalOf(options)), read);
  }
}

/** What `after` has hidden, as the places tell where a reader came to. */
class Passed {
  readonly #passed: ConsumeSegmentArgs["passed"];
  #next: number;

  constructor({ from = 0, after = 0, passed }: ConsumeSegmentArgs) {
    this.#next = Math.max(1, from);
    this.#passed = after === 0 ? undefined : passed;
  }

  /** For a reader that came to this sequence without an entry, or has it as its first. */
  upTo(sequence: number): void {
    for (; this.#next < sequence; this.#next += 1) this.#passed?.(this.#next);
    // Entries follow one another: what comes behind the first was not hidden.
    this.#next = Infinity;
  }
}

/** A store does not tell the offset: it is of the interface. */
export function chunkOf(told: unknown): ProducedChunk {
  const { status, transaction } = told as ProducedChunk & { readonly transaction?: { readonly offset: string } };
  if (transaction === undefined) return { status };
  const { id, number, firstSequence, lastSequence, duplicate } = transaction;
  return { status, transaction: { id, number, firstSequence, lastSequence, duplicate } };
}

function segmentPath(space: SpaceName, segment: SegmentName): string {
  return `/spaces/${encodeURIComponent(space)}/segments/${encodeURIComponent(segment)}`;
}

function namesQuery({ after, limit }: NamesOptions): Query {
  return { limit, next: after === undefined ? undefined : Buffer.from(after).toString("base64url") };
}

function queryOf({ ack, lease }: ProduceOptions): Query {
  return { ack, leaseKey: lease?.key, leaseToken: lease?.token };
}

function writeOf({ transactionId, signal }: ProduceOptions) {
  return {
    headers: transactionId === undefined ? {} : { "idempotency-key": transactionId },
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Left out where nothing is filtered. */
function filterOf({ filter = anyEntry }: FilterOptions): {
  readonly prefix?: readonly string[];
  readonly where?: readonly string[];
} {
  const where = [...filter.where].flatMap(([key, values]) => [...values].map((value) => `${key}:${value}`));
  return {
    ...(filter.prefixes.length === 0 ? {} : { prefix: filter.prefixes }),
    ...(where.length === 0 ? {} : { where }),
  };
}

/** Left out where nobody asks for it. */
function clampOf(clamp: boolean | undefined): string | undefined {
  return clamp === true ? "true" : undefined;
}

function signalOf({ signal }: StreamOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Records in memory go as one body; others go as they arrive. */
function recordLines(records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>): string | ReadableStream {
  if (Symbol.iterator in records) return Array.from(records, (one) => `${JSON.stringify(recordJson(one))}\n`).join("");
  const lines = mapped(records, (one) => Buffer.from(`${JSON.stringify(recordJson(one))}\n`));
  return ReadableStream.from(lines);
}

/**
 * A problem speaks of the whole request, an error of the store of what was not yielded: after a chunk, what did not
 * happen at all there is `partial` here.
 */
async function* ofTheRest<T>(chunks: AsyncIterable<T>): AsyncGenerator<T> {
  let some = false;
  try {
    for await (const chunk of chunks) {
      some = true;
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { code, message, effect, details } = error;
    if ((effect === "partial") !== (some && effect !== "unknown" && effect !== "committed")) {
      throw new Error(`The effect is told as ${effect}, ${some ? "after a chunk" : "with no chunk before it"}.`, {
        cause: error,
      });
    }
    throw effect === "partial" ? new StoreError(code, message, { effect: "none", details, cause: error }) : error;
  }
}

async function* mapped<T, U>(items: AsyncIterable<T>, map: (item: T) => U): AsyncGenerator<U> {
  for await (const item of items) yield map(item);
}
