// The body of a request: read once, counted while it is read, never cancelled.
//
// Promise: the bytes that are held count against a budget and stay within the limit; a body that does not come is
// waited for only so long. The rest that a handler leaves is read and dropped, because giving up a body would close the
// connection before the answer has left.

import { invalidArgument, StoreError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import { limits } from "../core/limits.ts";
import { bodyType, mediaTypesOf } from "../wire/operation.ts";
import type { Contents } from "../wire/operation.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { gunzipped } from "./http.ts";
import type { BodyReader, HttpRequest } from "./http.ts";
import type { Holding } from "./overload.ts";

/**
 * Pieces are kept in blocks that double up to this, bytes: a caller may send single bytes, and each would cost a
 * hundred.
 */
const blockBytesMin = 4 * 1024;
const blockBytesMax = 256 * 1024;

export class RequestBody {
  readonly #reader: BodyReader | undefined;
  readonly #clock: Clock;
  readonly #times: BodyTimes;
  readonly #bytesMax: number;
  readonly #encoding: string;
  readonly #announced: number;
  #pace: BodyPace;
  /** A read that was begun and not waited for to its end. */
  #reading: ReturnType<BodyReader["read"]> | undefined;
  #read = 0;
  #done = false;
  #brokeOff = false;

  constructor(request: HttpRequest, clock: Clock, times: BodyTimes, bytesMax: number = limits.requestBytesMax) {
    this.#clock = clock;
    this.#times = times;
    this.#pace = new BodyPace(clock, times);
    this.#bytesMax = bytesMax;
    this.#encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
    this.#announced = Number(request.headers.get("content-length") ?? 0);
    this.#reader = request.body?.getReader();
  }

  /** The caller went away in the middle of it. */
  get brokeOff(): boolean {
    return this.#brokeOff;
  }

  /** The pieces as they arrive; what is kept of them the reader holds. Leaving the loop leaves the rest to `drop`. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#announced > this.#bytesMax) throw tooLarge(this.#announced, this.#bytesMax);
    if (!isGzip(this.#encoding)) {
      yield* this.#sent();
      return;
    }
    let bytes = 0;
    for await (const piece of gunzipped(this.#sent())) {
      bytes += piece.byteLength;
      if (bytes > this.#bytesMax) throw tooLarge(bytes, this.#bytesMax);
      yield piece;
    }
  }

  /** All of it, `bytesMax` at most, in blocks, held by `holding` until that is closed. */
  async blocks(holding: Holding, bytesMax: number = limits.requestBytesMax): Promise<readonly Uint8Array[]> {
    // A body larger than the whole budget would be `overloaded` however often it came.
    const most = Math.min(bytesMax, holding.largest);
    if (this.#announced > most) throw tooLarge(this.#announced, most);
    const blocks = new Blocks();
    let bytes = 0;
    for await (const piece of this.pieces()) {
      bytes += piece.byteLength;
      if (bytes > most) throw tooLarge(bytes, most);
      holding.take(piece.byteLength);
      blocks.add(piece);
    }
    return blocks.all();
  }

  async text(holding: Holding, bytesMax: number): Promise<string> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      const parts = (await this.blocks(holding, bytesMax)).map((block) => decoder.decode(block, { stream: true }));
      return parts.join("") + decoder.decode();
    } catch (error) {
      if (error instanceof TypeError) throw invalidArgument("body", "UTF-8");
      throw error;
    }
  }

  /**
   * Reads what is left, as far as the limit and the time go, and forgets it. Whether that was all of it. Never rejects.
   */
  async drop(): Promise<boolean> {
    this.#pace = new BodyPace(this.#clock, this.#times);
    try {
      while ((await this.#next()) !== undefined);
      return this.#read <= this.#bytesMax;
    } catch {
      return false;
    }
  }

  /** As it was sent. */
  async *#sent(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let piece = await this.#next(); piece !== undefined; piece = await this.#next()) yield piece;
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#done || this.#reader === undefined) return undefined;
    this.#reading ??= this.#reader.read().catch(() => {
      this.#done = true;
      this.#brokeOff = true;
      throw invalidArgument("body", "all of the body: it broke off");
    });
    const { done, value } = await this.#pace.wait(this.#reading);
    this.#reading = undefined;
    if (done) {
      this.#done = true;
      return undefined;
    }
    const piece = value as Uint8Array;
    this.#pace.count(piece.byteLength);
    this.#read += piece.byteLength;
    if (this.#read > this.#bytesMax) {
      this.#done = true;
      throw tooLarge(this.#read, this.#bytesMax);
    }
    return piece;
  }
}

