// The table port on Azure Table Storage: each call is one request, made by hand (see `batch.ts` for why) and sent
// through the SDK client's pipeline.
//
// Promise: a write is sent once and never again: what its answer does not tell, the caller finds out.

import {
  batchRequest,
  jsonHeaders,
  parseBatchAnswer,
  readHeaders,
  writeRequest,
  type AnswerPart,
  type WireRequest,
} from "./batch.ts";
import * as classify from "./classify.ts";
import type { StorageConnection } from "./connection.ts";
import { isObject, keyPath, literal, parseJson, parseRow } from "./odata.ts";
import type {
  GetResult,
  KeyRange,
  Page,
  PartitionScan,
  QueryOptions,
  ReadOptions,
  Row,
  SubmitResult,
  Table,
  TableAccount,
  Write,
} from "./port.ts";
import { checkKey, checkSubmit, checkTableName, checkTop } from "./sizes.ts";
import { errorOf, Transport, type Answer, type TableAccountOptions } from "./transport.ts";

export function createTableAccount(connection: StorageConnection, options: TableAccountOptions): TableAccount {
  const transport = new Transport(connection, options);
  return {
    table: (name) => {
      checkTableName(name);
      return new SdkTable(transport, name);
    },
    tableNames: (after, before) => tableNames(transport, after, before),
  };
}

async function* tableNames(transport: Transport, after: string, before: string): AsyncGenerator<string> {
  const filter = `TableName gt ${literal(after)} and TableName lt ${literal(before)}`;
  let next: string | undefined;
  do {
    const query = queryString([
      ["$filter", filter],
      ["NextTableName", next],
    ]);
    const answer = await transport.read(readRequest(`Tables${query}`), undefined);
    if (answer.status !== 200) {
      throwUnlessMissing(answer);
      return;
    }
    yield* textsOf(answer.body, "TableName");
    next = answer.header("x-ms-continuation-nexttablename");
  } while (next !== undefined);
}

/** Reads the keys of all rows, page by page. A table that does not exist is an empty one. */
export function createPartitionScan(connection: StorageConnection, options: TableAccountOptions): PartitionScan {
  const transport = new Transport(connection, options);
  return async function* (name) {
    checkTableName(name);
    let last: string | undefined;
    let continuation: string | undefined;
    do {
      const [nextPartition, nextRow] = continuation === undefined ? [] : parseContinuation(continuation);
      const query = queryString([
        ["$select", "PartitionKey"],
        ["NextPartitionKey", nextPartition],
        ["NextRowKey", nextRow],
      ]);
      const answer = await transport.read(readRequest(`${name}()${query}`), undefined);
      if (answer.status !== 200) {
        throwUnlessMissing(answer);
        return;
      }
      for (const partition of textsOf(answer.body, "PartitionKey")) {
        if (partition !== last) yield partition;
        last = partition;
      }
      continuation = continuationOf(answer);
    } while (continuation !== undefined);
  };
}

class SdkTable implements Table {
  readonly #transport: Transport;
  readonly #name: string;

  constructor(transport: Transport, name: string) {
    this.#transport = transport;
    this.#name = name;
  }

  async get(partition: string, row: string, options: ReadOptions = {}): Promise<GetResult> {
    checkKey("PartitionKey", partition);
    checkKey("RowKey", row);
    const query = queryString([["$select", selected(options.select)]]);
    const request = readRequest(`${this.#name}${keyPath(partition, row)}${query}`);
    const answer = await this.#transport.read(request, options.signal);
    const { serviceTime } = answer;
    if (answer.status !== 200) {
      throwUnlessMissing(answer);
      return { row: undefined, serviceTime };
    }
    const found = parseRow(parseJson(answer.body), answer.header("etag"));
    if (found === undefined) throw classify.unreadableAnswer("no entity", "read");
    return { row: found, serviceTime };
  }

  async query(range: KeyRange, options: QueryOptions = {}): Promise<Page> {
    const { partition, from, to } = range;
    checkKey("PartitionKey", partition);
    checkKey("RowKey", from);
    checkKey("RowKey", to);
    checkTop(options.top);
    const [nextPartition, nextRow] = options.continuation === undefined ? [] : parseContinuation(options.continuation);
    const query = queryString([
      ["$filter", `PartitionKey eq ${literal(partition)} and RowKey ge ${literal(from)} and RowKey le ${literal(to)}`],
      ["$select", selected(options.select)],
      ["$top", options.top?.toString()],
      ["NextPartitionKey", nextPartition],
      ["NextRowKey", nextRow],
    ]);
    const answer = await this.#transport.read(readRequest(`${this.#name}()${query}`), options.signal);
    const { serviceTime } = answer;
    if (answer.status !== 200) {
      throwUnlessMissing(answer);
      return { rows: [], continuation: undefined, serviceTime };
    }
    return { rows: parseRows(answer.body), continuation: continuationOf(answer), serviceTime };
  }

