// The services that handlers work with. Built once, by the composition root or by a test.

import type { Clock, Random } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Telemetry } from "../core/telemetry.ts";
import type { SpaceName, StoreId } from "../core/ids.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Schedule } from "../jobs/schedule.ts";
import type { Consumers } from "../consumers/consumers.ts";
import type { Leases } from "../lease/leases.ts";
import type { Subscriptions } from "../notify/subscriptions.ts";
import type { MonitorRun } from "../store/monitor-run.ts";
import type { Retention } from "../retention/retention.ts";
import type { StoreCatalog } from "../store/catalog.ts";
import type { StoreFactory } from "../store/store.ts";
import type { ReadLinkKeys } from "../wire/read-link.ts";
import type { Access } from "./access.ts";
import type { Origins } from "./every-answer.ts";
import type { SpaceWatches } from "./space-watch.ts";
import type { BodyTimes } from "./body.ts";
import type { LivePlaces } from "./live-place.ts";
import type { Budget } from "./overload.ts";

export interface ServerOptions {
  /** A live stream is ended by the server after this long: below functionTimeout and what proxies allow. */
  readonly streamMs: number;
  /** A live stream says something at least this often. */
  readonly heartbeatMs: number;
}

/** Where the streams of the short path are. */
export interface DefaultStreams {
  readonly store: StoreId;
  readonly space: SpaceName;
}

export interface Services {
  readonly stores: StoreFactory;
  readonly catalog: StoreCatalog;
  /** The leases of one store. Makes no request. */
  leases(store: StoreId): Leases;
  /** The consumers of one store. Makes no request. */
  consumers(store: StoreId): Consumers;
  readonly subscriptions: Subscriptions;
  readonly access: Access;
  /** The secrets that links for reading are signed by; none: no link is good. */
  readonly readLinkKeys: ReadLinkKeys;
  /** Whether a cache may give one caller's answer of a stream to others. */
  readonly sharesStreams: boolean;
  /** How callers are known, for the description. */
  readonly accessKind: "key" | "jwt" | "none";
  /** Undefined: there are none under the short path. */
  readonly defaultStreams?: DefaultStreams | undefined;
  /** The origins whose pages may call from a browser. */
  readonly origins: Origins;
  readonly watches: SpaceWatches;
  /** Bytes that requests hold in memory: of their bodies, and of large answers until they have left. */
  readonly bodies: Budget;
  /** How long a caller may take to send a body. */
  readonly bodyTimes: BodyTimes;
  /** Streamed and waiting answers. */
  readonly streams: Budget;
  /** The places of live readers that wait for news. */
  readonly livePlaces: LivePlaces;
  readonly clock: Clock;
  /** The storage's time: what a caller or another machine has a time for is judged by it. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly options: ServerOptions;
  /** Aborts when this instance is about to stop: live streams then end, and their callers go on at another. */
  readonly stopping: AbortSignal;
  /** Writes to the storage and reads from it; rejects with the StoreError that says why it cannot. */
  probe(): Promise<void>;
  readonly jobs: Jobs;
  readonly schedule: Pick<Schedule, "put">;
  readonly retention: Retention;
  /** How the last run of the monitor went; undefined: none has ended yet, or nothing here needs one. One point read. */
  lastMonitorRun(): Promise<MonitorRun | undefined>;
}
