// The composition root: reads the environment once and builds everything from it, each thing once and not before it is
// needed.
//
// Promise: importing it fails with a sentence that says what to set when a setting is wrong. Nothing else here fails
// before the first request.

import { randomBytes, randomUUID } from "node:crypto";

import { zstdCompressor } from "./codec/zstd.ts";
import { silentTelemetry } from "./core/telemetry.ts";
import { StoreError } from "./core/errors.ts";
import { createConsumers } from "./consumers/consumers.ts";
import { ConsumersInstance } from "./consumers/known.ts";
import { createLeases } from "./lease/leases.ts";
import { createAddressPolicy } from "./notify/addresses.ts";
import { DeliveryReports } from "./notify/delivery-reports.ts";
import { Dispatcher } from "./notify/dispatcher.ts";
import { createQueueStatusNotifier } from "./notify/status-notifier.ts";
import { createQueueAccount } from "./notify/storage-queue.ts";
import { createSubscriptions } from "./notify/subscriptions.ts";
import type { TargetPolicy } from "./notify/targets.ts";
import { createWebhookSender } from "./notify/webhook.ts";
import { openAccess } from "./server/access.ts";
import type { Access } from "./server/access.ts";
import type { HttpParts } from "./server/functions-http.ts";
import { createLogger } from "./core/logger.ts";
import { Budget } from "./server/overload.ts";
import { LivePlaces } from "./server/live-place.ts";
import { SpaceWatches } from "./server/space-watch.ts";
import { guardStreams } from "./server/stream-guard.ts";
import { tokenAccess } from "./server/tokens.ts";
import { parseSettings, unknownSettings } from "./settings.ts";
import { createJobs, jobTurns, jobWhat } from "./jobs/jobs.ts";
import type { JobsDeps } from "./jobs/jobs.ts";
import { createSchedule } from "./jobs/schedule.ts";
import type { Works } from "./jobs/schedule.ts";
import { compactionDue, compactionTurns, compactionWhat } from "./retention/compaction-turns.ts";
import { streamExpiryTurns, streamExpiryWhat } from "./retention/stream-expiry.ts";
import { createRetention, retentionJobs, retentionTurns, retentionWhat } from "./retention/retention.ts";
import type { RetentionDeps } from "./retention/retention.ts";
import { removalWorks } from "./retention/removal-jobs.ts";
import { trimWorks } from "./retention/trim-jobs.ts";
import { createAzureStoreFactory } from "./store/azure/factory.ts";
import type { AzureStoreFactory } from "./store/azure/factory.ts";
import { registryTableName } from "./store/azure/rows/keys.ts";
import { createStoreCatalog } from "./store/azure/read/stores.ts";
import { readLastRun, writeLastRun } from "./store/azure/monitor/last-run.ts";
import { resolveOptions } from "./store/azure/instance/options.ts";
import { createProbe } from "./store/azure/log/probe.ts";
import { isEmulator } from "./table/connection.ts";
import { ServiceClock } from "./core/clock.ts";
import type { MonitorRun } from "./store/monitor-run.ts";
import { systemClock, systemRandom } from "./system.ts";
import { createTableAccount } from "./table/sdk.ts";
import { identityCredential } from "./table/identity.ts";
import { LateTelemetry } from "./telemetry/late.ts";

/** Below functionTimeout (5 minutes) with room for what runs at that moment. */
const monitorDeadlineMs = 240_000;

/** From the first measurement until what sends it is loaded: the first requests are answered by then. */
const telemetryDelayMs = 2_000;

/** From the look-up of a name to the answer: what a receiver may take, and what a message may hold up. */
const webhookTimeoutMs = 10_000;
/** The Standard Webhooks scheme takes 24 to 64. */
const webhookSecretBytes = 32;

export const settings = parseSettings(process.env);

const clock = systemClock;
const random = systemRandom;
const logger = createLogger({
  level: settings.logLevel,
  clock,
  write: (line) => void process.stdout.write(line),
});

for (const name of unknownSettings(process.env)) logger.warn("there is no such setting: it does nothing", { name });

const late = lateTelemetry();
const telemetry = late ?? silentTelemetry;

/** Aborts when this process is told to end. */
const stopping = new AbortController();

// Subscribed now: a request is announced before its function is called.
const guard = guardStreams(clock, settings.stallMs);

/** The storage's time, where it is not a space's log that tells it: what other machines are to agree on goes by it. */
const serviceClock = new ServiceClock(clock);

const account = once(() =>
  createTableAccount(settings.connection, {
    ...{ clock, serviceClock, random, telemetry, requestTimeoutMs: settings.requestTimeoutMs },
  }),
);

