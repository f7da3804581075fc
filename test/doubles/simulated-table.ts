// The table port in memory: the service's exact semantics (`simulated-service.ts`) behind requests whose fault a plan
// decides (`fault.ts`). What the simulation, and every test that needs a table, runs on.
//
// Promise: what the caller hears never stops what is on its way: a request that was given up may still land. Without a
// plan requests are answered in microtasks, in the order they were made.

import type { Clock } from "../../src/core/clock.ts";
import { aborted } from "../../src/table/classify.ts";
import { simulate, type Failure, type Fault } from "./fault.ts";
import {
  TableFailure,
  type GetResult,
  type KeyRange,
  type Page,
  type QueryOptions,
  type ReadOptions,
} from "../../src/table/port.ts";
import type { Row, SubmitResult, Table, TableAccount, Write } from "../../src/table/port.ts";
import { ownWrites, SimulatedService, type EffectiveWrite, type Snapshot } from "./simulated-service.ts";
import { checkKey, checkSubmit, checkTableName, checkTop } from "../../src/table/sizes.ts";

/** What a plan sees of a request. */
export type SimulatedRequest = {
  /** 1, 2, 3 ... over all clients of the account. */
  readonly number: number;
  /** The caller: the name given to `connect`. */
  readonly client: string;
  readonly table: string;
} & (
  | { readonly kind: "get"; readonly partition: string; readonly row: string }
  | { readonly kind: "query"; readonly partition: string; readonly range: KeyRange; readonly options: QueryOptions }
  | { readonly kind: "submit"; readonly partition: string; readonly writes: readonly Write[] }
  | { readonly kind: "create" }
  /** All partitions: none is named. */
  | { readonly kind: "remove"; readonly partition: "" }
);

/** Called once for each request, when it is made. Undefined: answered in microtasks. */
export type FaultPlan = (request: SimulatedRequest) => Fault | undefined;

export interface SimulatedAccountOptions {
  /** The service's clock: of Timestamp and Date, and of the waits of faults. */
  readonly clock: Clock;
  readonly plan?: FaultPlan;
}

/** One instance's connection to the account. */
export interface SimulatedClient extends TableAccount {
  /** The instance dies: what it has sent may land, it hears nothing any more, what it sends now never leaves. */
  crash(): void;
}

export class SimulatedAccount implements TableAccount {
  readonly #clock: Clock;
  readonly #service: SimulatedService;
  readonly #own: TableAccount;
  #plan: FaultPlan;
  #requests = 0;

  constructor(options: SimulatedAccountOptions) {
    this.#clock = options.clock;
    this.#plan = options.plan ?? (() => undefined);
    this.#service = new SimulatedService(options.clock);
    this.#own = this.connect("");
  }

  table(name: string): Table {
    return this.#own.table(name);
  }

  tableNames(after: string, before: string): AsyncIterable<string> {
    return this.#own.tableNames(after, before);
  }

