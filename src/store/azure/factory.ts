// Makes the stores of one storage account: the only entry to this backend.

import { LRUCache } from "lru-cache";

import type { Clock, Random } from "../../core/clock.ts";
import type { SpaceName, StoreId } from "../../core/ids.ts";
import { parseNodeId } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { silentTelemetry } from "../../core/telemetry.ts";
import type { Telemetry } from "../../core/telemetry.ts";
import type { Compressor } from "../../codec/block.ts";
import type { Table, TableAccount } from "../../table/port.ts";
import type { Memory } from "../work.ts";
import { unboundedMemory } from "../work.ts";
import type { StatusNotifier } from "../notifier.ts";
import type { Compactions, Removals, Store, StoreFactory } from "../store.ts";
import { createStore } from "../create-store.ts";
import { AzureBackend } from "./azure-backend.ts";
import { registryTableName, storeTableName } from "./rows/keys.ts";
import { LogReader } from "./log/log-reader.ts";
import type { RemovalDeps } from "./delete/remove.ts";
import { removeSpace, removeStore } from "./delete/remove.ts";
import { isDeleted } from "./instance/failure.ts";
import { heldTable } from "./instance/held-table.ts";
import { StoreStanding } from "./instance/standing.ts";
import type { AzureStoreSettings } from "./instance/options.ts";
import { resolveOptions } from "./instance/options.ts";
import { compactLog, logCompactsAgainAt } from "./monitor/compact-log.ts";
import type { MonitorDeps, MonitorOptions, MonitorReport } from "./monitor/monitor.ts";
import { Monitor } from "./monitor/monitor.ts";
import { SegmentCache } from "./instance/segment-cache.ts";
import { Semaphore } from "./instance/semaphore.ts";
import type { Instance } from "./space/instance.ts";
import { SpaceWriters } from "./space/space-writer.ts";

export interface AzureStoreDeps {
  readonly account: TableAccount;
  /** Undefined: nobody is told of changed statuses. */
  readonly notifier: StatusNotifier | undefined;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Absent: nothing is measured. */
  readonly telemetry?: Telemetry;
  readonly options?: AzureStoreSettings;
  /**
   * Called for each open log that the monitor visits, and must have succeeded before it is closed. Absent: nobody is
   * interested.
   */
  readonly visited?: (store: StoreId, space: SpaceName) => Promise<void>;
  /**
   * Called before the monitor closes a log of which rows are to be merged again at a time, and must have succeeded.
   * Absent: they wait until the log is written again.
   */
  readonly compactsAgain?: (store: StoreId, space: SpaceName, at: number) => Promise<void>;
  /** The memory that one read of a store may hold. Absent: as much as it likes. */
  readonly openMemory?: (store: StoreId) => Memory;
}

export interface AzureStoreFactory extends StoreFactory, Removals, Compactions {
  /** The table of a store, for what is kept in it beside the events: as long as the store is there. Does no request. */
  table(id: StoreId): Table;
  /** One run of the monitor over all stores of the deployment: what the timer function calls. */
  recover(options: MonitorOptions): Promise<MonitorReport>;
}

/** Store objects kept: they hold nothing but a name and a count. */
const storesMax = 1_000;
/** Transactions that the segments in memory remember, on average: some hundred bytes each. */
const placesPerSegment = 8;
/**
 * An apply that takes longer than the storage usually does goes on beside the others, milliseconds: so many segments
 * may stop answering in one moment without holding up the next. Each is one connection.
 */
const applyPermitMs = 100;
const appliesBesideMax = 512;
/** Notifications sent at the same time. */
const notificationsMax = 16;

/** Errors: `invalid_argument` for an option that cannot be. Does no request. */
export function createAzureStoreFactory(deps: AzureStoreDeps): AzureStoreFactory {
  const { account, clock, compressor, logger, notifier, random, telemetry = silentTelemetry } = deps;
  const options = resolveOptions(deps.options);
  const { segmentCacheMax: segmentsMax } = options;
  const registry = account.table(registryTableName(options.tablePrefix));
  const standings = new LRUCache<StoreId, StoreStanding>({ max: storesMax });
  const standing = (id: StoreId): StoreStanding => {
    const known = standings.get(id) ?? new StoreStanding(id, { registry, table: table(id), clock, options });
    standings.set(id, known);
    return known;
  };
  const table = (id: StoreId): Table => account.table(storeTableName(options.tablePrefix, id));
  const instance: Instance = {
    compressor,
    clock,
    random,
    logger,
    telemetry,
    notifier,
    options,
    node: parseNodeId(random.uuid()),
    registry,
    standing,
    views: new SegmentCache({
      segmentsMax,
      weight: { max: segmentsMax * placesPerSegment, of: (view) => view.weight },
    }),
    heads: new SegmentCache({ segmentsMax }),
    workers: new Semaphore(options.applyWorkers, {
      ...{ clock, permitMs: applyPermitMs, besideMax: appliesBesideMax },
    }),
    notifications: new Semaphore(notificationsMax),
    openMemory: deps.openMemory ?? (() => unboundedMemory),
  };
  const writers = new SpaceWriters(instance);
  const stores = new LRUCache<StoreId, Store>({ max: storesMax });
  const monitorDeps: MonitorDeps = {
    registry,
    table: (id) => heldTable(table(id), standing(id)),
    standing,
    reader: (store, space) => new LogReader(table(store), space, compressor),
    writer: (store, space) => writers.get(store, space, table(store)),
    compressor,
    options,
    visited: deps.visited,
    compactsAgain: deps.compactsAgain,
    notifies: notifier !== undefined,
    clock,
    random,
    logger,
    telemetry,
  };
  const monitor = new Monitor(monitorDeps);
  const removal = (id: StoreId): RemovalDeps => ({ registry, table: table(id), compressor, options });
  return {
    open: (id) => {
      const known = stores.get(id);
      if (known !== undefined) return known;
      const backend = new AzureBackend(id, instance, table(id), writers, () => {
        if (stores.peek(id) === store) stores.delete(id);
      });
      const store: Store = createStore(id, backend, random);
      stores.set(id, store);
      return store;
    },
    table: (id) => heldTable(table(id), standing(id)),
    recover: (monitorOptions) => monitor.run(monitorOptions),
    compactSpace: async (id, space, { isOver }) => {
      try {
        await standing(id).check(space);
        if ((await compactLog(monitorDeps, id, space, isOver)) === "more") return { state: "more" };
        return { state: "done", againAt: await logCompactsAgainAt(monitorDeps, id, space) };
      } catch (error) {
        if (isDeleted(error)) return { state: "done", againAt: undefined };
        throw error;
      }
    },
    removeSpace: (id, space, turn) => removeSpace(removal(id), space, turn),
    removeStore: (id, turn) => removeStore(removal(id), id, turn),
    close: async () => {
      const open = [...stores.values()];
      stores.clear();
      await Promise.all(open.map((store) => store.close()));
      // Includes the writers that the monitor opened, of stores that nobody asked for.
      writers.closeAll();
    },
  };
}
