// What is known of one call of the interface. Servers parse with it, clients are typed by it, the OpenAPI document is made from it.

import type * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import type { MediaType } from "./media.ts";
import type { PathTemplate } from "./path.ts";

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
  /** What a caller must be allowed in the store of the path; `public` is for everyone. */
  readonly access: "public" | "read" | "write" | "manage";
  readonly tag: "Produce" | "Consume" | "Manage" | "Names" | "Leases" | "Subscriptions" | "Service";
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
