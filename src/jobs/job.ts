// A job: work that takes longer than a call may, as it is stored and told. Pure.

import * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import { corruptData, readStored } from "../core/errors.ts";
import type { JobId, SegmentName, SpaceName, StoreId } from "../core/ids.ts";
import { parseJobId, parseSegmentName, parseSpaceName } from "../core/ids.ts";
import { fromHex, hexKey, uuidPart } from "../codec/lexkey.ts";
import type { Properties, Row } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

export interface JobRequest {
  /** Names the work that does it. */
  readonly kind: string;
  readonly space?: SpaceName | undefined;
  readonly segment?: SegmentName | undefined;
  /** Input of the work, in its own words. */
  readonly asked: Facts;
  /** The caller who asked for it, as far as is known. */
  readonly caller: string;
}

/** Plain values by name. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

export interface Job extends JobRequest {
  readonly store: StoreId;
  readonly id: JobId;
  /** `failed`: it cannot be done, and is not tried again. */
  readonly state: "waiting" | "running" | "done" | "failed";
  /** How far it is: the work's own words. */
  readonly progress: Facts;
  /** By the storage's time, milliseconds since 1970. */
  readonly createdAt: number;
  /** When its last turn ended; 0: it had none. */
  readonly workedAt: number;
  readonly turns: number;
  /** The error of its last turn. */
  readonly lastError?: { readonly code: ErrorCode; readonly message: string; readonly at: number } | undefined;
}

export function hasEnded({ state }: Job): boolean {
  return state === "done" || state === "failed";
}

export const jobsPartition = (store: StoreId): string => hexKey("JOB", uuidPart(store));
export const jobRow = (id: JobId): string => hexKey(uuidPart(id));

/** Ids sort by the time they were made at, as those of version 7 of the UUID do (RFC 9562). */
export function newJobId(now: number, random: string): JobId {
  const time = now.toString(16).padStart(12, "0");
  return parseJobId(`${time.slice(0, 8)}-${time.slice(8, 12)}-7${random.slice(15)}`);
}

/** When it was made. */
export function timeOfJob(id: JobId): number {
  return Number.parseInt(id.replace("-", "").slice(0, 12), 16);
}

const format = 1n;

const factsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const stateSchema = z.enum(["waiting", "running", "done", "failed"]);
const errorSchema = z.object({ code: z.string(), message: z.string(), at: z.number() });

export function encodeJob(job: Job): Properties {
  const { kind, space, segment, asked, caller, state, progress, createdAt, workedAt, turns, lastError } = job;
  return {
    [formatProperty]: format,
    ...{ kind, caller, state, asked: JSON.stringify(asked), progress: JSON.stringify(progress) },
    ...{ created: BigInt(createdAt), worked: BigInt(workedAt), turns: BigInt(turns) },
    ...(space === undefined ? {} : { space }),
    ...(segment === undefined ? {} : { segment }),
    ...(lastError === undefined ? {} : { error: JSON.stringify(lastError) }),
  };
}

export const decodeJob = decoder((row: Row, store: StoreId): Job => {
  const what = "a job";
  checkRowFormat(row, format, what);
  const has = (property: string): boolean => row.properties[property] !== undefined;
  return {
    ...{ store, id: readStored(what, () => idOfRow(row.row)) },
    ...{ kind: textIn(row, "kind"), caller: textIn(row, "caller") },
    state: jsonIn(row, "state", stateSchema, (text) => text),
    asked: jsonIn(row, "asked", factsSchema),
    progress: jsonIn(row, "progress", factsSchema),
    ...{ createdAt: numberIn(row, "created"), workedAt: numberIn(row, "worked"), turns: numberIn(row, "turns") },
    space: has("space") ? readStored(what, () => parseSpaceName(textIn(row, "space"))) : undefined,
    segment: has("segment") ? readStored(what, () => parseSegmentName(textIn(row, "segment"))) : undefined,
    // Codes come and go with versions: whatever is stored there is told.
    lastError: has("error") ? (jsonIn(row, "error", errorSchema) as Job["lastError"]) : undefined,
  };
});

function idOfRow(row: string): JobId {
  const digits = Buffer.from(fromHex(row)).toString("hex");
  return parseJobId(digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"));
}

function jsonIn<T>(row: Row, name: string, schema: z.ZodType<T>, parse: (text: string) => unknown = JSON.parse): T {
  let value: unknown;
  try {
    value = parse(textIn(row, name));
  } catch (error) {
    throw corruptData(`property ${name} of row ${row.row}`, error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw corruptData(`property ${name} of row ${row.row}`, parsed.error);
  return parsed.data;
}
