// The calls of the Durable Streams protocol, with their headers and offsets. The protocol describes these calls. The
// OpenAPI document leaves them out, because a stream's path has any number of steps, and its body any type.

import * as z from "zod";

import { invalidArgument, StoreError } from "../core/errors.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../core/ids.ts";
import type { SpaceName, StoreId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { storeIdSchema, spaceNameSchema } from "./names.ts";
import { operation } from "./operation.ts";
import type { Operation, PathTemplate } from "./operation.ts";
import { bodyErrors, readErrors, writeErrors } from "./operation-parts.ts";

/** The paths of any space's streams, and of the space that a setting names. */
export const streamPath: PathTemplate = "/v1/stores/{store}/spaces/{space}/streams/{*path}";
export const defaultStreamPath: PathTemplate = "/v1/stream/{*path}";

/** The space of the short path's streams, where nobody is asked for a key and nothing else is set. */
export const localStreamSpace = parseStreamSpace("00000000-0000-0000-0000-000000000000/streams");

/** `<store>/<space>`. Undefined: it is none. */
export function parseStreamSpace(text: string): { readonly store: StoreId; readonly space: SpaceName } | undefined {
  const at = text.indexOf("/");
  try {
    return at < 0 ? undefined : { store: parseStoreId(text.slice(0, at)), space: parseSpaceName(text.slice(at + 1)) };
  } catch {
    return undefined;
  }
}

export const streamHeaders = {
  nextOffset: "Stream-Next-Offset",
  cursor: "Stream-Cursor",
  upToDate: "Stream-Up-To-Date",
  closed: "Stream-Closed",
  ttl: "Stream-TTL",
  expiresAt: "Stream-Expires-At",
  seq: "Stream-Seq",
  dataEncoding: "Stream-SSE-Data-Encoding",
  forkedFrom: "Stream-Forked-From",
  producerId: "Producer-Id",
  producerEpoch: "Producer-Epoch",
  producerSeq: "Producer-Seq",
  expectedSeq: "Producer-Expected-Seq",
  receivedSeq: "Producer-Received-Seq",
} as const;

/** The response headers that pages of other origins may read. */
export const exposedStreamHeaders: readonly string[] = [
  ...[streamHeaders.nextOffset, streamHeaders.cursor, streamHeaders.upToDate, streamHeaders.closed],
  ...[streamHeaders.ttl, streamHeaders.expiresAt, streamHeaders.dataEncoding],
  ...[streamHeaders.producerEpoch, streamHeaders.producerSeq, streamHeaders.expectedSeq, streamHeaders.receivedSeq],
  ...["etag", "content-type", "content-encoding"],
];

const producerIdBytesMax = 256;
const seqBytesMax = 1_024;
const contentTypeCharactersMax = 256;
/** A hundred years: what is longer is a mistake. */
const ttlSecondsMax = 3_155_760_000;

/** Digits without a sign, a point or leading zeros. */
function digits(max: number) {
  const expected = `an integer from 0 to ${max} in digits`;
  return z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/, { error: expected })
    .transform(Number)
    .refine((value) => value <= max, { error: expected });
}

const closedSchema = z.string().transform((text) => text.toLowerCase() === "true");

const makeHeaders = z.object({
  [streamHeaders.ttl]: digits(ttlSecondsMax).optional(),
  [streamHeaders.expiresAt]: z.iso
    .datetime({ offset: true, error: "a time such as 2030-01-01T00:00:00Z" })
    .transform((text) => Date.parse(text))
    .optional(),
  [streamHeaders.closed]: closedSchema.optional(),
  [streamHeaders.forkedFrom]: z.string().optional(),
});

const appendHeaders = z.object({
  [streamHeaders.closed]: closedSchema.optional(),
  [streamHeaders.seq]: z.string().max(seqBytesMax).optional(),
  [streamHeaders.producerId]: z.string().min(1).max(producerIdBytesMax).optional(),
  [streamHeaders.producerEpoch]: digits(limits.sequenceMax).optional(),
  [streamHeaders.producerSeq]: digits(limits.sequenceMax).optional(),
});

const readHeaders = z.object({ "If-None-Match": z.string().optional() });
const readQuery = z.looseObject({
  offset: z.string().optional(),
  live: z.enum(["long-poll", "sse"], { error: "long-poll or sse" }).optional(),
  cursor: z.string().max(100).optional(),
  /** The stream's life, or else 410: the first number of its offsets. */
  life: digits(limits.sequenceMax).optional(),
});

