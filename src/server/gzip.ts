// Bodies in the one coding that everybody has: unpacked as they arrive, packed as they leave.
//
// Promise: memory is bounded by a piece each way, whatever a piece becomes; the work is done beside the event loop.

import { Readable, pipeline } from "node:stream";
import { constants, createGunzip, createGzip } from "node:zlib";

import { invalidArgument } from "../core/errors.ts";
import { mediaTypes } from "../wire/media.ts";
import type { HttpResponse } from "./http.ts";

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
