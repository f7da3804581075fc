// host.json and local.settings.json as the Functions host reads them.
// Promise: what is returned was checked; a file that cannot be used is one sentence that names it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { Refusal } from "./refusal.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** In the order of weight; host.json says from which on a category is shown. */
export const logLevels = ["trace", "debug", "information", "warning", "error", "critical", "none"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface QueueSettings {
  /** Messages fetched at once. */
  readonly batchSize: number;
  /** A new batch is fetched when at most so many messages are still being worked on. */
  readonly newBatchThreshold: number;
  /** After so many failed tries a message goes to the poison queue. */
  readonly maxDequeueCount: number;
  readonly maxPollingIntervalMs: number;
  /** How long a message that failed stays invisible before its next try. */
  readonly retryVisibilityMs: number;
  readonly messageEncoding: "base64" | "none";
}

export interface HostSettings {
  /** Without slashes at its ends; empty for none. */
  readonly routePrefix: string;
  readonly queues: QueueSettings;
  /** Undefined: no limit. */
  readonly functionTimeoutMs: number | undefined;
  /** By category prefix; "default" for the others. */
  readonly logLevel: ReadonlyMap<string, LogLevel>;
}

export interface LocalSettings {
  readonly values: Readonly<Record<string, string>>;
  readonly port: number | undefined;
}

const timeSpanPattern = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?$/;

/** A .NET TimeSpan, `[d.]hh:mm:ss[.fffffff]`, in milliseconds; undefined when it is none. */
export function parseTimeSpan(text: string): number | undefined {
  const parts = timeSpanPattern.exec(text);
  if (parts === null) return undefined;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0", fraction = "0"] = parts;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const wholeSeconds = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
  return wholeSeconds * 1000 + Math.floor(Number(`0.${fraction}`) * 1000);
}

const timeSpan = z.string().transform((text, context) => {
  const ms = parseTimeSpan(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: `expected hh:mm:ss, received ${JSON.stringify(text)}` });
  return z.NEVER;
});

const logLevel = z.string().toLowerCase().pipe(z.enum(logLevels));

// The defaults are the host's own. Numbers are coerced: an override from the environment is text.
const hostJson = z.object({
  version: z.literal("2.0"),
  functionTimeout: z.union([z.literal("-1").transform(() => null), timeSpan]).default(30 * 60_000),
  logging: z.object({ logLevel: z.record(z.string(), logLevel).default({}) }).prefault({}),
  extensions: z
    .object({
      http: z.object({ routePrefix: z.string().default("api") }).prefault({}),
      queues: z
        .object({
          batchSize: z.coerce.number().int().min(1).max(32).default(16),
          newBatchThreshold: z.coerce.number().int().min(0).optional(),
          maxDequeueCount: z.coerce.number().int().min(1).default(5),
          maxPollingInterval: timeSpan.default(60_000),
          visibilityTimeout: timeSpan.default(0),
          messageEncoding: z
            .string()
            .toLowerCase()
            .pipe(z.enum(["base64", "none"]))
            .default("base64"),
        })
        .prefault({}),
    })
    .prefault({}),
});

const localSettingsJson = z.object({
  IsEncrypted: z.literal(false, "encrypted settings can only be read by the Functions tools").optional(),
  Values: z.record(z.string(), z.string()).default({}),
  Host: z.object({ LocalHttpPort: z.int().min(0).max(65_535).optional() }).prefault({}),
});

/** host.json of the app at `root`, with the overrides that the host takes from the environment. */
export function readHostSettings(root: string, env: Environment): HostSettings {
  const json = readJson(join(root, "host.json")) ?? fail("host.json", `there is none in ${root}`);
  const host = parse("host.json", hostJson, inCaseOf(hostJson, withOverrides(json, env)));
  const { http, queues } = host.extensions;
  return {
    routePrefix: http.routePrefix.replace(/^\/+|\/+$/g, ""),
    queues: {
      batchSize: queues.batchSize,
      newBatchThreshold: queues.newBatchThreshold ?? Math.floor(queues.batchSize / 2),
      maxDequeueCount: queues.maxDequeueCount,
      maxPollingIntervalMs: queues.maxPollingInterval,
      retryVisibilityMs: queues.visibilityTimeout,
      messageEncoding: queues.messageEncoding,
    },
    functionTimeoutMs: host.functionTimeout ?? undefined,
    logLevel: new Map(Object.entries(host.logging.logLevel)),
  };
}

/** local.settings.json of the app at `root`; empty when there is none. */
export function readLocalSettings(root: string): LocalSettings {
  const json = readJson(join(root, "local.settings.json")) ?? {};
  const local = parse("local.settings.json", localSettingsJson, json);
  return { values: local.Values, port: local.Host.LocalHttpPort };
}

/** Replaces each `%NAME%` by that setting. Throws when there is no such setting: so does the host. */
export function expandSettings(text: string, env: Environment): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = env[name];
    if (value === undefined || value === "") throw new Error(`The setting ${name}, used in "${text}", is not set.`);
    return value;
  });
}

const overridePrefix = "azurefunctionsjobhost__";

/** As everywhere in the host's configuration, upper and lower case are the same. */
function withOverrides(json: unknown, env: Environment): unknown {
  const result = structuredClone(json);
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toLowerCase().startsWith(overridePrefix)) continue;
    const path = name.slice(overridePrefix.length).split("__");
    const last = path.pop() ?? "";
    let target = result as Record<string, unknown>;
    for (const part of path) {
      const key = keyOf(target, part);
      const inner = target[key];
      target = target[key] = typeof inner === "object" && inner !== null ? { ...inner } : {};
    }
    target[keyOf(target, last)] = value;
  }
  return result;
}

/** The name by which the object has this key, in whatever case; the key itself when it has none. */
function keyOf(object: object, key: string): string {
  return Object.keys(object).find((name) => name.toLowerCase() === key.toLowerCase()) ?? key;
}

/** The same values, with the names of objects written as the schema has them. */
function inCaseOf(schema: unknown, json: unknown): unknown {
  if (schema instanceof z.ZodPrefault) return inCaseOf(schema.unwrap(), json);
  if (!(schema instanceof z.ZodObject) || typeof json !== "object" || json === null) return json;
  const shape = schema.shape as Readonly<Record<string, unknown>>;
  const named = Object.entries(json).map(([key, value]) => [keyOf(shape, key), value] as const);
  return Object.fromEntries(named.map(([name, value]) => [name, inCaseOf(shape[name], value)]));
}

function parse<T>(file: string, schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  return result.success ? result.data : fail(file, z.prettifyError(result.error).replaceAll("\n", " "));
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    return fail(path, error instanceof Error ? error.message : String(error));
  }
}

function fail(file: string, reason: string): never {
  throw new Refusal(`${file} cannot be used: ${reason}.`);
}
