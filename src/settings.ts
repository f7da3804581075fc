// The settings of a deployment: each with what it does, its unit and its default. The only place that knows their
// names.

import * as z from "zod";

import { StoreError } from "./core/errors.ts";
import { areNetworks, networksIn } from "./notify/addresses.ts";
import { isSchedule } from "./schedule.ts";
import { parseReadLinkKeys } from "./wire/read-link.ts";
import type { ReadLinkKeys } from "./wire/read-link.ts";
import { parseOrigins } from "./server/every-answer.ts";
import type { Origins } from "./server/every-answer.ts";
import type { DefaultStreams } from "./server/services.ts";
import { localStreamSpace, parseStreamSpace } from "./wire/stream-calls.ts";
import { logLevels } from "./core/logger.ts";
import { optionsSchema } from "./store/azure/instance/options.ts";
import type { AzureStoreOptions, AzureStoreSettings } from "./store/azure/instance/options.ts";
import { isEmulator, isLoopback, parseConnection, Secret } from "./table/connection.ts";
import type { StorageConnection } from "./table/connection.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const MiB = 1024 * 1024;

function integer(standard: number, min: number, max: number, description: string) {
  const expected = `an integer from ${min} to ${max}`;
  return z
    .string()
    .regex(/^[0-9]{1,15}$/, { error: expected })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: expected })
    .default(standard)
    .meta({ description });
}

type IntegerOption = Exclude<keyof AzureStoreOptions, "formatVersion" | "tablePrefix">;

/** An option of the store as a setting: its bounds and its default are the option's. */
function option(name: IntegerOption, description: string) {
  const schema = optionsSchema.shape[name];
  const { minValue, maxValue } = schema.unwrap();
  return integer(schema.parse(undefined), minValue ?? 0, maxValue ?? Number.MAX_SAFE_INTEGER, description);
}

function flag(description: string) {
  return z.enum(["true", "false"], { error: "true or false" }).default("false").meta({ description });
}

function url(description: string) {
  return z
    .url({ protocol: /^https?$/, error: "a URL" })
    .transform((text) => new URL(text))
    .optional()
    .meta({ description });
}

