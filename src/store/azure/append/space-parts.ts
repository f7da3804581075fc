// What the writer of one space is made of; each part has one concern and is described in its own file.

import type { Clock, Random } from "../../../core/clock.ts";
import type { NodeId, SpaceName, StoreId } from "../../../core/ids.ts";
import type { Logger } from "../../../core/logger.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { Table } from "../../../table/port.ts";
import type { Memory } from "../../memory.ts";
import type { StatusNotifier } from "../../notifier.ts";
import type { Applier } from "../apply/applier.ts";
import type { DoneList } from "./done-list.ts";
import type { PhysicalHead } from "../apply/segment-queue.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { LogState } from "./log-state.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { AppendQueue } from "./queue.ts";
import type { Registration } from "../log/registration.ts";
import type { SegmentCache } from "../instance/segment-cache.ts";
import type { SegmentView } from "./segment-view.ts";
import type { Semaphore } from "../instance/semaphore.ts";
import type { ServiceClock } from "../../../table/service-clock.ts";
import type { WriterTurns } from "./turns.ts";
import type { ViewLoader } from "./view-loader.ts";

/** What all spaces of an instance share. */
export interface InstanceParts {
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly node: NodeId;
  readonly options: AzureStoreOptions;
  readonly notifier: StatusNotifier | undefined;
  readonly registry: Table;
  /** Segments as of their logs' versions, and their heads as they are stored. */
  readonly views: SegmentCache<SegmentView>;
  readonly heads: SegmentCache<PhysicalHead>;
  /** Segments applied, and notifications sent, at the same time. */
  readonly workers: Semaphore;
  readonly notifications: Semaphore;
  /** What one read of a store holds in memory. */
  readonly openMemory: (store: StoreId) => Memory;
}

export interface SpaceParts extends InstanceParts {
  readonly store: StoreId;
  readonly space: SpaceName;
  readonly table: Table;
  readonly reader: LogReader;
  readonly state: LogState;
  readonly queue: AppendQueue;
  readonly loader: ViewLoader;
  readonly applier: Applier;
  readonly registration: Registration;
  readonly serviceClock: ServiceClock;
  readonly turns: WriterTurns;
  readonly done: DoneList;
  /** Whether records are to be notified. */
  readonly notifies: boolean;
}
