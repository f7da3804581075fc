// host.json and local.settings.json as the Functions host reads them.
// Promise: what is returned was checked; a file that cannot be used is one sentence that names it.

import { join } from "node:path";
import * as z from "zod";
import { readJsonFile } from "./json-file.ts";
import { Refusal } from "./refusal.ts";
import { parseTimeSpan } from "./time-span.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The host would stop at it. */
export class UnusableHostJson extends Refusal {
  override readonly name = "UnusableHostJson";
}

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

/** In host.json text and number are one: what the host is given is text, whatever it was in the file. */
const written = z.union([z.string(), z.number()]).transform(String);

const timeSpan = written.transform((text, context) => {
  const ms = parseTimeSpan(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: `expected hh:mm:ss, received ${JSON.stringify(text)}` });
  return z.NEVER;
});

const timeSpanFrom = (leastMs: number) =>
  timeSpan.refine((ms) => ms >= leastMs, `expected at least ${leastMs} ms, which the host asks for`);

const integer = (least: number, most = 2 ** 31 - 1) =>
  written
    .pipe(z.string().regex(/^\s*\+?\d{1,10}\s*$/, "expected an integer"))
    .transform(Number)
    .pipe(z.int().min(least).max(most));

const logLevel = z.string().toLowerCase().pipe(z.enum(logLevels));

/**
 * Where the host has a route begin, it puts the prefix and a slash: one of its own makes every route one that cannot
 * be.
 */
const routePrefix = z.string().regex(/^$|^[^/~]([^/]|\/(?=[^/]))*$/, "expected no slash at its ends, and none twice");

// The defaults are the host's own. What is null is as good as absent.
const hostJson = z.object({
  version: written.pipe(z.string().regex(/^2(\.0)?$/, 'expected "2.0"')),
  functionTimeout: z.union([z.literal(["-1", -1]).transform(() => null), timeSpanFrom(1_000)]).default(30 * 60_000),
  logging: z.object({ logLevel: z.record(z.string(), logLevel).default({}) }).prefault({}),
  extensions: z
    .object({
      http: z.object({ routePrefix: routePrefix.default("api") }).prefault({}),
      queues: z
        .object({
          batchSize: integer(1, 32).default(16),
          newBatchThreshold: integer(0).optional(),
          maxDequeueCount: integer(1).default(5),
          maxPollingInterval: timeSpanFrom(100).default(60_000),
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

/**
 * host.json of the app at `root`, with the overrides that the host takes from the environment. Throws where the host
 * would stop.
 */
export function readHostSettings(root: string, env: Environment): HostSettings {
  const file = "host.json";
  const json = readJson(file, root, UnusableHostJson) ?? fail(file, `there is none in ${root}`, UnusableHostJson);
  const host = parse(file, hostJson, inCaseOf(hostJson, withoutNulls(withOverrides(json, env))), UnusableHostJson);
  const { http, queues } = host.extensions;
  return {
    routePrefix: http.routePrefix,
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
  const file = "local.settings.json";
  const local = parse(file, localSettingsJson, readJson(file, root, Refusal) ?? {}, Refusal);
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
  if (typeof json !== "object" || json === null) return json;
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

function withoutNulls(json: unknown): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const given = Object.entries(json).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, withoutNulls(value)]));
}

function parse<T>(file: string, schema: z.ZodType<T>, json: unknown, As: typeof Refusal): T {
  const result = schema.safeParse(json);
  return result.success ? result.data : fail(file, z.prettifyError(result.error).replaceAll("\n", " "), As);
}

function readJson(file: string, root: string, As: typeof Refusal): unknown {
  try {
    return readJsonFile(join(root, file));
  } catch (error) {
    return fail(file, error instanceof Error ? error.message : String(error), As);
  }
}

function fail(file: string, reason: string, As: typeof Refusal): never {
  throw new As(`${file} cannot be used: ${reason}.`);
}
