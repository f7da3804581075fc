// The definition of one call of the interface, and how its path is read and written. Servers parse with it, clients are
// typed by it, the OpenAPI document is made from it.

import type * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import type { MediaType } from "./media.ts";
import { invalidArgument } from "../core/errors.ts";

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
  readonly tag: "Produce" | "Consume" | "Manage" | "Names" | "Leases" | "Consumers" | "Subscriptions" | "Service";
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
