// Requests and answers as the handlers see them, whatever carries them; how a large text leaves, and how bodies are
// packed.

import { Readable, pipeline } from "node:stream";
import { constants, createGunzip, createGzip } from "node:zlib";

import { invalidArgument } from "../core/errors.ts";
import { mediaTypes } from "../wire/operation.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Holding } from "./overload.ts";

/** The part of a request that is used; `Request` and the Functions library's have it. */
export interface HttpRequest {
  readonly method: string;
  /** Absolute, with the path as it was sent. */
  readonly url: string;
  /** Where a short path stands for another, which `url` then is: the one that was sent. */
  readonly sentUrl?: string;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableBody | null;
}

export interface ReadableBody {
  getReader(): BodyReader;
}

export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
}

/** How the connection of one request fares. */
export interface Connection {
  /** Aborts when the caller is gone before the answer was complete. */
  readonly signal: AbortSignal;
  /** Resolves when the caller has taken enough of what was sent, or is gone. */
  writable(): Promise<void>;
  /** Ends the answer where it is, so that the caller sees that it is not complete. False when there is no way to. */
  destroy(): boolean;
}

/**
 * Text leaves as UTF-8, bytes as they are. A streamed body is asked for the next piece only when there is room for it.
 */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;
}

/** An answer as it leaves: its body may have been packed. */
export interface SentResponse extends Omit<HttpResponse, "body"> {
  readonly body?: string | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;
}

/** For requests whose connection cannot be seen. */
export function unseenConnection(): Connection {
  return { signal: new AbortController().signal, writable: () => Promise.resolve(), destroy: () => false };
}

/**
 * Streams a large text in pieces, so that a slow client applies back-pressure. Its bytes are held until the holding is
 * closed, when the text has left.
 */
export function inPieces(answer: HttpResponse, memory: Holding): HttpResponse {
  const { body } = answer;
  if (typeof body !== "string" || body.length <= wireLimits.pieceCharacters) return answer;
  // A budget smaller than a page still lets one page through at a time.
  memory.take(Math.min(Buffer.byteLength(body), memory.largest));
  return { ...answer, body: piecesOf(body) };
}

/** No character is cut in two: pieces are encoded one by one. */
export function* piecesOf(text: string): Generator<string, void, undefined> {
  for (let at = 0; at < text.length;) {
    let end = at + wireLimits.pieceCharacters;
    if (isLowSurrogate(text.charCodeAt(end))) end += 1;
    yield text.slice(at, end);
    at = end;
  }
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

// Bodies in the one coding that everybody has: unpacked as they arrive, packed as they leave.
//
// Promise: memory is bounded by a piece each way, whatever a piece becomes; the work is done beside the event loop.

/** Below this many characters an answer costs more to pack than to send: it fits a packet or two as it is. */
export const gzipFrom = 2_048;
/** Events as JSON become a quarter with the fastest level; the usual one takes half the time more for a tenth less. */
const level = constants.Z_BEST_SPEED;

/** Pieces of at most 16 KiB. `invalid_argument` for what is not gzip, or not all of it. Leaving stops the pieces. */
export async function* gunzipped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const source = Readable.from(pieces, { highWaterMark: 1 });
  const gunzip = createGunzip();
  // An error of either ends both, and is thrown below.
  pipeline(source, gunzip, () => undefined);
  try {
    for await (const piece of gunzip) yield piece as Uint8Array;
  } catch (error) {
    throw isOfZlib(error) ? invalidArgument("body", "all of a gzip stream, as Content-Encoding says") : error;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** Each piece flushes all that has come: none waits for the next. */
export async function* gzipped(
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = Readable.from(pieces, { highWaterMark: 1 });
  const gzip = createGzip({ level, flush: constants.Z_SYNC_FLUSH });
  pipeline(source, gzip, () => undefined);
  try {
    for await (const piece of gzip) yield piece as Uint8Array;
  } finally {
    source.destroy();
    gzip.destroy();
  }
}

/** Whether `Accept-Encoding` (RFC 9110, 12.5.3) asks for gzip, and not for something else rather. */
export function wantsGzip(accepted: string | null): boolean {
  const qualities = new Map(
    (accepted ?? "").split(",").map((item) => {
      const [coding = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
      const given = parameters.find((parameter) => parameter.startsWith("q="));
      const quality = given === undefined ? 1 : Number(given.slice(2));
      return [coding === "x-gzip" ? "gzip" : coding, quality >= 0 && quality <= 1 ? quality : 0] as const;
    }),
  );
  const gzip = qualities.get("gzip") ?? qualities.get("*") ?? 0;
  return gzip > 0 && gzip >= (qualities.get("identity") ?? 0);
}

/** The answer as this caller takes it: a page or lines are to be packed if it asks for that, and they are worth it. */
export function packing(answer: HttpResponse, accepted: string | null): HttpResponse {
  const { body, headers } = answer;
  const type = headers["content-type"];
  if (body === undefined || (type !== mediaTypes.json && type !== mediaTypes.ndjson)) return answer;
  const varied = { ...headers, vary: "Accept-Encoding" };
  if (!wantsGzip(accepted) || (typeof body === "string" && body.length < gzipFrom)) {
    return { ...answer, headers: varied };
  }
  const pieces = typeof body === "string" ? [body] : body;
  return { ...answer, headers: { ...varied, "content-encoding": "gzip" }, body: pieces };
}

export function isPacked({ headers }: HttpResponse): boolean {
  return headers["content-encoding"] === "gzip";
}

function isOfZlib(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" && code.startsWith("Z_");
}