/** Where storage is (`STREAMKIT_STORAGE`, `AzureWebJobsStorage`) is parsed by `table/connection`. */
export const settingsSchema = z.object({
  STREAMKIT_STORAGE: z.string().optional().meta({
    description:
      "The storage account: a connection string; or by identity with STREAMKIT_STORAGE__accountName (or __tableServiceUri and __queueServiceUri, and __clientId). Absent: AzureWebJobsStorage, in the same forms.",
  }),
  STREAMKIT_ALLOW_INSECURE_HTTP: flag("Allows plain HTTP to a storage endpoint that is not on this machine."),
  STREAMKIT_TABLE_PREFIX: optionsSchema.shape.tablePrefix.meta({
    description:
      "Leads the names of all tables, and of the notifications' queue. Two deployments in one account need two.",
  }),
  STREAMKIT_FORMAT: z.enum(["1", "2"], { error: "1 or 2" }).default("2").meta({
    description:
      "The format of what is stored. Trims, and counts, need 2. Set it to 1 before a deployment of a version that knew only 1 is upgraded, and to 2 when all its instances are new.",
  }),
  STREAMKIT_AUTH: z.enum(["key", "jwt", "none"], { error: "key, jwt or none" }).default("key").meta({
    description:
      "Who may call: with a key of the function app, with a bearer token, or everyone (only with storage on this machine, or the storage emulator by its endpoint and key).",
  }),
  STREAMKIT_JWT_ISSUER: z.string().min(1).optional().meta({ description: "With jwt: the `iss` of tokens." }),
  STREAMKIT_JWT_AUDIENCE: z.string().min(1).optional().meta({ description: "With jwt: the `aud` of tokens." }),
  STREAMKIT_JWT_JWKS_URL: url("With jwt: where the issuer publishes its keys (HTTPS)."),
  STREAMKIT_JWT_CLOCK_SKEW_SECONDS: integer(60, 0, 600, "With jwt: how far the issuer's clock may be off, seconds."),
  STREAMKIT_CORS_ORIGINS: z
    .string()
    .refine((text) => parseOrigins(text) !== undefined, {
      error: "* or origins such as https://app.example.com,http://localhost:5173",
    })
    .default("")
    .meta({
      description:
        "The origins whose pages may call from a browser (CORS), with commas between them; *: all; empty: none.",
    }),
  STREAMKIT_MANAGE: flag(
    "Whether who may write may also remove: trims. Not with jwt, where a scope says it (`streamkit::{store}::manage`).",
  ),
  STREAMKIT_PUBLIC_STREAMS: flag(
    "Whether caches may give one caller's answer of a Durable Stream to others. They may with STREAMKIT_AUTH=none.",
  ),
  STREAMKIT_STREAMS: z
    .string()
    .refine((text) => text === "-" || parseStreamSpace(text) !== undefined, {
      error: "<store>/<space>, such as 0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d/streams, or - for none",
    })
    .optional()
    .meta({
      description:
        "The store and the space of the streams at /v1/stream/{path}, as <store>/<space>; -: none. Absent: none, and with STREAMKIT_AUTH=none those of a store of zeros, in the space streams.",
    }),
  STREAMKIT_LINK_KEYS: z
    .string()
    .refine((text) => text === "" || parseReadLinkKeys(text) !== undefined, {
      error: "<name>:<secret> with a secret of 32 characters at least, with commas between several",
    })
    .default("")
    .meta({
      description:
        "The keys that links for reading are signed by, as <name>:<secret>, with commas between them. Any of them opens a link; without the key its links open nothing. Empty: there are no links.",
    }),
  STREAMKIT_NOTIFICATIONS_QUEUE: z
    .string()
    .regex(/^(-?|(?=.{3,50}$)[a-z0-9]+(-[a-z0-9]+)*)$/, {
      error: "3 to 50 lower-case letters, digits and single dashes, or - for none",
    })
    .optional()
    .meta({
      description:
        "The queue that gets a message for each applied record; - (or empty): none is sent. Absent: the table prefix in lower case, and `-status`.",
    }),
  STREAMKIT_SUBSCRIPTION_QUEUE_PREFIX: z
    .string()
    .regex(/^(?=.{3,31}$)[a-z0-9]+(-[a-z0-9]+)*-?$/, { error: "3 to 31 lower-case letters, digits and single dashes" })
    .default("sub-")
    .meta({ description: "How the names of the queues begin that subscriptions may deliver to." }),
  STREAMKIT_NOTIFICATION_PAUSE_MS: option(
    "notificationPauseMs",
    "While a space is written to, how long after one status message of it the next comes, with all that moved meanwhile, ms.",
  ),
  STREAMKIT_WEBHOOK_NETWORKS: z
    .string()
    .refine(areNetworks, { error: "networks such as 10.1.0.0/16,fd00::/8, or nothing" })
    .default("")
    .meta({
      description:
        "Private networks that webhooks may be sent to, such as 10.1.0.0/16,fd00::/8; empty: only what is on the internet.",
    }),
  STREAMKIT_MONITOR_SCHEDULE: z
    .string()
    .refine(isSchedule, { error: "six fields of NCRONTAB, such as 0 * * * * *" })
    .default("0 * * * * *")
    .meta({ description: "When the monitor looks for records that a writer left behind: NCRONTAB, six fields." }),
  STREAMKIT_COMPACT_AFTER_MS: option("compactAfterMs", "How old rows are before neighbours are merged, ms."),
  STREAMKIT_COMPACT_AGAIN_AFTER_MS: option("compactAgainAfterMs", "How old merged rows are before they are again, ms."),
  STREAMKIT_COMPACT_ROWS_MIN: option("compactRowsMin", "How many neighbouring rows are worth merging."),
  STREAMKIT_WAL_GRACE_MS: option("walGraceMs", "Age of a pending record that the monitor takes over, ms."),
  STREAMKIT_LOG_LEVEL: z
    .enum(logLevels, { error: logLevels.join(", ") })
    .default("info")
    .meta({ description: "The least level that is logged; debug has a line for each request." }),
  APPLICATIONINSIGHTS_CONNECTION_STRING: z
    .string()
    .regex(/(^|;)\s*InstrumentationKey=[0-9a-fA-F-]{36}\s*(;|$)/, {
      error: "a connection string of Application Insights, with its InstrumentationKey",
    })
    .optional()
    .meta({ description: "Where metrics and traces go; absent: they go nowhere." }),
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: z
    .string()
    .regex(/^\s*((ClientId=[0-9a-fA-F-]{36}|Authorization=AAD)\s*(;\s*|$))+$/, {
      error: "Authorization=AAD, with ClientId=<id>; before it for an identity that is user-assigned",
    })
    .optional()
    .meta({
      description: "Sends metrics and traces by the app's managed identity, in the form the platform has for it.",
    }),
  STREAMKIT_TRACE_PERCENT: integer(10, 0, 100, "Requests traced of those whose caller does not say, percent."),
  STREAMKIT_REQUEST_TIMEOUT_MS: integer(10_000, 100, 60_000, "One request to the storage, ms."),
  STREAMKIT_PRODUCE_TIMEOUT_MS: option(
    "produceTimeoutMs",
    "A chunk that is not committed by then is answered 503, ms.",
  ),
  STREAMKIT_STREAM_SECONDS: integer(
    180,
    1,
    1_500,
    "How long a live stream lasts before the caller reconnects, seconds.",
  ),
  STREAMKIT_HEARTBEAT_SECONDS: integer(15, 1, 120, "A live stream says something at least this often, seconds."),
  STREAMKIT_STALL_SECONDS: integer(60, 1, 200, "A caller that takes nothing for so long is let go, seconds."),
  STREAMKIT_STREAMS_MAX: integer(1_000, 1, 100_000, "Streamed and waiting answers at the same time, per instance."),
  STREAMKIT_WATCHED_SPACES_MAX: integer(
    1_000,
    1,
    100_000,
    "Spaces that live readers wait for, per instance, those of each caller counted for itself: each that is written to costs a request a second, those that rest about one together.",
  ),
  STREAMKIT_READ_BYTES_MAX: integer(
    256 * MiB,
    32 * MiB,
    4_096 * MiB,
    "What was read of the storage and has not been sent yet, held at the same time, per instance, bytes.",
  ),
  STREAMKIT_BODY_BYTES_MAX: integer(
    256 * MiB,
    MiB,
    4_096 * MiB,
    "Request bodies, and large answers on their way, held at the same time, per instance, bytes.",
  ),
  STREAMKIT_CALLER_PERCENT: integer(
    50,
    1,
    100,
    "What one caller (a token's subject, a key, or else an address) may have of what an instance holds: bodies, streams, watched spaces; percent.",
  ),
  STREAMKIT_STORE_PERCENT: integer(75, 1, 100, "What the callers of one store may have of it together, percent."),
  STREAMKIT_BODY_STALL_SECONDS: integer(
    10,
    1,
    200,
    "A request body that brings less than 64 KiB in so long, and does not end, is answered 408; when what is left of it stalls for as long again its connection is closed; seconds.",
  ),
  STREAMKIT_BODY_SECONDS: integer(
    120,
    1,
    1_500,
    "A request body that is not whole by then is answered 408; when what is left of it is not there after as long again its connection is closed; seconds.",
  ),
  STREAMKIT_APPLY_WORKERS: option("applyWorkers", "Segments that one instance applies at the same time."),
  STREAMKIT_BATCH_OPERATIONS: option("batchOperations", "Operations in one entity-group transaction."),
  STREAMKIT_BATCH_BYTES: option("batchBytes", "Bytes of one entity-group transaction."),
  STREAMKIT_SEGMENT_CACHE_MAX: option("segmentCacheMax", "Segments whose state an instance keeps, over all spaces."),
  STREAMKIT_SPACE_CACHE_MAX: option("spaceCacheMax", "Spaces whose writer an instance keeps."),
  STREAMKIT_QUEUED_BYTES_MAX: option("queuedBytesMax", "Produces waiting in one space of one instance, bytes."),
});

