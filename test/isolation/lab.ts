// A store under a steady load in virtual time, with one thing in it that fails: what do its neighbours feel?
//
// Promise: every request of a produce takes 8 ms and every load is open: it does not slow down with its answers. So
// latencies are those of the protocol alone, and the same in every run of a seed.

import type { Clock, Random } from "../../src/core/clock.ts";
import type { AppendRecord } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Effect } from "../../src/core/errors.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseTransactionId } from "../../src/core/ids.ts";
import type { Logger } from "../../src/core/logger.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { Telemetry } from "../../src/core/telemetry.ts";
import { silentTelemetry } from "../../src/core/telemetry.ts";
import { plainCompressor } from "../../src/codec/block.ts";
import type { AzureStoreFactory } from "../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import type { FsckReport, RepairMode } from "../../src/store/azure/fsck/fsck.ts";
import { fsck } from "../../src/store/azure/fsck/fsck.ts";
import type { AzureStoreSettings } from "../../src/store/azure/instance/options.ts";
import { storeTableName } from "../../src/store/azure/rows/keys.ts";
import type { StatusNotifier } from "../../src/store/notifier.ts";
import type { Store } from "../../src/store/store.ts";
import type { Fault } from "../doubles/fault.ts";
import { faults } from "../doubles/fault.ts";
import type { Table } from "../../src/table/port.ts";
import type { SimulatedClient, SimulatedRequest } from "../doubles/simulated-table.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { Chance } from "../simulation/chance.ts";
import { MachineClock, Timeline } from "../simulation/timeline.ts";

export const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
export const space = parseSpaceName("orders");
export const stuck = parseSegmentName("stuck");
export const neighbours = Array.from({ length: 5 }, (_, index) => parseSegmentName(`neighbour ${index}`));

/** What became of one produce. Times are virtual milliseconds. */
export interface Felt {
  readonly latencyMs: number;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
  /** The code of a store's error. */
  readonly effect: Effect | undefined;
}

export interface Instance {
  readonly store: Store;
  readonly factory: AzureStoreFactory;
  readonly client: SimulatedClient & { readonly name: string };
}

interface InstanceOptions {
  readonly settings?: AzureStoreSettings;
  readonly clock?: Clock;
  readonly notifier?: StatusNotifier;
  readonly logger?: Logger;
  readonly telemetry?: Telemetry;
}

export class Lab {
  readonly timeline = new Timeline();
  /** The service's. */
  readonly clock = new MachineClock(this.timeline);
  readonly account: SimulatedAccount;
  readonly table: Table;
  /** A fault other than the usual one. */
  fault: (request: SimulatedRequest) => Fault | undefined = () => undefined;
  readonly #chance: Chance;
  #instances = 0;

  constructor(seed: string) {
    this.#chance = new Chance(seed);
    const { clock } = this;
    this.account = new SimulatedAccount({ clock, plan: (request) => this.fault(request) ?? faults.answered(4, 4) });
    this.table = this.account.table(storeTableName("streamkit", storeId));
  }

  instance({
    settings = {},
    clock = this.clock,
    notifier,
    logger = silentLogger,
    telemetry = silentTelemetry,
  }: InstanceOptions = {}): Instance {
    this.#instances += 1;
    const random: Random = this.#chance.fork(`instance ${this.#instances}`);
    const name = `instance ${this.#instances}`;
    const client = this.account.connect(name);
    const factory = createAzureStoreFactory({
      account: client,
      notifier,
      compressor: plainCompressor,
      clock,
      random,
      logger,
      telemetry,
      options: settings,
    });
    return { factory, client: { ...client, name }, store: factory.open(storeId) };
  }