  async submit(
    partition: string,
    writes: readonly Write[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<SubmitResult> {
    checkSubmit(partition, writes);
    const [first] = writes;
    const alone = writes.length === 1 ? first : undefined;
    if (alone === undefined) return this.#submitBatch(partition, writes, options.signal);
    const answer = await this.#transport.send(writeRequest(this.#name, partition, alone), "write", options.signal);
    const parts = [{ status: answer.status, etag: answer.header("etag"), body: answer.body }];
    return resultOf(answer, parts, writes);
  }

  async create(): Promise<void> {
    const request: WireRequest = {
      method: "POST",
      path: "Tables",
      headers: jsonHeaders,
      body: JSON.stringify({ TableName: this.#name }),
    };
    const answer = await this.#transport.send(request, "write", undefined);
    if (isSuccess(answer.status)) return;
    const verdict = classify.classifyAnswer(errorOf(answer), "write");
    if (verdict.kind === "failed") throw verdict.failure;
    if (verdict.kind === "refused") throw classify.unreadableAnswer("a refused table", "write");
  }

  async remove(): Promise<void> {
    const request: WireRequest = { method: "DELETE", path: `Tables('${this.#name}')`, headers: readHeaders };
    const answer = await this.#transport.send(request, "write", undefined);
    if (isSuccess(answer.status) || classify.isBeingDeleted(answer)) return;
    const verdict = classify.classifyAnswer(errorOf(answer), "write");
    if (verdict.kind === "failed") throw verdict.failure;
    const isGone = verdict.kind === "refused" && (verdict.reason === "missing" || verdict.reason === "table_missing");
    if (!isGone) throw classify.unreadableAnswer("a refused removal of a table", "write");
  }

  async #submitBatch(
    partition: string,
    writes: readonly Write[],
    signal: AbortSignal | undefined,
  ): Promise<SubmitResult> {
    const request = batchRequest(this.#transport.endpoint, this.#name, partition, writes, this.#transport.uuid());
    const answer = await this.#transport.send(request, "write", signal);
    // An error of the whole request (credentials, size, throttling) is answered as for a single operation.
    if (!isSuccess(answer.status)) {
      return resultOf(answer, [{ status: answer.status, etag: undefined, body: answer.body }], writes);
    }
    return resultOf(answer, parseBatchAnswer(answer.body), writes);
  }
}

function readRequest(path: string): WireRequest {
  return { method: "GET", path, headers: readHeaders };
}

function queryString(parameters: readonly (readonly [name: string, value: string | undefined])[]): string {
  const given = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

function selected(names: readonly string[] | undefined): string | undefined {
  return names === undefined ? undefined : ["PartitionKey", "RowKey", "Timestamp", ...names].join(",");
}

function throwUnlessMissing(answer: Answer): void {
  if (isSuccess(answer.status)) throw classify.unreadableAnswer(`status ${answer.status}`, "read");
  const verdict = classify.classifyAnswer(errorOf(answer), "read");
  if (verdict.kind === "failed") throw verdict.failure;
  const missing = verdict.kind === "refused" && (verdict.reason === "missing" || verdict.reason === "table_missing");
  if (!missing) throw classify.unreadableAnswer("a refused read", "read");
}

function parseRows(body: string): readonly Row[] {
  return parseEntities(body).map((entity) => {
    const row = parseRow(entity);
    if (row === undefined) throw classify.unreadableAnswer("a page with something else than entities", "read");
    return row;
  });
}

function textsOf(body: string, member: "PartitionKey" | "TableName"): readonly string[] {
  return parseEntities(body).map((entity) => {
    const text = isObject(entity) ? entity[member] : undefined;
    if (typeof text !== "string") throw classify.unreadableAnswer(`an entity without its ${member}`, "read");
    return text;
  });
}

function parseEntities(body: string): readonly unknown[] {
  const json = parseJson(body);
  const value = isObject(json) ? json["value"] : undefined;
  if (!Array.isArray(value)) throw classify.unreadableAnswer("no entities", "read");
  return value;
}

/** Both keys of the service's continuation, of which the second may be absent, as one string. */
function continuationOf(answer: Answer): string | undefined {
  const partition = answer.header("x-ms-continuation-nextpartitionkey");
  const row = answer.header("x-ms-continuation-nextrowkey");
  if (partition === undefined && row === undefined) return undefined;
  return JSON.stringify([partition ?? null, row ?? null]);
}

function parseContinuation(continuation: string): readonly [string | undefined, string | undefined] {
  const keys = parseJson(continuation);
  if (!Array.isArray(keys)) throw classify.unreadableAnswer("a continuation that no page gave", "read");
  const [partition, row] = keys as readonly unknown[];
  return [typeof partition === "string" ? partition : undefined, typeof row === "string" ? row : undefined];
}

/**
 * Reads the outcome of the writes from the parts of an answer: all done, or which one was refused. Throws the others.
 */
function resultOf(answer: Answer, parts: readonly AnswerPart[], writes: readonly Write[]): SubmitResult {
  const { serviceTime } = answer;
  const failed = parts.find((part) => !isSuccess(part.status));
  if (failed !== undefined) {
    const verdict = classify.classifyAnswer({ ...errorOf(answer, failed.body), status: failed.status }, "write");
    if (verdict.kind === "failed") throw verdict.failure;
    if (verdict.kind === "table_exists") throw classify.unreadableAnswer("a table where rows were asked for", "write");
    // A missing table fails the first operation; one operation alone has no index.
    const index = verdict.index ?? (writes.length === 1 || verdict.reason === "table_missing" ? 0 : undefined);
    if (index === undefined || index >= writes.length) {
      throw classify.unreadableAnswer("a refusal of no operation", "write");
    }
    return { kind: "refused", reason: verdict.reason, index, serviceTime };
  }
  if (parts.length !== writes.length) {
    throw classify.unreadableAnswer(`${parts.length} parts for ${writes.length} operations`, "write");
  }
  const etags = writes.map((write, index) => {
    if (write.kind === "delete") return undefined;
    const etag = parts[index]?.etag;
    if (etag === undefined) throw classify.unreadableAnswer("a write without an ETag", "write");
    return etag;
  });
  return { kind: "done", etags, serviceTime };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
