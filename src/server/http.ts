// Requests and answers as the handlers see them, whatever carries them; and how a large text leaves.

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
