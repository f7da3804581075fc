// The tables of one account in memory, with the service's semantics: conditions, atomic EGTs, ordinal order, pages that
// are each a snapshot of their own and whose continuation is the next key, tables that are missing or being deleted.
//
// Promise: synchronous and deterministic. What it holds shares nothing with what callers hold.

import type { Clock } from "../../src/core/clock.ts";
import { limits } from "../../src/core/limits.ts";
import { TableFailure, type GetResult, type KeyRange, type Page, type Properties } from "../../src/table/port.ts";
import type { QueryOptions, Refusal, Row, SubmitResult, Write } from "../../src/table/port.ts";
import { entityBytes } from "../../src/table/sizes.ts";

/**
 * One effective submit, told while it takes effect. Observers do not throw: the requester would be told. Rows are the
 * service's own: do not change them.
 */
export interface EffectiveWrite {
  /** Which request it was, and who made it. */
  readonly number: number;
  readonly client: string;
  readonly table: string;
  readonly partition: string;
  readonly changes: readonly Change[];
  readonly at: number;
}

export interface Change {
  readonly row: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** Azure: bytes of one page of a query. */
const pageBytesMax = 4 * 1024 * 1024;

/** Rows of one partition in key order. */
interface Partition {
  readonly keys: string[];
  readonly rows: Row[];
}

type TableState =
  | { readonly kind: "there"; readonly partitions: Map<string, Partition> }
  | { readonly kind: "being_deleted"; readonly until: number };

/** What an account held at one moment. */
export interface Snapshot {
  readonly tables: ReadonlyMap<string, TableState>;
}

export class SimulatedService {
  readonly #clock: Clock;
  // Table names differ by more than case.
  readonly #tables = new Map<string, TableState>();
  readonly #observers = new Set<(write: EffectiveWrite) => void>();
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observe(observer: (write: EffectiveWrite) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  create(table: string): void {
    if (this.#find(table) === undefined) {
      this.#tables.set(table.toLowerCase(), { kind: "there", partitions: new Map() });
    }
  }

  /** Its name stays unusable for so long. */
  delete(table: string, beingDeletedMs: number): void {
    const until = this.#clock.now() + beingDeletedMs;
    if (beingDeletedMs > 0) this.#tables.set(table.toLowerCase(), { kind: "being_deleted", until });
    else this.#tables.delete(table.toLowerCase());
  }

  /** The tables as they are now, to be given to `restore`. */
  snapshot(): Snapshot {
    const tables = [...this.#tables].map(([name, state]) => [name, copyState(state)] as const);
    return { tables: new Map(tables) };
  }

  /** The storage goes back; ETags given since are never given again. Observers are not told. */
  restore({ tables }: Snapshot): void {
    this.#tables.clear();
    for (const [name, state] of tables) this.#tables.set(name, copyState(state));
  }

  /**
   * Takes rows as an earlier run left them, each once; ETags given from now on are none of theirs. Observers are not
   * told.
   */
  load(table: string, rows: readonly Row[]): void {
    const partitions = new Map<string, Partition>();
    for (const row of [...rows].sort((a, b) => (a.row < b.row ? -1 : 1))) {
      const partition = partitions.get(row.partition) ?? { keys: [], rows: [] };
      partitions.set(row.partition, partition);
      partition.keys.push(row.row);
      partition.rows.push(row);
      this.#version = Math.max(this.#version, Number(/\d+/.exec(row.etag)?.[0] ?? 0));
    }
    this.#tables.set(table.toLowerCase(), { kind: "there", partitions });
  }

  get(table: string, partition: string, key: string, select?: readonly string[]): GetResult {
    const rows = this.#find(table)?.get(partition);
    const row = rows === undefined ? undefined : rowAt(rows, key);
    return { row: row === undefined ? undefined : copyRow(row, select), serviceTime: this.#serviceTime() };
  }

  query(table: string, range: KeyRange, options: QueryOptions, rowsMax?: number): Page {
    const { keys, rows } = this.#find(table)?.get(range.partition) ?? nothing;
    const from = options.continuation === undefined ? range.from : keyOf(options.continuation);
    const most = Math.min(options.top ?? limits.pageRowsMax, rowsMax ?? limits.pageRowsMax);
    const page: Row[] = [];
    let bytes = 0;
    let at = lowerBound(keys, from > range.from ? from : range.from);
    for (; page.length < most; at++) {
      const found = rows[at];
      if (found === undefined || found.row > range.to) break;
      const row = copyRow(found, options.select);
      bytes += entityBytes(row.partition, row.row, row.properties);
      if (bytes > pageBytesMax && page.length > 0) break;
      page.push(row);
    }
    const next = keys[at];
    const more = next !== undefined && next <= range.to;
    // A page that the service cuts short has a continuation even where nothing follows.
    const cut = rowsMax !== undefined && page.length === rowsMax;
    const place = next ?? `${page.at(-1)?.row ?? from}\u0000`;
    return {
      rows: page,
      continuation: more || cut ? `${tokenMark}${place}` : undefined,
      serviceTime: this.#serviceTime(),
    };
  }

  /** `writes` have been checked and are the service's own (`ownWrites`). */
  submit(
    table: string,
    partition: string,
    writes: readonly Write[],
    source: { readonly number: number; readonly client: string },
  ): SubmitResult {
    const serviceTime = this.#serviceTime();
    const partitions = this.#find(table);
    if (partitions === undefined) return { kind: "refused", reason: "table_missing", index: 0, serviceTime };
    const rows = partitions.get(partition) ?? { keys: [], rows: [] };
    for (const [index, write] of writes.entries()) {
      const reason = refusalOf(rows, write);
      if (reason !== undefined) return { kind: "refused", reason, index, serviceTime };
    }
    const changes = writes.map((write) => this.#apply(partition, rows, write));
    if (rows.keys.length > 0) partitions.set(partition, rows);
    else partitions.delete(partition);
    const { number, client } = source;
    const effect: EffectiveWrite = { number, client, table, partition, changes, at: this.#clock.now() };
    for (const observer of this.#observers) observer(effect);
    return { kind: "done", etags: changes.map((change) => change.after?.etag), serviceTime };
  }

  tables(): readonly string[] {
    return [...this.#tables].flatMap(([name, state]) => (state.kind === "there" ? [name] : [])).sort();
  }

  /** All rows by (partition, row). */
  rows(table: string): readonly Row[] {
    const state = this.#tables.get(table.toLowerCase());
    if (state?.kind !== "there") return [];
    const partitions = [...state.partitions].sort(([a], [b]) => (a < b ? -1 : 1));
    return partitions.flatMap(([, { rows }]) => rows);
  }

  #apply(partition: string, rows: Partition, write: Write): Change {
    const at = lowerBound(rows.keys, write.row);
    const before = rows.keys[at] === write.row ? rows.rows[at] : undefined;
    const replaced = before === undefined ? 0 : 1;
    if (write.kind === "delete") {
      rows.keys.splice(at, replaced);
      rows.rows.splice(at, replaced);
      return { row: write.row, before, after: undefined };
    }
    this.#version += 1;
    const after: Row = {
      partition,
      row: write.row,
      etag: `W/"${this.#version}"`,
      writtenAt: this.#clock.now(),
      properties: write.properties,
    };
    if (at === rows.keys.length) {
      rows.keys.push(write.row);
      rows.rows.push(after);
    } else {
      rows.keys.splice(at, replaced, write.row);
      rows.rows.splice(at, replaced, after);
    }
    return { row: write.row, before, after };
  }

  #find(table: string): Map<string, Partition> | undefined {
    const name = table.toLowerCase();
    const state = this.#tables.get(name);
    if (state?.kind !== "being_deleted") return state?.partitions;
    const leftMs = state.until - this.#clock.now();
    if (leftMs > 0) {
      throw new TableFailure("unavailable", "The table is being deleted.", { effect: "none", retryAfterMs: leftMs });
    }
    this.#tables.delete(name);
    return undefined;
  }

  /** As the Date header has it: whole seconds. */
  #serviceTime(): number {
    const now = this.#clock.now();
    return now - (now % 1_000);
  }
}

function copyState(state: TableState): TableState {
  if (state.kind !== "there") return state;
  const partitions = new Map<string, Partition>();
  for (const [name, { keys, rows }] of state.partitions) partitions.set(name, { keys: [...keys], rows: [...rows] });
  return { kind: "there", partitions };
}

/** The writes as the service keeps them, whatever the caller does with its buffers afterwards. */
export function ownWrites(writes: readonly Write[]): readonly Write[] {
  return writes.map((write) =>
    write.kind === "delete" ? { ...write } : { ...write, properties: copyProperties(write.properties) },
  );
}

const nothing: Partition = { keys: [], rows: [] };
const tokenMark = "at:";

function keyOf(continuation: string): string {
  if (continuation.startsWith(tokenMark)) return continuation.slice(tokenMark.length);
  throw new TableFailure("rejected", "A continuation that no page gave.", { effect: "none" });
}

function refusalOf(rows: Partition, write: Write): Refusal | undefined {
  if (write.kind === "upsert") return undefined;
  const before = rowAt(rows, write.row);
  if (write.kind === "insert") return before === undefined ? undefined : "exists";
  if (before === undefined) return "missing";
  return write.ifMatch === "*" || write.ifMatch === before.etag ? undefined : "changed";
}

function rowAt({ keys, rows }: Partition, key: string): Row | undefined {
  const at = lowerBound(keys, key);
  return keys[at] === key ? rows[at] : undefined;
}

/** The index of the first key that is not below `key`, in ordinal (UTF-16) order as the service compares. */
function lowerBound(keys: readonly string[], key: string): number {
  // Logs and segments grow at their end.
  const last = keys.at(-1);
  if (last === undefined || last < key) return keys.length;
  let low = 0;
  let high = keys.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = keys[middle];
    if (at !== undefined && at < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copyRow(row: Row, select: readonly string[] | undefined): Row {
  return { ...row, properties: copyProperties(row.properties, select) };
}

function copyProperties(properties: Properties, select?: readonly string[]): Properties {
  const copy: Record<string, Properties[string]> = {};
  for (const name of select ?? Object.keys(properties)) {
    const value = properties[name];
    if (value !== undefined) copy[name] = value instanceof Uint8Array ? new Uint8Array(value) : value;
  }
  return copy;
}
