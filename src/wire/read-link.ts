// Links that let their holder read one segment, as entries or as a Durable Stream, without a key: for pages in
// browsers.
//
//   <name of the key>.<what may be read, as JSON in base64url>.<HMAC-SHA256 of both, in base64url>
//
// Promise: pure. What is parsed is well-formed; whether it is signed is the caller's to check.

import * as z from "zod";

import { segmentNameSchema, spaceNameSchema, storeIdSchema } from "./names.ts";
import type { PathTemplate } from "./operation.ts";

export const readLinkPath: PathTemplate = "/v1/links/{link}";

/** A link is good for so long at the most, seconds. */
export const readLinkSecondsMax = 86_400;

const content = z.object({
  store: storeIdSchema,
  space: spaceNameSchema,
  segment: segmentNameSchema,
  /** `entries`: as consume reads a segment. `stream`: as the Durable Streams protocol does. */
  form: z.enum(["entries", "stream"]),
  /** Milliseconds since 1970. */
  expiresAt: z.int().min(0),
  /** Of a stream: this life alone. */
  life: z.int().min(0).optional(),
});

export type ReadLink = z.output<typeof content>;

export interface SignedReadLink {
  readonly keyName: string;
  /** The part of the text that is signed. */
  readonly signed: string;
  readonly signature: Buffer;
  readonly link: ReadLink;
}

/** Undefined: it is no link. */
export function parseReadLink(text: string): SignedReadLink | undefined {
  const match = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{1,2000})\.([A-Za-z0-9_-]{43})$/.exec(text);
  if (match === null) return undefined;
  const [, keyName = "", body = "", signature = ""] = match;
  try {
    const parsed = content.safeParse(JSON.parse(Buffer.from(body, "base64url").toString()));
    if (!parsed.success) return undefined;
    const signed = `${keyName}.${body}`;
    return { keyName, signed, signature: Buffer.from(signature, "base64url"), link: parsed.data };
  } catch {
    return undefined;
  }
}

/** Secrets by their names. */
export type ReadLinkKeys = ReadonlyMap<string, string>;

/** `name:secret`, with commas between several. Undefined: it is none. */
export function parseReadLinkKeys(text: string): ReadLinkKeys | undefined {
  const keys = new Map<string, string>();
  for (const item of text.split(",")) {
    const [, name, secret] = /^([A-Za-z0-9_-]{1,32}):([\x21-\x2b\x2d-\x7e]{32,256})$/.exec(item.trim()) ?? [];
    if (name === undefined || secret === undefined || keys.has(name)) return undefined;
    keys.set(name, secret);
  }
  return keys;
}
