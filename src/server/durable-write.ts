// Makes, appends to, closes and deletes streams, as the Durable Streams protocol has it.
//
// Promise: an append that is answered 2xx is in the stream for every reader. A producer's repeat appends nothing twice.

import { noMetadata } from "../core/entry.ts";
import type { AppendRecord } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { ProducerStep, StreamState } from "../core/stream.ts";
import { streamExpiryDue } from "../retention/stream-expiry.ts";
import { segmentTrimJob } from "../retention/trim-jobs.ts";
import { isJsonType } from "../store/stream-rules.ts";
import type { StreamOutcome } from "../store/store.ts";
import { JsonSlice, parseSlice, splitArray } from "../wire/json-text.ts";
import {
  parseContentType,
  parseStreamName,
  streamAppend,
  streamDelete,
  streamHeaders,
  streamMake,
} from "../wire/stream-calls.ts";
import { noStream, placeHeaders, refusal, securityHeaders } from "./durable-answers.ts";
import { endpoint } from "./endpoint.ts";
import type { Call } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import { startJob } from "./jobs.ts";

const defaultContentType = "application/octet-stream";

export const makeStream = endpoint(streamMake, async (services, call) => {
  const { store, space, path } = call.params;
  const segment = parseStreamName(path);
  const { headers } = call;
  if (headers[streamHeaders.forkedFrom] !== undefined) throw noForks();
  const ttlSeconds = headers[streamHeaders.ttl];
  const expiresAt = headers[streamHeaders.expiresAt];
  if (ttlSeconds !== undefined && expiresAt !== undefined) {
    throw invalidArgument(streamHeaders.expiresAt, `nothing beside ${streamHeaders.ttl}`);
  }
  const contentType = parseContentType(call.contentType ?? defaultContentType);
  const records = await recordsOf(call, contentType);
  const closed = headers[streamHeaders.closed] ?? false;
  const wish = { kind: "make", contentType, ttlSeconds, expiresAt, closed } as const;
  const { signal } = call.connection;
  const outcome = await services.stores.open(store).changeStream(space, segment, { wish, records }, { signal });
  const { lastSequence } = outcome;
  const schedule = async (stream: StreamState): Promise<void> => {
    const due = streamExpiryDue(store, space, segment, stream);
    if (due !== undefined) await services.schedule.put(due);
  };
  if (outcome.kind === "answered") {
    const { answer } = outcome;
    if (answer.kind !== "as_wanted" && answer.kind !== "repeated") return refusal(answer, lastSequence, call.requestId);
    // The call before may have ended without an answer, and before it had written the row.
    await schedule(answer.stream);
    return empty(200, { ...placeHeaders(answer.stream, lastSequence), "content-type": answer.stream.contentType });
  }
  const { stream } = outcome;
  await schedule(stream);
  const location = call.url.split("?", 1)[0] ?? call.url;
  return empty(201, { ...placeHeaders(stream, lastSequence), "content-type": stream.contentType, location });
});

export const appendToStream = endpoint(streamAppend, async (services, call) => {
  const { store, space, path } = call.params;
  const segment = parseStreamName(path);
  const { headers } = call;
  const producer = producerOf(headers);
  const closes = headers[streamHeaders.closed] ?? false;
  const given = call.contentType === null ? undefined : parseContentType(call.contentType);
  const records = await recordsOf(call, given ?? defaultContentType);
  if (records.length === 0 && !closes) throw invalidArgument("body", "something to append");
  if (records.length > 0 && given === undefined) {
    throw invalidArgument("Content-Type", "the content type of the stream, but it is missing");
  }
  const contentType = records.length === 0 ? undefined : given;
  const wish = { kind: "append", closes, producer, contentType, seq: headers[streamHeaders.seq] } as const;
  const { signal } = call.connection;
  const outcome = await services.stores.open(store).changeStream(space, segment, { wish, records }, { signal });
  return appendAnswer(outcome, producer, records.length > 0, call.requestId);
});