const queues = once(() =>
  createQueueAccount(settings.connection, { clock, requestTimeoutMs: settings.requestTimeoutMs }),
);

/** By store alone: who reads for whom is not known where pages are asked for. */
const reads = new Budget("reads", settings.readBytesMax, { callerPercent: 100, storePercent: settings.storePercent });

const stores = once((): AzureStoreFactory => {
  const { notificationsQueue: name } = settings;
  const notifier = name === undefined ? undefined : createQueueStatusNotifier(queues().queue(name));
  return createAzureStoreFactory({
    account: account(),
    notifier,
    compressor: zstdCompressor,
    clock,
    random,
    logger,
    telemetry,
    options: settings.store,
    visited: (store, space) => retention().visited(store, space),
    compactsAgain: (store, space, at) => schedule().put(compactionDue(store, space, at)),
    openMemory: (store) => reads.open({ caller: "readers", store }),
  });
});

const catalog = once(() => {
  const { tablePrefix } = resolveOptions(settings.store);
  return createStoreCatalog({ account: account(), registry: registry(), tablePrefix, clock, random });
});

const schedule = once(() => createSchedule({ registry: registry(), clock, serviceClock, logger, telemetry }));

const jobsDeps = once((): JobsDeps => ({
  ...{ registry: registry(), schedule: schedule(), clock, serviceClock, random, logger },
}));

const jobs = once(() => createJobs(jobsDeps()));

const retentionDeps = once((): RetentionDeps => ({
  ...{ table: (store) => stores().table(store), schedule: schedule(), jobs: jobs(), clock, serviceClock, random },
  trims: resolveOptions(settings.store).formatVersion === 2,
}));

const retention = once(() => createRetention(retentionDeps()));

/** The kinds of work that the schedule gives turns to. */
const works = once((): Works => ({
  [jobWhat]: jobTurns(jobsDeps(), {
    ...trimWorks(stores()),
    ...retentionJobs(retentionDeps(), stores()),
    ...removalWorks(stores()),
  }),
  [retentionWhat]: retentionTurns(retentionDeps(), stores()),
  [compactionWhat]: compactionTurns(stores()),
  [streamExpiryWhat]: streamExpiryTurns(stores()),
}));

const registry = once(() => account().table(registryTableName(resolveOptions(settings.store).tablePrefix)));

/** This instance's knowledge of all stores' consumers. */
const consumers = once(() => new ConsumersInstance({ clock, serviceClock, random, logger, telemetry }));

const targets = once((): TargetPolicy => {
  const { connection, notificationsQueue, retriesQueue, subscriptionQueuePrefix, webhookNetworks } = settings;
  return {
    addresses: createAddressPolicy({ loopback: isEmulator(connection), networks: webhookNetworks }),
    queuePrefix: subscriptionQueuePrefix,
    reservedQueues: [notificationsQueue, retriesQueue].filter((name) => name !== undefined),
  };
});

const subscriptions = once(() =>
  createSubscriptions({
    logger,
    table: (store) => stores().table(store),
    policy: targets(),
    notifies: settings.notificationsQueue !== undefined,
    clock,
    serviceClock,
    random,
    newSecret: () => `whsec_${randomBytes(webhookSecretBytes).toString("base64")}`,
  }),
);

const dispatcher = once((): Dispatcher => {
  const { retriesQueue: name } = settings;
  if (name === undefined) throw new StoreError("internal", "There is a message of a queue that is turned off.");
  return new Dispatcher({
    retries: queues().queue(name),
    queues: queues(),
    webhooks: createWebhookSender({
      ...{ clock, serviceClock, addresses: targets().addresses, timeoutMs: webhookTimeoutMs },
    }),
    policy: targets(),
    subscriptions: subscriptions(),
    reports: new DeliveryReports(subscriptions(), clock, logger),
    clock,
    serviceClock,
    random,
    logger,
    telemetry,
  });
});

const shares = { callerPercent: settings.callerPercent, storePercent: settings.storePercent };
/** Five hundred calls with small bodies find room beside all the large ones that there may be. */
const keptForSmall = { percent: 12.5, bytes: 64 * 1024 };

const streams = new Budget("streams", settings.streamsMax, shares);

