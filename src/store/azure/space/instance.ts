// The parts that all spaces of an instance share: made once, where the backend is wired.

import type { Clock, Random } from "../../../core/clock.ts";
import type { NodeId, StoreId } from "../../../core/ids.ts";
import type { Logger } from "../../../core/logger.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { Table } from "../../../table/port.ts";
import type { Memory } from "../../work.ts";
import type { StatusNotifier } from "../../notifier.ts";
import type { PhysicalHead } from "../apply/segment-queue.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { SegmentCache } from "../instance/segment-cache.ts";
import type { SegmentView } from "../append/log-state.ts";
import type { Semaphore } from "../instance/semaphore.ts";
import type { StoreStanding } from "../instance/standing.ts";

export interface Instance {
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly node: NodeId;
  readonly options: AzureStoreOptions;
  readonly notifier: StatusNotifier | undefined;
  readonly registry: Table;
  /** This instance's knowledge of a store. */
  readonly standing: (store: StoreId) => StoreStanding;
  /** Segments as of their logs' versions, and their heads as they are stored. */
  readonly views: SegmentCache<SegmentView>;
  readonly heads: SegmentCache<PhysicalHead>;
  /** Segments applied, and notifications sent, at the same time. */
  readonly workers: Semaphore;
  readonly notifications: Semaphore;
  /** The memory that one read of a store holds. */
  readonly openMemory: (store: StoreId) => Memory;
}