  connect(client: string): SimulatedClient {
    let alive = true;
    const service = this.#service;
    const connection: Connection = {
      service,
      send: (request, arrive, signal) => {
        if (!alive) return new Promise(() => undefined);
        this.#requests += 1;
        const known: SimulatedRequest = { ...request, number: this.#requests, client };
        const fault = this.#plan(known);
        const write = request.kind !== "get" && request.kind !== "query";
        const fail = (failure: Failure): TableFailure => failureOf(failure, write);
        const answer = simulate({
          clock: this.#clock,
          fault,
          arrive: () => arrive(known, fault?.rowsMax),
          fail,
          listens: () => alive,
        });
        return signal === undefined ? answer : untilAborted(answer, signal, write);
      },
    };
    return {
      table: (name) => {
        checkTableName(name);
        return new SimulatedTable(connection, name);
      },
      tableNames: async function* (after, before) {
        // The service has them as rows of a table.
        const range: KeyRange = { partition: "", from: after, to: before };
        yield* await connection.send(
          { kind: "query", table: "Tables", partition: "", range, options: {} },
          () => service.tables().filter((name) => name > after.toLowerCase() && name < before.toLowerCase()),
          undefined,
        );
      },
      crash: () => {
        alive = false;
      },
    };
  }

  /** From now on; without one nothing fails. */
  follow(plan: FaultPlan | undefined): void {
    this.#plan = plan ?? (() => undefined);
  }

  /** How many requests were made. */
  get requests(): number {
    return this.#requests;
  }

  /** Called while a submit takes effect, for each that does. Returns how to stop. */
  observe(observer: (write: EffectiveWrite) => void): () => void {
    return this.#service.observe(observer);
  }

  /** Names (in lower case) of the tables there are. */
  tables(): readonly string[] {
    return this.#service.tables();
  }

  /** All rows of a table by (partition, row), at once and without a request. The service's own: do not change them. */
  rows(table: string): readonly Row[] {
    return this.#service.rows(table);
  }

  /** What the account holds now; with `restore` it goes back there. */
  snapshot(): Snapshot {
    return this.#service.snapshot();
  }

  restore(snapshot: Snapshot): void {
    this.#service.restore(snapshot);
  }

  /** A table with the rows that an earlier account's `rows` gave. */
  load(table: string, rows: readonly Row[]): void {
    this.#service.load(table, rows);
  }

  /** Deletes a table; for so long its name is unusable, as in the service. */
  deleteTable(table: string, beingDeletedMs = 0): void {
    this.#service.delete(table, beingDeletedMs);
  }
}

/** Without what the account adds to it. */
type Unnumbered<T> = T extends unknown ? Omit<T, "number" | "client"> : never;

interface Connection {
  readonly service: SimulatedService;
  readonly send: <T>(
    request: Unnumbered<SimulatedRequest>,
    arrive: (request: SimulatedRequest, rowsMax: number | undefined) => T,
    signal: AbortSignal | undefined,
  ) => Promise<T>;
}

class SimulatedTable implements Table {
  readonly #connection: Connection;
  readonly #name: string;

  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  async get(partition: string, row: string, options: ReadOptions = {}): Promise<GetResult> {
    checkKey("PartitionKey", partition);
    checkKey("RowKey", row);
    refuseAborted(options.signal);
    const { service, send } = this.#connection;
    const table = this.#name;
    return send(
      { kind: "get", table, partition, row },
      () => service.get(table, partition, row, options.select),
      options.signal,
    );
  }

  async query(range: KeyRange, options: QueryOptions = {}): Promise<Page> {
    checkKey("PartitionKey", range.partition);
    checkKey("RowKey", range.from);
    checkKey("RowKey", range.to);
    checkTop(options.top);
    refuseAborted(options.signal);
    const { service, send } = this.#connection;
    const table = this.#name;
    return send(
      { kind: "query", table, partition: range.partition, range, options },
      (_, rowsMax) => service.query(table, range, options, rowsMax),
      options.signal,
    );
  }

  async submit(
    partition: string,
    writes: readonly Write[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<SubmitResult> {
    checkSubmit(partition, writes);
    refuseAborted(options.signal);
    const { service, send } = this.#connection;
    const table = this.#name;
    const own = ownWrites(writes);
    return send(
      { kind: "submit", table, partition, writes: own },
      (request) => service.submit(table, partition, own, request),
      options.signal,
    );
  }

  async create(): Promise<void> {
    const { service, send } = this.#connection;
    const table = this.#name;
    return send({ kind: "create", table }, () => service.create(table), undefined);
  }

  async remove(): Promise<void> {
    const { service, send } = this.#connection;
    const table = this.#name;
    return send({ kind: "remove", table, partition: "" }, () => service.delete(table, 0), undefined);
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted("none", signal.reason);
}

function untilAborted<T>(answer: Promise<T>, signal: AbortSignal, write: boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(aborted(write ? "unknown" : "none", signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    void answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function failureOf({ kind, effect, retryAfterMs }: Failure, write: boolean): TableFailure {
  const told = kind === "denied" || kind === "rejected" ? "none" : "unknown";
  return new TableFailure(kind, `The simulated table fails: ${kind}.`, {
    effect: write ? (effect ?? told) : "none",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