export type Authentication =
  | { readonly kind: "key" }
  | { readonly kind: "none" }
  | {
      readonly kind: "jwt";
      readonly issuer: string;
      readonly audience: string;
      readonly jwksUrl: URL;
      readonly clockSkewSeconds: number;
    };

export interface TelemetrySettings {
  readonly connectionString: Secret;
  /** The managed identity that sends; undefined: the connection string is enough. */
  readonly identity: { readonly clientId: string | undefined } | undefined;
  readonly tracePercent: number;
}

export interface Settings {
  readonly connection: StorageConnection;
  readonly authentication: Authentication;
  /** Whose pages may call from a browser. */
  /** Whether everybody who is let in may remove data; with tokens their scopes say it. */
  readonly manages: boolean;
  readonly origins: Origins;
  readonly readLinkKeys: ReadLinkKeys;
  readonly sharesStreams: boolean;
  /** Where the streams of the short path are. */
  readonly defaultStreams: DefaultStreams | undefined;
  /** Undefined: nobody is told. */
  readonly notificationsQueue: string | undefined;
  /** Where deliveries wait that are tried again; beside the one above. */
  readonly retriesQueue: string | undefined;
  /** Subscriptions deliver only to queues whose names begin so. */
  readonly subscriptionQueuePrefix: string;
  /** Networks that webhooks may be sent to besides the internet, as CIDR. */
  readonly webhookNetworks: readonly string[];
  readonly monitorSchedule: string;
  readonly logLevel: (typeof logLevels)[number];
  /** Undefined: nothing is measured. */
  readonly telemetry: TelemetrySettings | undefined;
  readonly requestTimeoutMs: number;
  readonly streamMs: number;
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly streamsMax: number;
  readonly bodyBytesMax: number;
  readonly readBytesMax: number;
  readonly watchedSpacesMax: number;
  readonly bodyStallMs: number;
  readonly bodyMs: number;
  readonly callerPercent: number;
  readonly storePercent: number;
  readonly store: AzureStoreSettings;
}

