// Decides what becomes of a wish to change a stream: pure. Every backend asks here, with the stream and its producer as
// they are at the version of the log that it is about to commit to.
//
// A producer names its appends: an epoch, and in it 0, 1, 2 ... An append that it has made already is answered, and not
// made again; one of an older epoch is a zombie's; one that leaves out others is refused. So a producer that repeats
// what was not answered appends everything once, in order.

import type { AppendRecord } from "../core/entry.ts";
import type { StoreError } from "../core/errors.ts";
import { invalidArgument, streamClosed } from "../core/errors.ts";
import type { ProducerState, ProducerStep, SegmentChange, StreamState } from "../core/stream.ts";
import { isExpired, needsRenewal } from "../core/stream.ts";

export type StreamWish =
  | {
      readonly kind: "make";
      readonly contentType: string;
      readonly ttlSeconds?: number | undefined;
      readonly expiresAt?: number | undefined;
      readonly closed: boolean;
    }
  | {
      readonly kind: "append";
      /** The stream that is meant; undefined: whichever is there. */
      readonly life?: number | undefined;
      /** The records' content type; undefined if there are no records. */
      readonly contentType: string | undefined;
      readonly producer?: ProducerStep | undefined;
      readonly seq?: string | undefined;
      readonly closes: boolean;
      /** Others of the same append follow: the producer, `seq` and the closing move with the last of them. */
      readonly goesOn?: boolean;
    }
  /** Only says that the stream is used, where that has to be written down. */
  | { readonly kind: "use"; readonly life: number }
  | { readonly kind: "end"; readonly life?: number | undefined };

/** Why nothing is to be written. */
export type StreamAnswer =
  | { readonly kind: "no_stream" }
  /** It is there as it is wanted, or has become so already. */
  | { readonly kind: "as_wanted"; readonly stream: StreamState }
  /** The producer has made this append before; `producer`: how far it has come. */
  | { readonly kind: "repeated"; readonly stream: StreamState; readonly producer: ProducerState }
  /** Another stream has the name. */
  | { readonly kind: "taken"; readonly stream: StreamState }
  | { readonly kind: "closed"; readonly stream: StreamState }
  | { readonly kind: "other_content_type"; readonly stream: StreamState }
  | { readonly kind: "old_epoch"; readonly stream: StreamState; readonly epoch: number }
  /** A new epoch begins with 0. */
  | { readonly kind: "epoch_begins_at_0"; readonly stream: StreamState }
  | { readonly kind: "gap"; readonly stream: StreamState; readonly expected: number; readonly received: number }
  | { readonly kind: "seq_not_greater"; readonly stream: StreamState; readonly last: string }
  | { readonly kind: "not_json" };

export type StreamDecision =
  /** Undefined: entries alone. */
  | { readonly kind: "write"; readonly change: SegmentChange | undefined }
  | { readonly kind: "answer"; readonly answer: StreamAnswer };

export interface StreamSeen {
  readonly stream: StreamState | undefined;
  /** How far the wish's producer has come; undefined: it has not begun. */
  readonly producer: ProducerState | undefined;
  readonly timestamp: number;
  /** Whether all records are JSON: asked for where it matters. */
  readonly isJson: () => boolean;
}

export function decideStream(wish: StreamWish, seen: StreamSeen): StreamDecision {
  const { stream, timestamp } = seen;
  const lives = stream !== undefined && !isExpired(stream, timestamp);
  if (wish.kind === "make") {
    if (lives) return answer({ kind: isSameStream(stream, wish) ? "as_wanted" : "taken", stream });
    if (isJsonType(wish.contentType) && !seen.isJson()) return answer({ kind: "not_json" });
    return { kind: "write", change: { ...wish, adopts: stream === undefined } };
  }
  if (!lives || (wish.life !== undefined && wish.life !== stream.life)) return answer({ kind: "no_stream" });
  if (wish.kind === "use") {
    if (!needsRenewal(stream, timestamp)) return answer({ kind: "as_wanted", stream });
    return { kind: "write", change: { kind: "use" } };
  }
  if (wish.kind === "end") return { kind: "write", change: { kind: "end" } };
  return decideAppend(wish, stream, seen);
}

