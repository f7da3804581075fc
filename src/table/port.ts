// The narrow port through which everything is stored: one Azure table, or something with its exact semantics.
//
// Promise: an implementation translates. It neither decides, nor retries writes, nor logs. A write whose outcome is not
// certain is thrown as a TableFailure with effect `unknown`; a refusal by the service is a value.

/** The values that a property may hold: Edm.String, Edm.Int64, Edm.Boolean, Edm.Binary. */
export type Value = string | bigint | boolean | Uint8Array;
export type Properties = Readonly<Record<string, Value>>;

export interface Row {
  readonly partition: string;
  readonly row: string;
  readonly etag: string;
  /** The service's time of the last write of this row, milliseconds since 1970. */
  readonly writtenAt: number;
  readonly properties: Properties;
}

/** One operation of a submit; all of one submit are in the same partition. */
export type Write =
  /** Refused `exists` when the row is there. */
  | { readonly kind: "insert"; readonly row: string; readonly properties: Properties }
  /** Replaces the whole row. Refused `changed` when its ETag is another, `missing` when it is not there. */
  | { readonly kind: "replace"; readonly row: string; readonly properties: Properties; readonly ifMatch: string }
  /** Inserts or replaces, whatever is there. */
  | { readonly kind: "upsert"; readonly row: string; readonly properties: Properties }
  /** Refused `changed` or `missing` as replace is. */
  | { readonly kind: "delete"; readonly row: string; readonly ifMatch: string };

export type Refusal = "exists" | "changed" | "missing" | "table_missing";

export type SubmitResult =
  /** ETags by the index of their write; undefined for a delete. */
  | { readonly kind: "done"; readonly etags: readonly (string | undefined)[]; readonly serviceTime: number }
  /** Nothing of this request was written; `index` is the write that was refused. */
  | { readonly kind: "refused"; readonly reason: Refusal; readonly index: number; readonly serviceTime: number };

export interface GetResult {
  /** Undefined when there is no such row, or no such table. */
  readonly row: Row | undefined;
  /** The `Date` of the answer, milliseconds since 1970 (whole seconds). */
  readonly serviceTime: number;
}

/** Rows of one partition whose keys are within both bounds, inclusive, ordinal order. */
export interface KeyRange {
  readonly partition: string;
  readonly from: string;
  readonly to: string;
}

export interface Page {
  readonly rows: readonly Row[];
  /** Absent means the end, and only that does: a page may be short or empty and still have one. */
  readonly continuation: string | undefined;
  readonly serviceTime: number;
}

export interface ReadOptions {
  /** Only these properties. Keys, ETag and time always come. */
  readonly select?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface QueryOptions extends ReadOptions {
  /** At most this many rows in the page, 1 to 1,000. */
  readonly top?: number | undefined;
  readonly continuation?: string | undefined;
}

export interface Table {
  get(partition: string, row: string, options?: ReadOptions): Promise<GetResult>;
  /** One page. A table that does not exist is an empty one. */
  query(range: KeyRange, options?: QueryOptions): Promise<Page>;
  /** All or nothing: 1 to 100 writes of different rows in one partition, 4 MiB. Sizes are checked before sending. */
  submit(
    partition: string,
    writes: readonly Write[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<SubmitResult>;
  /** Creates the table unless it exists. */
  create(): Promise<void>;
  /** Removes the table with all its rows, unless there is none. Its name stays unusable for a while. */
  remove(): Promise<void>;
}

/** The tables of one storage account: one for each store, one for the whole deployment. */
export interface TableAccount {
  /** `name`: 3 to 63 letters and digits, a letter first. Does no request. */
  table(name: string): Table;
  /** The names of the tables that there are between the two, both exclusive, in order. Asked for page by page. */
  tableNames(after: string, before: string): AsyncIterable<string>;
}

/**
 * The partition keys of a table, each once, in order, whoever points at them: for tools, as it reads every row's keys.
 */
export type PartitionScan = (table: string) => AsyncIterable<string>;

/**
 * `throttled`: the service asks for less (429, 503 ServerBusy). `unavailable`: 5xx, connection, name or TLS trouble.
 * `timeout`: no answer in time. `denied`: 401, 403. `too_large`: refused before sending, or by the service (413).
 * `rejected`: any other 4xx: a mistake of ours. `aborted`: the caller's signal.
 */
export type TableFailureKind =
  "throttled" | "unavailable" | "timeout" | "denied" | "too_large" | "rejected" | "aborted";

export class TableFailure extends Error {
  override readonly name: string = "TableFailure";
  readonly kind: TableFailureKind;
  /** Whether a write may have happened, or may still happen. Reads have no effect. */
  readonly effect: "none" | "unknown";
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: TableFailureKind,
    message: string,
    options: {
      readonly effect: "none" | "unknown";
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.effect = options.effect;
    this.retryAfterMs = options.retryAfterMs;
  }
}