/** Throws an `invalid_argument` that says what to set. An empty setting is an absent one. */
export function parseSettings(env: Environment): Settings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== "" || name === "STREAMKIT_NOTIFICATIONS_QUEUE"),
  );
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw wrong(`${String(issue?.path[0] ?? "settings")}: expected ${issue?.message ?? "valid settings"}`);
  }
  const values = parsed.data;
  const connection = parseConnection(env);
  const store: AzureStoreSettings = {
    tablePrefix: values.STREAMKIT_TABLE_PREFIX,
    formatVersion: values.STREAMKIT_FORMAT === "1" ? 1 : 2,
    compactAfterMs: values.STREAMKIT_COMPACT_AFTER_MS,
    compactAgainAfterMs: values.STREAMKIT_COMPACT_AGAIN_AFTER_MS,
    compactRowsMin: values.STREAMKIT_COMPACT_ROWS_MIN,
    walGraceMs: values.STREAMKIT_WAL_GRACE_MS,
    notificationPauseMs: values.STREAMKIT_NOTIFICATION_PAUSE_MS,
    produceTimeoutMs: values.STREAMKIT_PRODUCE_TIMEOUT_MS,
    applyWorkers: values.STREAMKIT_APPLY_WORKERS,
    batchOperations: values.STREAMKIT_BATCH_OPERATIONS,
    batchBytes: values.STREAMKIT_BATCH_BYTES,
    segmentCacheMax: values.STREAMKIT_SEGMENT_CACHE_MAX,
    spaceCacheMax: values.STREAMKIT_SPACE_CACHE_MAX,
    queuedBytesMax: values.STREAMKIT_QUEUED_BYTES_MAX,
  };
  const notificationsQueue = queueOf(values);
  return {
    connection,
    authentication: authenticationOf(values, connection),
    manages: values.STREAMKIT_MANAGE === "true",
    origins: parseOrigins(values.STREAMKIT_CORS_ORIGINS) ?? new Set(),
    sharesStreams: values.STREAMKIT_PUBLIC_STREAMS === "true" || values.STREAMKIT_AUTH === "none",
    readLinkKeys: parseReadLinkKeys(values.STREAMKIT_LINK_KEYS) ?? new Map(),
    defaultStreams: streamsOf(values),
    notificationsQueue,
    retriesQueue: notificationsQueue === undefined ? undefined : `${notificationsQueue}-retry`,
    subscriptionQueuePrefix: values.STREAMKIT_SUBSCRIPTION_QUEUE_PREFIX,
    webhookNetworks: networksIn(values.STREAMKIT_WEBHOOK_NETWORKS),
    monitorSchedule: values.STREAMKIT_MONITOR_SCHEDULE,
    logLevel: values.STREAMKIT_LOG_LEVEL,
    telemetry: telemetryOf(values),
    requestTimeoutMs: values.STREAMKIT_REQUEST_TIMEOUT_MS,
    streamMs: values.STREAMKIT_STREAM_SECONDS * 1_000,
    heartbeatMs: values.STREAMKIT_HEARTBEAT_SECONDS * 1_000,
    stallMs: values.STREAMKIT_STALL_SECONDS * 1_000,
    streamsMax: values.STREAMKIT_STREAMS_MAX,
    bodyBytesMax: values.STREAMKIT_BODY_BYTES_MAX,
    readBytesMax: values.STREAMKIT_READ_BYTES_MAX,
    watchedSpacesMax: values.STREAMKIT_WATCHED_SPACES_MAX,
    bodyStallMs: values.STREAMKIT_BODY_STALL_SECONDS * 1_000,
    bodyMs: values.STREAMKIT_BODY_SECONDS * 1_000,
    callerPercent: values.STREAMKIT_CALLER_PERCENT,
    storePercent: values.STREAMKIT_STORE_PERCENT,
    store,
  };
}