function decideAppend(
  wish: Extract<StreamWish, { kind: "append" }>,
  stream: StreamState,
  { isJson, producer }: StreamSeen,
): StreamDecision {
  const { closes, contentType, producer: step, seq } = wish;
  const known = producer?.life === stream.life ? producer : undefined;
  if (step !== undefined && known !== undefined) {
    if (step.epoch < known.epoch) return answer({ kind: "old_epoch", stream, epoch: known.epoch });
    if (step.epoch === known.epoch && step.sequence <= known.sequence) {
      return answer({ kind: "repeated", stream, producer: known });
    }
  }
  if (stream.closed)
    return answer({ kind: closes && contentType === undefined && step === undefined ? "as_wanted" : "closed", stream });
  if (contentType !== undefined && !isSameType(contentType, stream.contentType)) {
    return answer({ kind: "other_content_type", stream });
  }
  if (step !== undefined) {
    const isNewEpoch = known !== undefined && step.epoch > known.epoch;
    if (isNewEpoch && step.sequence !== 0) return answer({ kind: "epoch_begins_at_0", stream });
    const expected = known === undefined || isNewEpoch ? 0 : known.sequence + 1;
    if (step.sequence !== expected) return answer({ kind: "gap", stream, expected, received: step.sequence });
  }
  if (seq !== undefined && stream.lastSeq !== undefined && !(seq > stream.lastSeq)) {
    return answer({ kind: "seq_not_greater", stream, last: stream.lastSeq });
  }
  if (isJsonType(stream.contentType) && !isJson()) return answer({ kind: "not_json" });
  const moves = wish.goesOn !== true && (closes || step !== undefined || seq !== undefined);
  return {
    kind: "write",
    change: moves ? { kind: "append", life: stream.life, producer: step, seq, closes } : undefined,
  };
}

/** The answer to the caller of a plain produce. */
export function streamRefused(answer: StreamAnswer): StoreError {
  if (answer.kind === "closed") return streamClosed();
  return invalidArgument("records", "records of JSON: the segment is a stream of application/json");
}

/**
 * A produce of those who know nothing of streams: what a stream must not take. Undefined: it is taken. One that has
 * ended takes nothing, as its entries are removed up to the end that it had.
 */
export function refusedPlain({ stream, timestamp, isJson }: Omit<StreamSeen, "producer">): StreamAnswer | undefined {
  if (stream === undefined) return undefined;
  if (stream.closed || isExpired(stream, timestamp)) return { kind: "closed", stream };
  return isJsonType(stream.contentType) && !isJson() ? { kind: "not_json" } : undefined;
}

export function areJson(records: readonly AppendRecord[]): boolean {
  return records.every(({ payload }) => isJson(payload));
}

function isJson(payload: Uint8Array): boolean {
  try {
    JSON.parse(utf8.decode(payload));
    return true;
  } catch {
    return false;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function isJsonType(contentType: string): boolean {
  return mediaTypeOf(contentType) === "application/json";
}

function isSameType(a: string, b: string): boolean {
  return mediaTypeOf(a) === mediaTypeOf(b);
}

/** Without parameters, in lower case. */
function mediaTypeOf(contentType: string): string {
  return (contentType.split(";", 1)[0] ?? "").trim().toLowerCase();
}

function isSameStream(stream: StreamState, wish: Extract<StreamWish, { kind: "make" }>): boolean {
  const sameEnd =
    stream.ttlSeconds === wish.ttlSeconds && (wish.ttlSeconds !== undefined || stream.expiresAt === wish.expiresAt);
  return isSameType(stream.contentType, wish.contentType) && stream.closed === wish.closed && sameEnd;
}

function answer(given: StreamAnswer): StreamDecision {
  return { kind: "answer", answer: given };
}
