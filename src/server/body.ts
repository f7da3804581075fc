// The body of a request: read once, counted while it is read, never cancelled.
//
// Promise: no more than the limit is ever held; what a handler leaves is read to its end and dropped, because a body that is given
// up would close the connection before the answer has left.

import { invalidArgument, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { bodyType } from "../wire/media.ts";
import { mediaTypesOf } from "../wire/operation.ts";
import type { Contents } from "../wire/operation.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { BodyReader, HttpRequest } from "./http.ts";
import type { Budget } from "./overload.ts";

export class RequestBody {
  readonly #reader: BodyReader | undefined;
  readonly #budget: Budget;
  readonly #bytesMax: number;
  readonly #encoding: string;
  readonly #announced: number;
  #read = 0;
  #held = 0;
  #done = false;

  constructor(request: HttpRequest, budget: Budget, bytesMax: number = limits.requestBytesMax) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
    this.#encoding = request.headers.get("content-encoding")?.toLowerCase() ?? "identity";
    this.#announced = Number(request.headers.get("content-length") ?? 0);
    this.#reader = request.body?.getReader();
  }

  /** The pieces as they arrive. Leaving the loop leaves the rest to `drop`. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#encoding !== "identity") {
      throw new StoreError("unsupported_media_type", "Content-Encoding: expected none.");
    }
    if (this.#announced > this.#bytesMax) throw tooLarge(this.#announced, this.#bytesMax);
    for (;;) {
      const piece = await this.#next();
      if (piece === undefined) return;
      yield piece;
    }
  }

  /** All of it, `bytesMax` at most, held against the budget until `release`. */
  async text(bytesMax: number = limits.requestBytesMax): Promise<string> {
    // What is more than may be held at all would be `overloaded` however often it came.
    const most = Math.min(bytesMax, this.#budget.max);
    if (this.#announced > most) throw tooLarge(this.#announced, most);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const parts: string[] = [];
    try {
      for await (const piece of this.pieces()) {
        if (this.#read > most) throw tooLarge(this.#read, most);
        this.#budget.take(piece.byteLength);
        this.#held += piece.byteLength;
        parts.push(decoder.decode(piece, { stream: true }));
      }
      parts.push(decoder.decode());
    } catch (error) {
      if (error instanceof TypeError) throw invalidArgument("body", "UTF-8");
      throw error;
    }
    return parts.join("");
  }

  /** The text is no longer used. */
  release(): void {
    this.#budget.give(this.#held);
    this.#held = 0;
  }

  /** Reads what is left, as far as the limit goes, and forgets it. Never rejects. */
  async drop(): Promise<void> {
    try {
      while ((await this.#next()) !== undefined);
    } catch {
      // Whatever it is: nobody needs the rest.
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#done || this.#reader === undefined) return undefined;
    const { done, value } = await this.#reader.read().catch(() => {
      this.#done = true;
      throw invalidArgument("body", "all of the body: it broke off");
    });
    if (done) {
      this.#done = true;
      return undefined;
    }
    const piece = value as Uint8Array;
    this.#read += piece.byteLength;
    if (this.#read > this.#bytesMax) {
      this.#done = true;
      throw tooLarge(this.#read, this.#bytesMax);
    }
    return piece;
  }
}

/** The text of a body that is of a type the operation takes: one that asks for something, unless it may be larger. */
export async function bodyText(
  operation: { readonly body: Contents },
  call: { readonly contentType: string | null; readonly body: RequestBody },
  bytesMax: number = wireLimits.controlBodyBytesMax,
): Promise<string> {
  bodyType(call.contentType, mediaTypesOf(operation.body));
  return call.body.text(bytesMax);
}

function tooLarge(size: number, limit: number): StoreError {
  return new StoreError("request_too_large", `The body has ${size} bytes or more; the limit is ${limit}.`, {
    details: { size, limit },
  });
}