/** Its entries are removed at once, and what takes longer than a call may by a job: nobody sees them any more. */
export const deleteStream = endpoint(streamDelete, async (services, call) => {
  const { store: id, space, path } = call.params;
  const segment = parseStreamName(path);
  const { signal } = call.connection;
  const store = services.stores.open(id);
  const outcome = await store.changeStream(space, segment, { wish: { kind: "end" }, records: [] }, { signal });
  if (outcome.kind === "answered") throw noStream();
  const before = outcome.lastSequence + 1;
  if (before > 1) {
    const status = await store.trimSegment(space, segment, before, { signal });
    if (status.firstSequence < before) await startJob(services, id, segmentTrimJob(status, before, call.caller.caller));
  }
  return empty(204, securityHeaders);
});

function appendAnswer(
  outcome: StreamOutcome,
  producer: ProducerStep | undefined,
  hasRecords: boolean,
  requestId: string,
): HttpResponse {
  const { lastSequence } = outcome;
  if (outcome.kind === "written") {
    const status = producer !== undefined && hasRecords ? 200 : 204;
    const step = producer === undefined ? {} : producerHeaders(producer.epoch, producer.sequence);
    return empty(status, { ...placeHeaders(outcome.stream, lastSequence), ...step });
  }
  const { answer } = outcome;
  if (answer.kind === "as_wanted") return empty(204, placeHeaders(answer.stream, lastSequence));
  if (answer.kind !== "repeated") return refusal(answer, lastSequence, requestId);
  const { epoch, sequence } = answer.producer;
  return empty(204, { ...placeHeaders(answer.stream, lastSequence), ...producerHeaders(epoch, sequence) });
}

function producerHeaders(epoch: number, sequence: number): Readonly<Record<string, string>> {
  return { [streamHeaders.producerEpoch]: String(epoch), [streamHeaders.producerSeq]: String(sequence) };
}

/** All three, or none. */
function producerOf(headers: Call<typeof streamAppend>["headers"]): ProducerStep | undefined {
  const id = headers[streamHeaders.producerId];
  const epoch = headers[streamHeaders.producerEpoch];
  const sequence = headers[streamHeaders.producerSeq];
  if (id === undefined && epoch === undefined && sequence === undefined) return undefined;
  if (id === undefined || epoch === undefined || sequence === undefined) {
    const names = [streamHeaders.producerId, streamHeaders.producerEpoch, streamHeaders.producerSeq];
    throw invalidArgument(streamHeaders.producerId, `${names.join(", ")}, all of them or none`);
  }
  return { id, epoch, sequence };
}

/** Of JSON each element of an array is a record, or what is no array is one; of bytes there are as many as it takes. */
async function recordsOf(
  call: Pick<Call<typeof streamAppend | typeof streamMake>, "body" | "memory" | "method">,
  contentType: string,
): Promise<readonly AppendRecord[]> {
  if (!isJsonType(contentType)) {
    const bytes = Buffer.concat(await call.body.blocks(call.memory));
    return pieces(bytes).map((payload) => ({ payload, metadata: noMetadata }));
  }
  const text = await call.body.text(call.memory, limits.requestBytesMax);
  if (text.trim() === "") return [];
  const isArray = text.trimStart().startsWith("[");
  const values = isArray ? [...splitArray(text, "body")] : [new JsonSlice(text.trim())];
  for (const [index, value] of values.entries()) parseSlice(value, isArray ? `body[${index}]` : "body");
  if (values.length === 0 && call.method === "POST") throw invalidArgument("body", "an element at least");
  return values.map((value) => ({ payload: Buffer.from(value.text), metadata: noMetadata }));
}

/** As large as records may be; no character of UTF-8 is cut in two. */
function pieces(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    let end = Math.min(at + limits.recordBytesMax, bytes.byteLength);
    for (let back = 0; back < 3 && end < bytes.byteLength && isContinuation(bytes[end]); back += 1) end -= 1;
    found.push(bytes.subarray(at, end));
    at = end;
  }
  return found;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function noForks(): StoreError {
  return new StoreError(
    "not_implemented",
    "Streams cannot be forked here. Make a stream, and append what it is to have.",
  );
}

function empty(status: number, headers: Readonly<Record<string, string>>): HttpResponse {
  return { status, headers: { "cache-control": "no-store", ...headers } };
}