/** The parts that the HTTP functions work with. */
export const httpParts = once((): HttpParts => ({
  guard,
  services: {
    stores: stores(),
    catalog: catalog(),
    consumers: (store) => createConsumers(consumers(), { store: stores().open(store), table: stores().table(store) }),
    leases: (store) => createLeases({ table: stores().table(store), clock, random }),
    subscriptions: subscriptions(),
    access: accessOf(),
    accessKind: settings.authentication.kind,
    origins: settings.origins,
    readLinkKeys: settings.readLinkKeys,
    sharesStreams: settings.sharesStreams,
    defaultStreams: settings.defaultStreams,
    watches: new SpaceWatches(clock, random, logger),
    bodies: new Budget("bodies", settings.bodyBytesMax, { ...shares, kept: keptForSmall }),
    bodyTimes: { stallMs: settings.bodyStallMs, wholeMs: settings.bodyMs },
    streams,
    livePlaces: new LivePlaces(streams, new Budget("watched spaces", settings.watchedSpacesMax, shares)),
    clock,
    serviceClock,
    random,
    logger,
    telemetry,
    options: { streamMs: settings.streamMs, heartbeatMs: settings.heartbeatMs },
    stopping: stopping.signal,
    probe: () => probe()(),
    jobs: jobs(),
    schedule: schedule(),
    retention: retention(),
    lastMonitorRun: () => readLastRun(registry()),
  },
}));

/** The level at which the host asks callers for a key. */
export const authLevel = settings.authentication.kind === "key" ? "function" : "anonymous";

/** One run of the monitor. Rejects when it could not look at all: the host counts that as a failed run. */
export async function monitor(): Promise<void> {
  try {
    const [startedAt, from] = [serviceClock.now(), clock.elapsed()];
    const options = { deadlineMs: monitorDeadlineMs };
    const [logs, due] = await Promise.allSettled([stores().recover(options), schedule().run(works(), options)]);
    if (logs.status === "rejected") throw logs.reason;
    if (due.status === "rejected") throw due.reason;
    const report = { ...logs.value, due: due.value };
    await keepRun({ ...report, startedAt, ms: clock.elapsed() - from });
    logger[didSomething(report) ? "info" : "debug"]("monitor", { ...report });
    await countPoisoned();
  } catch (error) {
    logger.error("the monitor failed", { error });
    throw error;
  }
}

function didSomething({ applied, notified, failed, complete, due }: Omit<MonitorRun, "startedAt" | "ms">): boolean {
  return applied + notified + failed + due.done + due.again + due.failed > 0 || !complete || !due.complete;
}

/** Keeps how the run went. The run's work is done, whether or not that can be written. */
async function keepRun(run: MonitorRun): Promise<void> {
  try {
    await writeLastRun(registry(), run);
  } catch (error) {
    logger.warn("how the monitor's run went could not be written", { error });
  }
}

/** One message of the notifications' queue, or of that of retries. Rejects when it is to be tried again by the host. */
export async function dispatch(message: unknown): Promise<void> {
  await dispatcher().dispatch(message);
}

/**
 * Counts the messages that failed for good and wait for a person to look at them. Without telemetry nobody would learn
 * the count.
 */
async function countPoisoned(): Promise<void> {
  const { notificationsQueue, retriesQueue } = settings;
  if (notificationsQueue === undefined || late === undefined) return;
  try {
    const names = [notificationsQueue, retriesQueue].map((name) => `${name}-poison`);
    const waiting = names.map((name) => queues().queue(name).count());
    const poisoned = (await Promise.all(waiting)).reduce((sum, count) => sum + count, 0);
    telemetry.record("streamkit.notifications.poisoned", poisoned);
  } catch (error) {
    logger.warn("the poison queues could not be counted", { error });
  }
}

/** Before the process ends: ends the live streams, and sends what was measured and not sent yet. */
export async function stop(): Promise<void> {
  stopping.abort();
  await late?.flush();
}

function lateTelemetry(): LateTelemetry | undefined {
  const { telemetry: wanted } = settings;
  if (wanted === undefined) return undefined;
  const { connectionString, identity, tracePercent } = wanted;
  return new LateTelemetry({
    clock,
    logger,
    delayMs: telemetryDelayMs,
    load: async () => {
      const { listenByAzureMonitor } = await import("./telemetry/azure-monitor.ts");
      return listenByAzureMonitor({
        connectionString: connectionString.reveal(),
        credential:
          identity === undefined
            ? undefined
            : identityCredential({ kind: "identity", clientId: identity.clientId, managed: true }),
        resource: {
          "service.name": process.env["WEBSITE_SITE_NAME"] ?? "streamkit",
          "service.instance.id": process.env["WEBSITE_INSTANCE_ID"] ?? randomUUID(),
        },
        tracePercent,
      });
    },
  });
}

function accessOf(): Access {
  const { authentication } = settings;
  return authentication.kind === "jwt"
    ? tokenAccess({ ...authentication, clock, serviceClock, logger })
    : openAccess(settings.manages);
}

const probe = once(() => createProbe(registry(), clock));

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
