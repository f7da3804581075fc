// The definition of one call of the interface, and how its path is read and written. Servers parse with it, clients are
// typed by it, the OpenAPI document is made from it. Media types are at its end.

import type * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";

export interface Content {
  readonly schema: z.ZodType;
  readonly description?: string;
  readonly example?: unknown;
}

export type Contents = Readonly<Partial<Record<MediaType, Content>>>;

export interface Operation {
  /** In camel case; the name of the function, too. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: PathTemplate;
  /**
   * The permission that a caller needs in the store of the path, or, without one, in all stores; `public` is for
   * everyone.
   */
  readonly access: "public" | "read" | "write" | "manage";
  readonly tag:
    "Produce" | "Consume" | "Manage" | "Stores" | "Names" | "Leases" | "Consumers" | "Subscriptions" | "Service";
  readonly summary: string;
  readonly description: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly headers: z.ZodObject;
  /** Absent: no body is read. */
  readonly body?: Contents;
  readonly status: 200 | 204;
  /** 201 with the same answer when it made something new. */
  readonly created?: true;
  /** 202 with a job, where it takes longer than a call may. */
  readonly accepted?: Contents;
  /** 204 to a client that comes back to a stream of which nothing is left. */
  readonly over?: true;
  /** In the order of preference where a caller has none; nothing with 204. */
  readonly answer: Contents;
  readonly errors: readonly ErrorCode[];
}

/** The methods that its endpoint answers: HEAD wherever GET is. */
export function methodsOf({ method }: Pick<Operation, "method">): readonly (Operation["method"] | "HEAD")[] {
  return method === "GET" ? ["GET", "HEAD"] : [method];
}

/** Keeps the exact type of the definition. */
export function operation<const Definition extends Operation>(definition: Definition): Definition {
  return definition;
}

export type MediaTypesOf<C> = Extract<keyof C, MediaType>;

export function mediaTypesOf<C extends Contents>(contents: C): readonly MediaTypesOf<C>[] {
  return Object.keys(contents) as MediaTypesOf<C>[];
}

// Paths: from a template and its parameters to a URL's path and back. Names are read from the raw path. And queries:
// read as strictly, where URLSearchParams would put other characters for bytes that are none.
//
// Promise: a `/` in a name arrives as one, whether it was sent as `%2F` or `%252F`. The Functions host leaves `%2F` as
// it is and encodes its `%` once more, so that both reach the app as `%252F`; where no host is in between they differ.
// No name has a `%`.

/**
 * `/v1/stores/{store}/spaces`: literals and `{parameters}`, each a whole step of the path; a last `{*parameter}` is all
 * the steps that are left.
 */
export type PathTemplate = `/${string}`;

/**
 * The parameters as text, decoded; undefined when the path is another. Literals match in any case, as routes of the
 * host do.
 */
export function matchPath(template: PathTemplate, rawPath: string): ReadonlyMap<string, string> | undefined {
  const wanted = template.slice(1).split("/");
  const steps = rawPath.slice(1).split("/");
  const rest = /^\{\*(.+)\}$/.exec(wanted.at(-1) ?? "")?.[1];
  if (rest !== undefined && steps.length >= wanted.length) {
    // Each step for itself: what a caller has encoded is of a name.
    steps.splice(wanted.length - 1, Infinity, steps.slice(wanted.length - 1).join("/"));
  }
  if (steps.length === wanted.length + 1 && steps.at(-1) === "") steps.pop();
  if (!rawPath.startsWith("/") || steps.length !== wanted.length) return undefined;
  const raw = new Map<string, string>();
  for (const [index, step] of steps.entries()) {
    const part = wanted[index] ?? "";
    if (part.startsWith("{"))
      raw.set(rest !== undefined && index === wanted.length - 1 ? rest : part.slice(1, -1), step);
    else if (part.toLowerCase() !== step.toLowerCase()) return undefined;
  }
  const parameters = new Map<string, string>();
  for (const [name, step] of raw) parameters.set(name, decodeText(name, step).replaceAll(/%2F/gi, "/"));
  return parameters;
}

export function formatPath(template: PathTemplate, parameters: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const value = parameters[name];
    if (value === undefined) throw invalidArgument(name, "a value");
    return encodeURIComponent(value);
  });
}

/** The parameters of `?a=1&b=2`, in their order. `ignored`, in any case, is left out whatever its value is. */
export function* queryPairs(search: string, ignored: string): Generator<readonly [string, string], void, undefined> {
  for (const pair of search.replace(/^\?/, "").replaceAll("+", " ").split("&")) {
    if (pair === "") continue;
    const [rawName = "", ...rest] = pair.split("=");
    const name = decodeText("query", rawName);
    if (name.toLowerCase() !== ignored) yield [name, decodeText(name, rest.join("="))];
  }
}

function decodeText(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument(name, "percent-encoded UTF-8", text);
  }
}

// Media types: what a body is, and which of the forms on offer a caller wants.

export const mediaTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  events: "text/event-stream",
  problem: "application/problem+json",
  html: "text/html",
} as const;

/** Other names of the same form. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["application/jsonl", mediaTypes.ndjson],
  ["application/x-jsonlines", mediaTypes.ndjson],
  ["application/ndjson", mediaTypes.ndjson],
]);

export type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes];

/**
 * The offered type that `accept` (RFC 9110, 12.5.1) prefers; the first offered one when it has no preference.
 * `not_acceptable` when it wants none of them.
 */
export function negotiate<Offered extends string>(accept: string | null, offered: readonly Offered[]): Offered {
  const first = offered[0];
  if (first === undefined) throw new StoreError("internal", "Nothing is on offer.");
  if (accept === null || accept.trim() === "") return first;
  const ranges = accept.split(",").map(parseRange);
  let best: Offered | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  if (best === undefined) {
    throw new StoreError("not_acceptable", `Accept: expected one of ${offered.join(", ")}.`, {
      details: { offered: [...offered] },
    });
  }
  return best;
}

/** The type that the body has, of those that are taken; `unsupported_media_type` otherwise. */
export function bodyType<Taken extends string>(contentType: string | null, taken: readonly Taken[]): Taken {
  const [essence = "", ...parameters] = (contentType ?? "").split(";").map((part) => part.trim().toLowerCase());
  const found = taken.find((type) => type === (aliases.get(essence) ?? essence));
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  if (found !== undefined && (charset === undefined || /^"?utf-?8"?$/.test(charset))) return found;
  const received = contentType === null ? "none" : JSON.stringify(contentType.slice(0, 100));
  throw new StoreError(
    "unsupported_media_type",
    `Content-Type: expected ${taken.join(" or ")} in UTF-8; received ${received}.`,
    { details: { accepted: [...taken] } },
  );
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith("q="));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return { type: aliases.get(type) ?? type, quality: value >= 0 && value <= 1 ? value : 0 };
}

/** The most specific range that covers the type decides, whatever the others say. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const group = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const wanted of [type, group, "*/*"]) {
    const matching = ranges.filter((range) => range.type === wanted);
    if (matching.length > 0) return Math.max(...matching.map((range) => range.quality));
  }
  return 0;
}