  /** One produce each `everyMs` for so long, to the segments in turn, every other one with a key. */
  load(
    store: Store,
    segments: readonly SegmentName[],
    options: { readonly everyMs: number; readonly forMs: number; readonly in?: SpaceName; readonly together?: boolean },
  ): Promise<readonly Felt[]> {
    const felt: Promise<Felt>[] = [];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const endsAt = this.clock.elapsed() + options.forMs;
    const next = (): void => {
      if (this.clock.elapsed() >= endsAt) {
        resolve(undefined);
        return;
      }
      const segment = segments[felt.length % segments.length] ?? stuck;
      const keyed = felt.length % 2 === 0;
      if (options.together === true) felt.push(this.#feel(this.#produceAll(store, segments, keyed)));
      else felt.push(this.#feel(this.#produce(store, options.in ?? space, segment, keyed)));
      this.clock.after(options.everyMs, next);
    };
    next();
    return promise.then(() => Promise.all(felt));
  }

  /** The neighbours' part of a load: 50 produces a second to five segments. */
  neighbours(store: Store, forMs: number): Promise<readonly Felt[]> {
    return this.load(store, neighbours, { everyMs: 20, forMs });
  }

  /** Lets time pass until it is settled; throws when that takes too long. */
  async finish<T>(work: Promise<T>, withinMs = 120_000): Promise<T> {
    const state = { isOver: false };
    const watched = work.finally(() => {
      state.isOver = true;
    });
    watched.catch(() => undefined);
    if (!(await this.timeline.run(() => state.isOver, withinMs))) throw new Error(`Not over after ${withinMs} ms.`);
    return watched;
  }

  pass(ms: number): Promise<unknown> {
    return this.timeline.run(() => false, ms);
  }

  async produce(store: Store, segment: SegmentName, text = "x"): Promise<Felt> {
    return this.finish(this.#feel(this.#produce(store, space, segment, false, text)));
  }

  fsck(repair: RepairMode = "none"): Promise<FsckReport> {
    const { account } = this;
    const names = (table: string): string[] => [...new Set(account.rows(table).map(({ partition }) => partition))];
    const scan = (table: string): AsyncIterable<string> => ReadableStream.from(names(table));
    return this.finish(fsck({ account, scan, compressor: plainCompressor, store: storeId }, repair));
  }

  produceTo(store: Store, of: SpaceName, segment: SegmentName): Promise<number> {
    return this.#produce(store, of, segment, false);
  }

  async #produce(store: Store, of: SpaceName, segment: SegmentName, keyed: boolean, text = "x"): Promise<number> {
    let chunks = 0;
    const produced = store.produce(of, segment, [record(text)], keyed ? this.#key() : {});
    for await (const { transaction } of produced) if (transaction !== undefined) chunks += 1;
    return chunks;
  }

  async #produceAll(store: Store, segments: readonly SegmentName[], keyed: boolean): Promise<number> {
    const all = segments.map((segment) => ({ segment, records: [record("x")] }));
    return (await store.produceAll(space, all, keyed ? this.#key() : {})).length;
  }

  #key(): { readonly transactionId: TransactionId } {
    return { transactionId: parseTransactionId(this.#chance.uuid()) };
  }

  async #feel(work: Promise<unknown>): Promise<Felt> {
    const startedAt = this.clock.elapsed();
    const told = await work.then(
      () => ({ outcome: "ok", effect: undefined }),
      (error: unknown) =>
        error instanceof StoreError
          ? { outcome: error.code, effect: error.effect }
          : { outcome: String(error), effect: undefined },
    );
    return { ...told, latencyMs: this.clock.elapsed() - startedAt };
  }
}

function record(text: string): AppendRecord {
  return { payload: Buffer.from(text), metadata: noMetadata };
}

export interface Feeling {
  readonly count: number;
  /** Outcomes other than ok. */
  readonly failed: readonly string[];
  readonly p50: number;
  readonly p99: number;
}

export function feeling(felt: readonly Felt[]): Feeling {
  const sorted = felt.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const failed = [...new Set(felt.map(({ outcome }) => outcome))].filter((outcome) => outcome !== "ok");
  return { count: felt.length, failed, p50: at(0.5), p99: at(0.99) };
}