/** Names that look like settings and are none: mistyped, or of another version. Nothing reads them. */
export function unknownSettings(env: Environment): readonly string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("STREAMKIT_") && !name.startsWith("STREAMKIT_STORAGE__"))
    .filter((name) => !(name in settingsSchema.shape));
}

function authenticationOf(values: z.output<typeof settingsSchema>, connection: StorageConnection): Authentication {
  const kind = values.STREAMKIT_AUTH;
  if (kind === "key") return { kind };
  if (kind === "none") {
    if (isEmulator(connection)) return { kind };
    throw wrong("STREAMKIT_AUTH: none is for the storage emulator only; set it to key or jwt");
  }
  const { STREAMKIT_JWT_ISSUER: issuer, STREAMKIT_JWT_AUDIENCE: audience, STREAMKIT_JWT_JWKS_URL: jwksUrl } = values;
  if (issuer === undefined || audience === undefined || jwksUrl === undefined) {
    throw wrong("STREAMKIT_AUTH is jwt: set STREAMKIT_JWT_ISSUER, STREAMKIT_JWT_AUDIENCE and STREAMKIT_JWT_JWKS_URL");
  }
  if (jwksUrl.protocol !== "https:" && !isLoopback(jwksUrl.href)) {
    throw wrong("STREAMKIT_JWT_JWKS_URL: expected an https URL");
  }
  return { kind, issuer, audience, jwksUrl, clockSkewSeconds: values.STREAMKIT_JWT_CLOCK_SKEW_SECONDS };
}

function streamsOf(values: z.output<typeof settingsSchema>): DefaultStreams | undefined {
  const given = values.STREAMKIT_STREAMS;
  if (given === undefined) return values.STREAMKIT_AUTH === "none" ? localStreamSpace : undefined;
  return given === "-" ? undefined : parseStreamSpace(given);
}

function telemetryOf(values: z.output<typeof settingsSchema>): TelemetrySettings | undefined {
  const {
    APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: authentication,
    STREAMKIT_TRACE_PERCENT: tracePercent,
  } = values;
  if (connectionString === undefined) return undefined;
  const clientId = /ClientId=([0-9a-fA-F-]{36})/.exec(authentication ?? "")?.[1];
  const identity = authentication === undefined ? undefined : { clientId };
  return { connectionString: new Secret(connectionString), identity, tracePercent };
}

/** An app setting that is empty may get lost on its way to the app: a word says the same. */
function queueOf(values: z.output<typeof settingsSchema>): string | undefined {
  const name = values.STREAMKIT_NOTIFICATIONS_QUEUE ?? `${values.STREAMKIT_TABLE_PREFIX.toLowerCase()}-status`;
  return name === "" || name === "-" ? undefined : name;
}

function wrong(sentence: string): StoreError {
  return new StoreError("invalid_argument", `${sentence}.`);
}
