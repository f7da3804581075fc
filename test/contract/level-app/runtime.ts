// The composition root of the app that runs the HTTP functions over LevelDB: it takes the place of src/runtime.ts in a
// build of its own, which is never deployed.
//
// Promise: the function files are the app's own, unchanged; only what keeps the data is another. A test reaches the
// backend's faults through the socket it names in CONTRACT_SOCKET.

import { zstdCompressor } from "../../../src/codec/zstd.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import { createJobs } from "../../../src/jobs/jobs.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import { createConsumers } from "../../../src/consumers/consumers.ts";
import { ConsumersInstance } from "../../../src/consumers/known.ts";
import { createLeases } from "../../../src/lease/leases.ts";
import { createAddressPolicy } from "../../../src/notify/addresses.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { createRetention } from "../../../src/retention/retention.ts";
import { openAccess } from "../../../src/server/access.ts";
import type { HttpParts } from "../../../src/server/functions-http.ts";
import { createLogger } from "../../../src/core/logger.ts";
import { LivePlaces } from "../../../src/server/live-place.ts";
import { Budget } from "../../../src/server/overload.ts";
import { SpaceWatches } from "../../../src/server/space-watch.ts";
import { guardStreams } from "../../../src/server/stream-guard.ts";
import type { StoreFactory } from "../../../src/store/store.ts";
import { systemClock as clock, systemRandom as random } from "../../system.ts";
import { leases as tableOf, openLevelBackend, registry } from "../level-backend.ts";
import { instanceOf, plainId } from "./instances.ts";
import { serveFaults } from "./remote-faults.ts";

const { CONTRACT_FOLDER: folder, CONTRACT_SOCKET: socket } = process.env;
if (folder === undefined || socket === undefined) throw new Error("CONTRACT_FOLDER and CONTRACT_SOCKET must be set.");

const backend = await openLevelBackend({ compressor: zstdCompressor, folder });
await serveFaults(backend.faults, socket);

const stores: StoreFactory = {
  open: (id: StoreId) => backend.store(instanceOf(id), plainId(id)),
  close: () => Promise.resolve(),
};
// What is kept beside the events has no LevelDB side; both instances find it under the plain id.
const table = (store: StoreId) => tableOf(plainId(store));
const logger = createLogger({ level: "error", clock, write: (line) => void process.stdout.write(line) });
const consumers = new ConsumersInstance({ clock, serviceClock: clock, random, logger, telemetry: silentTelemetry });
const guard = guardStreams(clock, 30_000);
const schedule = createSchedule({ registry, clock, serviceClock: clock, logger, telemetry: silentTelemetry });
const jobs = createJobs({ registry, schedule, clock, serviceClock: clock, random, logger });
const streams = new Budget("streams", 1_000);
const parts: HttpParts = {
  guard,
  services: {
    stores,
    catalog: backend.catalog,
    consumers: (store) => createConsumers(consumers, { store: stores.open(store), table: table(store) }),
    leases: (store) => createLeases({ table: table(store), clock, random }),
    subscriptions: createSubscriptions({
      logger,
      table,
      notifies: true,
      serviceClock: new ServiceClock(clock),
      policy: {
        addresses: createAddressPolicy({ loopback: false, networks: [] }),
        queuePrefix: "sub-",
        reservedQueues: [],
      },
      clock,
      random,
      newSecret: () => random.uuid(),
    }),
    access: openAccess(true),
    readLinkKeys: new Map(),
    accessKind: "none",
    sharesStreams: true,
    origins: new Set(),
    watches: new SpaceWatches(clock, random, logger),
    bodies: new Budget("bodies", 256 * 1024 * 1024),
    bodyTimes: { stallMs: 10_000, wholeMs: 120_000 },
    streams,
    livePlaces: new LivePlaces(streams, new Budget("watched spaces", 1_000)),
    clock,
    serviceClock: clock,
    random,
    logger,
    telemetry: silentTelemetry,
    options: { streamMs: 180_000, heartbeatMs: 15_000 },
    stopping: new AbortController().signal,
    probe: () => Promise.resolve(),
    jobs,
    schedule,
    retention: createRetention({ table, schedule, jobs, trims: true, clock, serviceClock: clock, random }),
    lastMonitorRun: () => Promise.resolve(undefined),
  },
};

export const httpParts = (): HttpParts => parts;
export const authLevel = "anonymous";
/** No notifications, so no queue to listen to. */
export const settings = {
  monitorSchedule: "0 0 0 1 1 *",
  notificationsQueue: undefined,
  retriesQueue: undefined,
  origins: new Set<string>(),
};

/** There is never anything left behind. */
export function monitor(): Promise<void> {
  return Promise.resolve();
}

/** There is never a message. */
export function dispatch(): Promise<void> {
  return Promise.resolve();
}

export const stop = (): Promise<void> => Promise.resolve();
