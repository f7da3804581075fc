// How a stream's state is told over HTTP, as the Durable Streams protocol has it: headers of every answer, and refusals
// with what the caller needs to go on.

import { StoreError, unreachable } from "../core/errors.ts";
import type { StreamState } from "../core/stream.ts";
import type { StreamAnswer } from "../store/stream-rules.ts";
import { offsetText, streamHeaders } from "../wire/stream-calls.ts";
import { problemAnswer } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";

type Headers = Readonly<Record<string, string>>;

/** Pages of any origin that is let in may embed what they may read. */
export const securityHeaders: Headers = { "cross-origin-resource-policy": "cross-origin" };

/** Where the stream ends, and whether for good. */
export function placeHeaders(stream: StreamState, sequence: number): Headers {
  return {
    ...securityHeaders,
    [streamHeaders.nextOffset]: offsetText(stream.life, sequence),
    ...(stream.closed ? { [streamHeaders.closed]: "true" } : {}),
  };
}

export function noStream(): StoreError {
  return new StoreError("not_found", "There is no stream at this path. PUT makes one.");
}

/** An offset from before the stream was made anew, or of what was trimmed. */
export function goneOffset(stream: StreamState, firstSequence: number): StoreError {
  return new StoreError(
    "trimmed",
    "The offset is of a stream that had this name before, or of entries that were trimmed. Read from the beginning with -1, or go on from the offset in earliest.",
    { details: { earliest: offsetText(stream.life, firstSequence - 1) } },
  );
}

/** A refusal, as the protocol tells it. */
export function refusal(
  answer: Exclude<StreamAnswer, { kind: "as_wanted" | "repeated" }>,
  lastSequence: number,
  requestId: string,
): HttpResponse {
  const { error, status, headers } = toldAs(answer, lastSequence);
  const told = problemAnswer(error, { requestId });
  return { ...told, status: status ?? told.status, headers: { ...told.headers, ...securityHeaders, ...headers } };
}

interface Told {
  readonly error: StoreError;
  readonly status?: number;
  readonly headers?: Headers;
}

function toldAs(answer: Exclude<StreamAnswer, { kind: "as_wanted" | "repeated" }>, lastSequence: number): Told {
  switch (answer.kind) {
    case "no_stream":
      return { error: noStream() };
    case "taken":
      return conflict("There is a stream of another content type, time to live or state at this path.");
    case "other_content_type":
      return conflict(`The stream is of ${answer.stream.contentType}: append the same.`);
    case "closed":
      return {
        error: new StoreError("stream_closed", "The stream is closed: nothing can be appended to it any more."),
        headers: placeHeaders({ ...answer.stream, closed: true }, lastSequence),
      };
    case "old_epoch": {
      const message = `A newer epoch of the producer has appended: ${answer.epoch}. Stop, or go on with a greater one.`;
      return {
        error: new StoreError("permission_denied", message),
        headers: { [streamHeaders.producerEpoch]: String(answer.epoch) },
      };
    }
    case "epoch_begins_at_0":
      return invalid("Producer-Seq: expected 0, with which a new epoch begins.");
    case "gap":
      return {
        ...conflict(`Producer-Seq: expected ${answer.expected}, received ${answer.received}.`),
        headers: {
          [streamHeaders.expectedSeq]: String(answer.expected),
          [streamHeaders.receivedSeq]: String(answer.received),
        },
      };
    case "seq_not_greater":
      return conflict(`Stream-Seq: expected a text that sorts after ${JSON.stringify(answer.last)}.`);
    case "not_json":
      return invalid("body: expected JSON, which the stream is of.");
    default:
      return unreachable(answer);
  }
}

function conflict(message: string): Told {
  return { error: new StoreError("stream_conflict", message) };
}

function invalid(message: string): Told {
  return { error: new StoreError("invalid_argument", message) };
}