const inStream = z.object({ store: storeIdSchema, space: spaceNameSchema, path: z.string() });
const noHeaders = z.object({});
const anyQuery = z.looseObject({});
const common = { path: streamPath, params: inStream, answer: {}, description: "" } as const;

export const streamMake = operation({
  ...{ id: "streamMake", method: "PUT", access: "write", tag: "Produce", summary: "Make a stream", ...common },
  ...{ query: anyQuery, headers: makeHeaders, status: 200, created: true },
  errors: [...writeErrors, "stream_conflict"],
});

export const streamAppend = operation({
  ...{ id: "streamAppend", method: "POST", access: "write", tag: "Produce", summary: "Append to a stream", ...common },
  ...{ query: anyQuery, headers: appendHeaders, status: 200 },
  errors: [...writeErrors, "not_found", "stream_conflict", "stream_closed"],
});

export const streamRead = operation({
  ...{ id: "streamRead", method: "GET", access: "read", tag: "Consume", summary: "Read a stream", ...common },
  ...{ query: readQuery, headers: readHeaders, status: 200 },
  errors: [...readErrors, "not_found", "trimmed"],
});

export const streamDelete = operation({
  ...{ id: "streamDelete", method: "DELETE", access: "manage", tag: "Manage", summary: "Delete a stream", ...common },
  ...{ query: anyQuery, headers: noHeaders, status: 204 },
  errors: [...readErrors, ...bodyErrors, "not_found"],
});

export const streamOperations: readonly Operation[] = [streamMake, streamAppend, streamRead, streamDelete];

/** The name of a stream, as a segment's; `reservedPrefix` is the protocol's own. */
const reservedPrefix = "__ds";

export function parseStreamName(path: string): ReturnType<typeof parseSegmentName> {
  const bytes = Buffer.byteLength(path);
  if (bytes > limits.segmentNameBytesMax) {
    throw new StoreError(
      "uri_too_long",
      `A stream's path has at most ${limits.segmentNameBytesMax} bytes; received ${bytes}.`,
      { details: { limit: limits.segmentNameBytesMax, size: bytes } },
    );
  }
  if (path === reservedPrefix || path.startsWith(`${reservedPrefix}/`)) {
    throw invalidArgument("path", `another than ${reservedPrefix}, which is the protocol's own`, path);
  }
  return parseSegmentName(path);
}

/** The content type of a stream's body, as its header had it. */
export function parseContentType(text: string): string {
  const valid = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+\s*(;[\x20-\x7e]*)?$/i.test(text);
  if (!valid || text.length > contentTypeCharactersMax) throw invalidArgument("Content-Type", "a media type", text);
  return text;
}

/** A place in a stream: behind so many entries of its segment. */
export type StreamOffset =
  | { readonly kind: "beginning" }
  | { readonly kind: "now" }
  | { readonly kind: "after"; readonly life: number; readonly sequence: number };

/** The same for all streams, so that text sorts as places do. */
const offsetDigits = 16;

export function offsetText(life: number, sequence: number): string {
  return `${String(life).padStart(offsetDigits, "0")}_${String(sequence).padStart(offsetDigits, "0")}`;
}

/** Absent: the beginning. */
export function parseStreamOffset(text: string | undefined): StreamOffset {
  if (text === undefined || text === "-1") return { kind: "beginning" };
  if (text === "now") return { kind: "now" };
  const match = /^(\d{16})_(\d{16})$/.exec(text);
  if (match === null) throw invalidArgument("offset", "-1, now, or a Stream-Next-Offset", text);
  return { kind: "after", life: Number(match[1]), sequence: Number(match[2]) };
}

/**
 * So many seconds have one cursor: whoever waits at the same place in them asks for the same URL, which a cache answers
 * once.
 */
const cursorSeconds = 20;

/** Greater than the one that came, which a cache may still hold an answer of. */
export function cursorAt(now: number, former: string | undefined, jitter: number): string {
  const current = Math.floor(now / (cursorSeconds * 1_000));
  const given = former !== undefined && /^\d{1,15}$/.test(former) ? Number(former) : -1;
  return String(given < current ? current : given + 1 + Math.floor(jitter * 180));
}
