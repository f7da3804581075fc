// The HTTP interface without a host: requests go straight to the endpoints, over a LevelDB store of their own.

import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { Clock, Random } from "../../../src/core/clock.ts";
import { createJobs, jobTurns, jobWhat } from "../../../src/jobs/jobs.ts";
import { createSchedule } from "../../../src/jobs/schedule.ts";
import type { DueRun } from "../../../src/jobs/schedule.ts";
import { createConsumers } from "../../../src/consumers/consumers.ts";
import { ConsumersInstance } from "../../../src/consumers/known.ts";
import { createLeases, readLastToken } from "../../../src/lease/leases.ts";
import { createAddressPolicy } from "../../../src/notify/addresses.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import { openAccess } from "../../../src/server/access.ts";
import { consume, consumeSegment, consumeSpace, peek, segmentStatus } from "../../../src/server/consume.ts";
import type { Connection } from "../../../src/server/http.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { createLogger } from "../../../src/core/logger.ts";
import { job, jobs as jobsEndpoint } from "../../../src/server/jobs.ts";
import { leaseAcquire, leaseRelease } from "../../../src/server/leases.ts";
import { liveStatus } from "../../../src/server/live-status.ts";
import { createRetention, retentionJobs, retentionTurns, retentionWhat } from "../../../src/retention/retention.ts";
import { trimWorks } from "../../../src/retention/trim-jobs.ts";
import { streamExpiryTurns, streamExpiryWhat } from "../../../src/retention/stream-expiry.ts";
import {
  deleteSpace,
  deleteStore,
  redact,
  restoreSpace,
  restoreStore,
  trimSegment,
  trimSpace,
} from "../../../src/server/manage.ts";
import { restoreEntries } from "../../../src/server/restore-entries.ts";
import {
  spaceRetentionPut,
  spaceRetentionGet,
  spaceRetentionDelete,
  storeRetentionPut,
  storeRetentionGet,
  storeRetentionDelete,
} from "../../../src/server/retention.ts";
import { storeGet, storePut, stores as storesEndpoint } from "../../../src/server/stores.ts";
import { segments, spaces, spaceStatus } from "../../../src/server/names.ts";
import { LivePlaces } from "../../../src/server/live-place.ts";
import { Budget } from "../../../src/server/overload.ts";
import type { Caller } from "../../../src/server/overload.ts";
import { produce, produceAll } from "../../../src/server/produce.ts";
import { everyAnswer } from "../../../src/server/every-answer.ts";
import type { Endpoint } from "../../../src/server/endpoint.ts";
import { fallback } from "../../../src/server/fallback.ts";
import { consumerFetch } from "../../../src/server/consumer-fetch.ts";
import {
  consumerAck,
  consumerDelete,
  consumerGet,
  consumerNack,
  consumerParked,
  consumerPut,
  consumerReset,
  consumers,
  consumerSettle,
} from "../../../src/server/consumers.ts";
import { health, monitor, openapi } from "../../../src/server/system.ts";
import type { Services } from "../../../src/server/services.ts";
import { SpaceWatches } from "../../../src/server/space-watch.ts";
import {
  subscriptionDelete,
  subscriptionGet,
  subscriptionPut,
  subscriptions,
} from "../../../src/server/subscriptions.ts";
import { LevelDatabase } from "../../doubles/level/database.ts";
import { createLevelCatalog } from "../../doubles/level/catalog.ts";
import { createLevelStoreFactory } from "../../doubles/level/factory.ts";
import { openKeyspace } from "../../doubles/level/keyspace.ts";
import type { Table } from "../../../src/table/port.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { methodsOf } from "../../../src/wire/operation.ts";
import type { Operation } from "../../../src/wire/operation.ts";
import { operations } from "../../../src/wire/operations.ts";

export const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
export const random: Random = { uuid: () => randomUUID(), fraction: () => Math.random() };

/** Holds what others find taken. */
export const someone: Caller = { caller: "someone", store: undefined };

const endpoints: Readonly<Record<string, Endpoint>> = {
  trimSegment,
  trimSpace,
  restoreEntries,
  redact,
  deleteSpace,
  restoreSpace,
  deleteStore,
  restoreStore,
  stores: storesEndpoint,
  storeGet,
  storePut,
  jobs: jobsEndpoint,
  job,
  spaceRetentionPut,
  spaceRetentionGet,
  spaceRetentionDelete,
  storeRetentionPut,
  storeRetentionGet,
  storeRetentionDelete,
  produce,
  produceAll,
  consumeSegment,
  consumeSpace,
  consume,
  peek,
  segmentStatus,
  spaces,
  segments,
  spaceStatus,
  liveStatus,
  leaseAcquire,
  leaseRelease,
  consumerPut,
  consumerGet,
  consumerDelete,
  consumers,
  consumerFetch,
  consumerAck,
  consumerNack,
  consumerReset,
  consumerParked,
  consumerSettle,
  subscriptionPut,
  subscriptionGet,
  subscriptionDelete,
  subscriptions,
  health,
  monitor,
  openapi,
};

/** The members of bodies that tests look into; which are there, a test claims. */
export interface ReplyBody {
  readonly entries: readonly ReplyBody[];
  readonly next: string | number;
  readonly offset: string;
  readonly payload: unknown;
  readonly spaces: readonly string[];
  readonly segments: readonly unknown[];
  readonly transactions: readonly unknown[];
  readonly segmentStatus: unknown;
  readonly code: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, whole. */
  readonly text: string;
  /** The body, parsed. */
  readonly json: ReplyBody;
  /** The lines of the body, each parsed. */
  readonly lines: readonly ReplyBody[];
}