class Blocks {
  readonly #full: Uint8Array[] = [];
  #last = new Uint8Array(blockBytesMin);
  #length = 0;

  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.byteLength;) {
      if (this.#length === this.#last.byteLength) {
        this.#full.push(this.#last);
        this.#last = new Uint8Array(Math.min(blockBytesMax, 2 * this.#last.byteLength));
        this.#length = 0;
      }
      const end = Math.min(piece.byteLength, at + this.#last.byteLength - this.#length);
      this.#last.set(piece.subarray(at, end), this.#length);
      this.#length += end - at;
      at = end;
    }
  }

  all(): readonly Uint8Array[] {
    return [...this.#full, this.#last.subarray(0, this.#length)];
  }
}

/** The text of a body that is of a type the operation takes: one that asks for something, unless it may be larger. */
export async function bodyText(
  operation: { readonly body: Contents },
  call: { readonly contentType: string | null; readonly body: RequestBody; readonly memory: Holding },
  bytesMax: number = wireLimits.controlBodyBytesMax,
): Promise<string> {
  bodyType(call.contentType, mediaTypesOf(operation.body));
  return call.body.text(call.memory, bytesMax);
}

/** Whether the body is to be unpacked; `unsupported_media_type` for a coding that is not taken. */
function isGzip(encoding: string): boolean {
  if (encoding === "identity" || encoding === "") return false;
  if (encoding === "gzip" || encoding === "x-gzip") return true;
  throw new StoreError(
    "unsupported_media_type",
    `Content-Encoding: expected gzip, or none; received ${JSON.stringify(encoding.slice(0, 100))}.`,
    { details: { acceptedEncodings: ["gzip"] } },
  );
}

function tooLarge(size: number, limit: number): StoreError {
  return new StoreError("request_too_large", `The body has ${size} bytes or more; the limit is ${limit}.`, {
    details: { size, limit },
  });
}

// How long a caller may take to send a body: time that it is waited for, never time that the storage takes.
//
// Promise: a body that stalls, or trickles, is given up after a stated time, so that what is held of it is given back.

export interface BodyTimes {
  /** A body that brings less than `paceBytes` in so long has stalled. */
  readonly stallMs: number;
  /** A whole body. */
  readonly wholeMs: number;
}

/** The bytes that a caller sends within the time of a stall if it is not stalled: any modem sends more. */
export const paceBytes = 64 * 1024;

export class BodyPace {
  readonly #clock: Clock;
  readonly #times: BodyTimes;
  #waitedMs = 0;
  #windowMs = 0;
  #windowBytes = 0;

  constructor(clock: Clock, times: BodyTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  /**
   * Returns the bytes that were read, unless reading takes too long: then throws `request_timeout`, and drops whatever
   * still arrives.
   */
  async wait<T>(read: Promise<T>): Promise<T> {
    const { stallMs, wholeMs } = this.#times;
    const startedAt = this.#clock.elapsed();
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.after(Math.min(stallMs - this.#windowMs, wholeMs - this.#waitedMs), () => {
      late.reject(tooSlow(this.#times));
    });
    try {
      return await Promise.race([read, late.promise]);
    } finally {
      cancel();
      const ms = this.#clock.elapsed() - startedAt;
      this.#waitedMs += ms;
      this.#windowMs += ms;
    }
  }

  /** So much came. */
  count(bytes: number): void {
    this.#windowBytes += bytes;
    if (this.#windowBytes < paceBytes) return;
    this.#windowBytes = 0;
    this.#windowMs = 0;
  }
}

function tooSlow({ stallMs, wholeMs }: BodyTimes): StoreError {
  const [stall, whole] = [stallMs / 1_000, wholeMs / 1_000];
  return new StoreError(
    "request_timeout",
    `The body came too slowly: expected ${paceBytes / 1_024} KiB or its end within ${stall} seconds, and all of it within ${whole}.`,
    { retryAfterMs: 1_000 },
  );
}