export interface Service {
  readonly services: Services;
  /** Lines that were logged. */
  readonly logged: string[];
  /** `path` as it is sent, from the slash on. */
  call(method: string, path: string, init?: RequestInit, connection?: Connection): Promise<Reply>;
  /** Gives what is due its turns, as the monitor does. */
  runSchedule(): Promise<DueRun>;
  /** The answer before its body is read. */
  open(method: string, path: string, init?: RequestInit, connection?: Connection): ReturnType<Endpoint>;
  dispose(): Promise<void>;
}

export async function openService(changes: Partial<Services> = {}): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), "streamkit-http-"));
  const keyspace = await openKeyspace(folder);
  const stores = createLevelStoreFactory({
    database: new LevelDatabase(keyspace),
    compressor: plainCompressor,
    clock: changes.clock ?? clock,
    random,
    lastToken: (id, key) => readLastToken(tableOf(id), key),
  });
  const account = new SimulatedAccount({ clock: changes.clock ?? clock });
  const tableOf = (store: StoreId): Table => account.table(`s${store.replaceAll("-", "")}`);
  const logged: string[] = [];
  const logger = createLogger({ level: "debug", clock, write: (line) => logged.push(line) });
  const streams = changes.streams ?? new Budget("streams", 1_000);
  const registry = account.table("streamkitregistry");
  const { telemetry = silentTelemetry, serviceClock = changes.clock ?? clock } = changes;
  const schedule = createSchedule({ registry, clock, serviceClock, logger, telemetry });
  const jobsDeps = { registry, schedule, clock, serviceClock, random, logger };
  const jobs = createJobs(jobsDeps);
  const retentionDeps = { table: tableOf, schedule, jobs, trims: true, clock, serviceClock, random };
  const consumersInstance = new ConsumersInstance({
    ...{ clock: changes.clock ?? clock, serviceClock: changes.clock ?? clock, random, logger },
    telemetry: silentTelemetry,
  });
  const services: Services = {
    stores,
    catalog: createLevelCatalog(keyspace),
    consumers: (store) =>
      createConsumers(consumersInstance, { store: services.stores.open(store), table: tableOf(store) }),
    leases: (store) => createLeases({ table: tableOf(store), clock, random }),
    subscriptions: createSubscriptions({
      logger,
      table: tableOf,
      policy: {
        addresses: createAddressPolicy({ loopback: true, networks: [] }),
        queuePrefix: "sub-",
        reservedQueues: ["streamkit-status"],
      },
      notifies: true,
      serviceClock: new ServiceClock(clock),
      clock,
      random,
      newSecret: () => `whsec_${randomBytes(32).toString("base64")}`,
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
    serviceClock,
    random,
    logger,
    telemetry,
    options: { streamMs: 60_000, heartbeatMs: 15_000 },
    stopping: new AbortController().signal,
    probe: () => Promise.resolve(),
    jobs,
    schedule,
    retention: createRetention(retentionDeps),
    lastMonitorRun: () => Promise.resolve(undefined),
    ...changes,
  };
  const open: Service["open"] = (method, path, init = {}, connection = unseenConnection()) => {
    const request = new Request(`http://streamkit.test${path}`, { method, duplex: "half", ...init });
    return everyAnswer(endpointFor(method, new URL(request.url).pathname), services, request, connection);
  };
  return {
    services,
    logged,
    open,
    runSchedule: () => {
      const jobWorks = { ...trimWorks(services.stores), ...retentionJobs(retentionDeps, services.stores) };
      const works = {
        [jobWhat]: jobTurns(jobsDeps, jobWorks),
        [retentionWhat]: retentionTurns(retentionDeps, services.stores),
        [streamExpiryWhat]: streamExpiryTurns(services.stores),
      };
      return schedule.run(works, { deadlineMs: 60_000 });
    },
    async call(method, path, init, connection) {
      const { status, headers, body = "" } = await open(method, path, init, connection);
      let text = "";
      if (typeof body === "string") text = body;
      else for await (const piece of body) text += typeof piece === "string" ? piece : Buffer.from(piece).toString();
      return {
        status,
        headers,
        text,
        get json() {
          return JSON.parse(text) as ReplyBody;
        },
        get lines() {
          return text
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as ReplyBody);
        },
      };
    },
    async dispose() {
      await stores.close();
      await keyspace.close();
      await rm(folder, { recursive: true });
    },
  };
}

export function json(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } };
}

export function ndjson(body: string | ReadableStream, headers: Record<string, string> = {}): RequestInit {
  return { body, headers: { "content-type": "application/x-ndjson", ...headers } };
}

/** As the host does: the first route that fits, else the last function. */
function endpointFor(method: string, pathname: string): Endpoint {
  const fits = (operation: Operation): boolean => {
    const wanted = operation.path.split("/");
    const given = pathname.split("/");
    return (
      methodsOf(operation).some((taken) => taken === method) &&
      wanted.length === given.length &&
      wanted.every((step, index) =>
        step.startsWith("{") ? given[index] !== "" : step.toLowerCase() === given[index]!.toLowerCase(),
      )
    );
  };
  const operation = operations.find(fits);
  return (operation === undefined ? undefined : endpoints[operation.id]) ?? fallback;
}

/** A path with its names encoded. */
export function segmentPath(store: string, space: string, segment: string, rest = ""): string {
  return `/v1/stores/${store}/spaces/${encodeURIComponent(space)}/segments/${encodeURIComponent(segment)}${rest}`;
}
